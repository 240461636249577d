"""Freed memory stays with the process: blocks that are used again cost no page faults."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

from mulligan.engine.memory import keep_freed_memory

COUNT = """
import json, resource, torch
from mulligan.engine.memory import keep_freed_memory

def faults():
    torch.set_num_threads(1)
    for _ in range(3):
        [torch.ones(5_000_000) for _ in range(3)]
    found = []
    for _ in range(10):  # the kernel may take a page away at any time: the least counts
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(4):
            [torch.ones(5_000_000) for _ in range(3)]
        found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(found)

print(json.dumps([faults(), keep_freed_memory(), faults()]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_blocks_that_are_used_again_cost_no_page_faults() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True, timeout=120
    )
    before, asked, after = json.loads(done.stdout)
    assert asked
    assert before > 4_000  # 12 blocks of 20 MB, given back and taken again
    assert after < before / 20


def test_asking_twice_or_elsewhere_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_freed_memory() == keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory.__wrapped__() is False
