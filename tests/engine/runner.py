"""Training in a child process that a test may kill. Forked from a server that has torch loaded."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

ROUNDS, BATCH = 300, 8
OPTIONS: dict[str, Any] = {
    "batch": BATCH,
    "images": ROUNDS * BATCH,
    "tick": 20,
    "save_every": 1,
    "trace": True,
    "device": "cpu",
}
SMALL: dict[str, Any] = {"width": 4, "latent": 4}


def work(runs_dir: Path, name: str, options: dict[str, Any], resume: bool) -> None:
    """Train or resume; the exit code is the command line's."""
    import torch

    import mulligan
    from mulligan.errors import MulliganError

    os.setpgrp()
    torch.set_num_threads(1)
    if options["device"] == "cuda":  # else cuDNN may add in another order each time
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.use_deterministic_algorithms(True)
    try:
        if resume:
            mulligan.resume(name, runs_dir=runs_dir, log="none")
        else:
            mulligan.train(runs_dir=runs_dir, name=name, log="none", **options)
    except MulliganError as error:
        print(error, file=sys.stderr)
        os._exit(error.exit_code)
    os._exit(0)


def context() -> multiprocessing.context.ForkServerContext:
    """Where children come from: a server that imported the library once."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["mulligan.api", "mulligan.report"])
    return forks


def start(
    runs_dir: Path, name: str, options: dict[str, Any], resume: bool
) -> multiprocessing.process.BaseProcess:
    child = context().Process(target=work, args=(runs_dir, name, options, resume))
    child.start()
    return child
