"""Fixtures that every room's tests may use."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault(
    "MYQUANT_STATE", tempfile.mkdtemp(prefix="myquant-state-")
)  # fences of tests, not those of the user

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of reference data beside the checkout; a test that needs it skips elsewhere."""
    if not SHARED.is_dir():
        pytest.skip("the reference data folder `shared` is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def real_day(shared_dir: Path) -> Path:
    """Return the recorded day of NIFTY option ticks (34,086 rows of 2025-10-03)."""
    return shared_dir / "data" / "nifty_option_2025-10-03.csv"
