"""Fixtures every test may use: where the shared data lie, and small real images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real scans and weights; the test is skipped where it is missing."""
    folder = Path(os.environ.get("BRAINLENS_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the shared scans: no folder {folder} (set BRAINLENS_SHARED)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests first: one that begins last keeps a single worker busy at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
