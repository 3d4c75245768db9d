"""Law: a session that dies at any call to its disk, before it, after it or half way, and again while it is taken up, ends
byte for byte like one that did not."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from journal.journal_faults import Crash, Fault, FaultyDisk
from myquant.journal.disk import Disk
from session.sessions import LIMIT, Session, day_inputs, decisions, open_session

SEGMENT = 128
SAVE_EVERY = 40


def run(folder: Path, inputs: Any, disk: Disk) -> Session:
    """Take up the session and go on to the end, with the room reserved as a timer would."""
    session = open_session(folder, LIMIT, segment_records=SEGMENT, disk=disk)
    while session.taken < len(inputs):
        session.go_on(inputs, 20, save_every=SAVE_EVERY)
        session.journal.reserve()
        session.journal.sync()
    session.journal.close()
    return session


@pytest.fixture(scope="module")
def inputs() -> Any:
    return day_inputs(3, count=200)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, inputs: Any) -> tuple[bytes, Any, list[str]]:
    """Return state, decisions and calls of a session that did not die."""
    disk = FaultyDisk()
    session = run(tmp_path_factory.mktemp("whole") / "s", inputs, disk)
    return session.state(), decisions(session.folder), disk.calls


def dies(folder: Path, inputs: Any, at: int, fault: Fault) -> bool:
    """Run with a disk that dies at a call; return whether it came to that."""
    disk = FaultyDisk(at, fault)
    with suppress(Crash):
        run(folder, inputs, disk)
        return False
    disk.die()
    return True


@pytest.mark.parametrize("fault", ["crash before", "crash after", "crash half way"])
def test_a_death_at_any_call_changes_nothing(
    tmp_path: Path, inputs: Any, reference: tuple[bytes, Any, list[str]], fault: Fault
) -> None:
    state, expected, calls = reference
    assert {"allocate", "sync", "rename", "write", "sync_data", "lock", "unlink"} <= set(calls)
    again = 0
    for at in range(1, len(calls) + 1):
        folder = tmp_path / str(at)
        assert dies(folder, inputs, at, fault), at
        # and once more while it is taken up, at another call each time
        again += dies(folder, inputs, 1 + at * 7 % 40, fault)
        session = run(folder, inputs, FaultyDisk())
        assert session.state() == state, (at, calls[at - 1])
        assert np.array_equal(decisions(folder), expected), (at, calls[at - 1])
    assert again > len(calls) // 2
