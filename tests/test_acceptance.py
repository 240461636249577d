"""What a user does and what a machine does to him: real commands, real files, real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mulligan
from acceptance_tools import (
    CLASSES,
    EACH,
    OWN_RECIPE,
    call,
    damage,
    full_disk,
    listing,
    photographs,
    refusal,
    reseal,
    result,
)
from engine.runner import start
from mulligan import pictures
from mulligan.engine import checkpoint, records
from mulligan.engine.feed import from_batch
from mulligan.engine.preview import GRID, watching
from mulligan.engine.randomness import generator
from mulligan.engine.storage import DISK
from mulligan.errors import MulliganError, UsageError
from mulligan.run import Run

SMALL = "--width 4 --latent 4 --batch 8 --tick 8 --save-every 2 --device cpu"
TINY = f"photos --recipe gan --size 16 --images 256 {SMALL}"  # 32 rounds, saved at 0, 16 and 32
FILES = 6  # of a checkpoint of two networks: two of weights, two of optimizers, state, manifest
LONGEST = 60  # seconds for a process that should take ten
DATA = os.environ.get("MULLIGAN_DATA")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: photographs, a finished run called whole, and things in the way."""
    folder = tmp_path_factory.mktemp("acceptance")
    photographs(folder / "photos")
    (folder / "junk").mkdir()
    (folder / "junk" / "notes.txt").write_text("no picture")
    (folder / "blocked").write_text("a file where a folder should be")
    (folder / "taken.png").write_bytes(b"kept")
    with contextlib_chdir(folder), threads(1):
        assert call(f"train {TINY} --name whole").code == 0
        shutil.copytree("runs/whole", "runs/bare")
        shutil.rmtree("runs/bare/checkpoints")
        Path("runs/bare/checkpoints").mkdir()
    return folder
