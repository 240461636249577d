"""10,000 damaged and forged pictures: the process lives, and every file is decoded or explained."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from data.mutants import MUTATIONS, SUFFIX, mutants, originals
from mulligan.data.decode import decode, read_header

COUNT, SEED, BATCH = 10_000, 0, 5000


def test_the_whole_files_are_what_they_are_called_and_all_decode() -> None:
    formats = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP"}
    for kind, contents in originals().items():
        for content in contents:
            assert Image.open(io.BytesIO(content)).format == formats.get(kind, "TIFF")
            assert read_header(io.BytesIO(content))[0] in (24, 32)
            assert decode(content, (16, 16), 3).std() > 1


def test_the_same_seed_gives_the_same_files_and_nearly_all_are_changed() -> None:
    first, again, other = (list(mutants(600, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    whole = {content for contents in originals().values() for content in contents}
    assert sum(content in whole for _, content in first) < 40
    assert Counter(kind for kind, _ in first) == dict.fromkeys(SUFFIX, 100)
    assert len(MUTATIONS) == 7


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_damaged_files_are_decoded_or_skipped_with_reasons(tmp_path: Path) -> None:
    script = Path(__file__).with_name("opened_mutants.py")
    call = [sys.executable, str(script), str(COUNT), str(SEED), str(BATCH)]
    # stderr goes to a file: libtiff writes there what it thinks of each
    with (tmp_path / "said").open("w") as said:
        done = subprocess.run(
            call, stdout=subprocess.PIPE, stderr=said, text=True, timeout=200,
            env={**os.environ, "MULLIGAN_CACHE": str(tmp_path / "cache")},
        )  # fmt: skip
    assert done.returncode == 0, (tmp_path / "said").read_text()[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(row["files"] for row in rows) == COUNT
    assert sum(row["decoded"] + sum(row["reasons"].values()) for row in rows) == COUNT
    for kind in SUFFIX:
        decoded = sum(row["decoded"] for row in rows if row["format"] == kind)
        assert 0.1 * COUNT / 6 < decoded < 0.7 * COUNT / 6, kind
    assert max(row["memory"] for row in rows) < 512 << 20
    assert max(row["slowest"] for row in rows) < 5
