"""The journal's own tests meet a real file system."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(disk_path: Path) -> Path:
    """Return an empty folder on a disk."""
    return disk_path
