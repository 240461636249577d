"""Puts this folder on the path, so that tests share `helpers`; the processor and cache of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def plain_processor() -> Iterator[None]:
    """One thread, and no bfloat16 unless it is asked for: the same numbers on every machine, and
    nothing is measured before a run. Commands in processes of their own do what users' do."""
    from mulligan.engine import quickest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quickest, "has_bfloat16", lambda: False)
        torch.set_num_threads(1)
        yield


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Features are computed once a session, and no test reads or writes the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULLIGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
