"""Fixtures that every room's tests may use."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests wait for fsync more than for anything else: their files are in memory, unless there is too little of it or `TMPDIR`
# says where. What is to meet a real file system asks for `disk_path`.
MEMORY = Path("/dev/shm")  # noqa: S108  (it is the place itself that is meant)
ENOUGH_BYTES = 2 << 30
DISK = os.environ.setdefault("MYQUANT_TESTS_DISK", tempfile.gettempdir())  # the same in every worker
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

if "MYQUANT_STATE" not in os.environ:  # fences of tests, not those of the user
    os.environ["MYQUANT_STATE"] = tempfile.mkdtemp(prefix="myquant-state-")

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


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """Return an empty folder on a real file system, where a sync takes its time and a process can be killed in one."""
    with tempfile.TemporaryDirectory(dir=DISK, prefix="myquant-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


# What takes longest begins first, by what was measured, so that no worker is left alone with it at the end; and tests that
# need the same engine compiled, or the same whole session, baseline or browser, are one worker's, so that it is made once.
LONGEST = (
    "test_strategy_loading.py",
    "test_broker_kills.py",
    "test_examples.py",
    "test_demo.py",
    "test_demo_monitor.py",
    "test_demo_dashboard.py",
    "test_live_session.py",
    "test_shipped_session.py",
    "test_shipped_prometheus.py",
    "test_baseline_run.py",
    "test_broker_crash_points.py",
    "test_kill.py",
    "test_lab_session_rough.py",
    "test_lab_session_faults.py",
    "test_live_secrecy.py",
    "test_broker_storm.py",
    "test_worker.py",
    "test_recovery.py",
    "test_crash_at_every_call.py",
)
EXAMPLES = ("opening_range_breakout", "rsi_pullback")
ONE_WORKER = (
    "test_examples.py",
    "test_strategy_loading.py",
    "test_live_session.py",
    "test_baseline_run.py",
    "test_broker_clocks.py",
    "test_cli_separate.py",
    "test_report_browser.py",
    "test_serving.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests in order (see `LONGEST`), after they were shuffled."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


class InGroups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Sends tests to workers in their order, those of a group to one worker.

    pytest-xdist's own `loadgroup` writes groups into ids, which this pytest does not take from it: no test is in a group then.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # else what has most tests comes first, however short they are
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        """Return the group of a test; one that is in none is one by itself."""
        file, _, test = nodeid.partition("::")
        name = Path(file).name
        own = [example for example in EXAMPLES if example in test]
        return f"{name} {own}" if name in ONE_WORKER else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InGroups | None:
    """Return the scheduler for `--dist loadgroup`."""
    return InGroups(config, log) if config.getvalue("dist") == "loadgroup" else None
