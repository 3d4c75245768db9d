"""Fixtures of the tick files' tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from myquant.ticks.batch import TickBatch, joined
from myquant.ticks.source import open_ticks


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file of this name and content."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def read() -> Callable[..., TickBatch]:
    """Return a function that opens files in Indian time and returns all their rows as one batch."""

    def rows(*paths: Path, **options: Any) -> TickBatch:
        source = open_ticks(paths, **{"time_zone": "Asia/Kolkata", "symbol": "NIFTY", **options})
        return joined(list(source.batches()))

    return rows
