"""What this machine offers: versions, devices, memory, data at hand, and what exact resume needs.

It only looks: nothing is written, downloaded or installed.
"""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

from mulligan import __version__, places
from mulligan.data.names import NAMES
from mulligan.data.remote import REMOTE

PACKAGES = ("torch", "numpy", "pillow", "safetensors", "pydantic", "cyclopts", "rich", "matplotlib")


def findings(runs_dir: str | Path = "runs") -> list[tuple[str, str]]:
    """(what, what was found) for each thing that is looked at, in the order of printing."""
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return [
        ("mulligan", f"{__version__} on Python {platform.python_version()}"),
        ("packages", versions),
        ("system", platform.platform()),
        *_compute(),
        ("memory", _memory()),
        ("data folder", _data_folder()),
        ("cache folder", _folder(places.cache_folder())),
        ("data at hand", ", ".join(name for name in NAMES if at_hand(name))),
        ("to download", ", ".join(name for name in NAMES if not at_hand(name)) or "nothing"),
        ("runs folder", _folder(Path(runs_dir))),
        (
            "exact resume",
            "bit for bit with the same torch, Python, device, threads, CPU capability and number "
            "of ranks; checked on cpu",
        ),
    ]


def at_hand(name: str) -> bool:
    """Whether a named data set can be trained on without a download."""
    if name not in REMOTE:
        return True  # it comes with mulligan, or is computed
    folders = [folder for folder in (places.data_folder(), places.cache_folder()) if folder]
    files = [file for file in REMOTE[name] if not file.startswith("t10k")]  # training needs no test
    return all(any((folder / name / file).is_file() for folder in folders) for file in files)


def _version(package: str) -> str:
    if package == "torch":  # it names its build, such as +cpu, which the metadata may leave out
        import torch

        return str(torch.__version__)
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _compute() -> list[tuple[str, str]]:
    """Device, threads, CPU capability and number formats, as torch sees them."""
    import torch

    from mulligan.engine.quickest import has_bfloat16

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(count))
        device = f"cuda ({names})"
        mixed = torch.cuda.is_bf16_supported()
    else:
        metal = torch.backends.mps.is_available()
        device = "cpu; mps with --device mps" if metal else "cpu; no CUDA GPU was found"
        mixed = False
    precision = "bfloat16" if mixed else "float32"
    if not count and has_bfloat16():
        mixed, precision = True, "what a measurement finds quicker"
    return [
        ("device", device),
        ("threads", f"{torch.get_num_threads()} of {os.cpu_count()} processors"),
        ("cpu capability", torch.backends.cpu.get_cpu_capability()),
        ("bfloat16", f"{'yes' if mixed else 'no'}; --precision auto means {precision} here"),
    ]


def _memory() -> str:
    """Physical memory, where the system tells."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return "unknown"
    return f"{total / 1e9:.1f} GB"


def _data_folder() -> str:
    folder = places.data_folder()
    if folder is None:
        return "none; MULLIGAN_DATA may name one"
    return str(folder) if folder.is_dir() else f"{folder}, which is missing"


def _folder(path: Path) -> str:
    """Whether a folder can be written, or could be made, and the free space there."""
    there = path.expanduser().absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    state = "writable" if writable else "NOT writable"
    made = "" if path.expanduser().exists() else ", made when needed"
    return f"{path} ({state}{made}, {shutil.disk_usage(there).free / 1e9:.1f} GB free)"
