"""The weights of `inception`: from a file that the user names, the cache, or a download.

They are published as a pickle, and reading a pickle can run whatever it says. So one is parsed only
after its bytes have turned out to be the published ones; from then on they are kept as safetensors.
"""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import safetensors.torch
import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mulligan import places
from mulligan.data.download import UnreachableError, fetch
from mulligan.errors import DataError, StorageError, UsageError
from mulligan.features.extractor import Extractor, weights_sha256
from mulligan.features.inception import CLASSES, SIZE, WIDTH, Inception
from mulligan.features.names import RESIZES

FILE = "pt_inception-2015-12-05-6726825d.pth"
URLS = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/" + FILE,
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
)
"""Two releases of the same bytes, in the order in which they are tried."""

# Not computed here from the file. Unrelated projects pin this hash, some for the first release
# (qiuyu96/Carver), some for the second (HyperGAN), and its first digits stand in both names. The
# size is also what the names and shapes of this network come to in torch's old format, to the byte.
BYTES = 95628359
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

KEPT = "inception-2015-12-05.safetensors"
COUNTER = ".num_batches_tracked"  # 94 zeros in the published file; nothing reads them
AGAIN = "remove it and get it again"


def open_inception(path: Path | None, download: bool, resize: str, device: str) -> Extractor:
    """The extractor whose figures may be called FID, KID and IS.

    path: the published .pth, or a .safetensors with its names and shapes; None looks into weights/
    of MULLIGAN_DATA and of the cache. download: consent to fetch what is not there. resize: one of
    `names.RESIZES`.
    Raises UsageError for weights that are missing or not accepted, DataError for a download that
    fails, StorageError for a file that cannot be read or written.
    """
    if resize not in RESIZES:
        raise UsageError(f"resize mode {resize!r} is unknown", f"one of {', '.join(RESIZES)}")
    found = path or find(download)
    network, known = load(found)
    return Extractor(
        name="inception",
        network=network,
        width=WIDTH,
        channels=3,
        size=SIZE,
        digest=weights_sha256(network),
        resize_mode=resize,
        classes=tuple(f"class {place}" for place in range(CLASSES)),
        note="" if known else f"nothing says that {found.name} holds the published weights",
        device=device,
    )


def find(download: bool) -> Path:
    """The file of weights that is at hand, else the downloaded one. Raises as `open_inception`."""
    folders = [folder for folder in (places.data_folder(), places.cache_folder()) if folder]
    for file in (KEPT, FILE):
        for folder in folders:
            if (folder / "weights" / file).is_file():
                return folder / "weights" / file
    if not download:
        raise UsageError(
            f"the extractor inception needs the file {FILE} ({BYTES} bytes, sha256 {SHA256})",
            f"--download fetches it from {URLS[0]}; or name it with --weights FILE",
        )
    failures = []
    for url in URLS:
        try:
            return fetch(url, SHA256, BYTES, places.cache_folder() / "weights" / FILE, _tell)
        except UnreachableError as failure:
            failures.append(failure.message)
    raise DataError(
        f"the weights could not be downloaded: {'; '.join(failures)}",
        f"try again (it goes on where it stopped), or get {FILE} by hand and use --weights FILE",
    )


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def load(path: Path) -> tuple[Inception, bool]:
    """The network with the weights of a file, and whether they are known to be the published ones.

    Raises UsageError for a file that is not accepted.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "--weights takes the path of a file")
    try:
        if path.suffix == ".safetensors":
            return _from_safetensors(path)
        content = _published(path)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    kept = places.cache_folder() / "weights" / KEPT
    if kept.is_file():
        return load(kept)
    network = build(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    _keep(network, kept)
    return network, True


def build(tensors: dict[str, Tensor]) -> Inception:
    """The network with these weights, in evaluation mode; they are shared, not copied."""
    plain = {name: tensor for name, tensor in tensors.items() if not name.endswith(COUNTER)}
    with torch.device("meta"):  # no memory and no random numbers for what is replaced at once
        network = Inception()
    network.load_state_dict(plain, assign=True)
    return network.eval()


def _published(path: Path) -> bytes:
    """The bytes of a file that is the published one; nothing in them has been parsed."""
    size, found = path.stat().st_size, ""
    if size == BYTES:
        content = (
            path.read_bytes()
        )  # what is hashed is what is parsed, whatever becomes of the file
        found = hashlib.sha256(content).hexdigest()
        if found == SHA256:
            return content
    raise UsageError(
        f"{path} is not the published file of weights: "
        + (f"its sha256 is {found}, not {SHA256}" if found else f"{size} bytes, not {BYTES}"),
        f"it was not parsed, since a pickle can run code; use {FILE}, or a .safetensors file with "
        "the same names and shapes",
    )


def _from_safetensors(path: Path) -> tuple[Inception, bool]:
    try:
        with safe_open(path, framework="pt") as file:
            names: list[str] = file.keys()
            parts = {name: file.get_slice(name) for name in names}
            _check(path, {name: (p.get_dtype(), *p.get_shape()) for name, p in parts.items()})
            origin = file.metadata() or {}
            # copies: what is only mapped would change with the file
            network = build({name: file.get_tensor(name).clone() for name in names})
    except SafetensorError as problem:
        raise UsageError(f"{path} is not a safetensors file: {problem}", AGAIN) from problem
    known = origin.get("source") == SHA256
    if known and origin.get("weights") != weights_sha256(network):
        raise UsageError(f"{path} is damaged: its values are not those that were written", AGAIN)
    return network, known


def _check(path: Path, found: dict[str, tuple[str | int, ...]]) -> None:
    """Raise UsageError unless names, shapes and float32 are those of the network."""
    with torch.device("meta"):
        state = Inception().state_dict()
    wanted = {name: ("F32", *value.shape) for name, value in state.items() if COUNTER not in name}
    found = {name: form for name, form in found.items() if not name.endswith(COUNTER)}
    problems = [f"{name} is missing" for name in wanted if name not in found]
    problems += [f"{name} is unknown" for name in found if name not in wanted]
    problems += [
        f"{name} is {found[name]}, not {form}"
        for name, form in wanted.items()
        if found.get(name, form) != form
    ]
    if problems:
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UsageError(
            f"{path} does not hold Inception's weights: {'; '.join(problems[:3])}{more}",
            f"the names and shapes are those of {FILE}",
        )


def _keep(network: Inception, path: Path) -> None:
    """Write the published weights as safetensors, with their origin and their digest."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    origin = {"source": SHA256, "weights": weights_sha256(network)}
    content = safetensors.torch.save(tensors, origin)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            part = path.with_name(path.name + ".part")
            part.write_bytes(content)  # not synced: the digest would tell of a loss
            part.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}",
            "free some space, or set MULLIGAN_CACHE to a folder that can be written",
        ) from error
