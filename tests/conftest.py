"""Puts this folder on the path, so that tests share `helpers`; keeps the user's cache out of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Features are computed once a session, and no test reads or writes the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULLIGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
