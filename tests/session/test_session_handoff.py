"""Whole sessions whose feed is read by a thread or a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from myquant.core import codes
from session.stage import Stage, assert_sound, journal_keys, on_stage, source_keys, until

SPEED = 2000.0  # the afternoon in three seconds


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as found:
        yield found


def children_of(pid: int) -> list[str]:
    """Return the command lines of a process's children."""
    children = [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return [Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in children]


@pytest.mark.parametrize("kind", ["queue", "ring"])
def test_a_day_of_a_feed_that_is_read_elsewhere(stage: Stage, kind: str) -> None:
    lab = stage.lab(speed=SPEED)
    session = stage.paper(lab, pipeline__handoff=kind)
    until(
        lambda: (status := stage.status()) is not None and status["feed"]["healthy"], session, stage.folder / "s.said"
    )
    readers = [line for line in children_of(session.pid) if "myquant.session.reader" in line]
    assert len(readers) == (kind == "ring")
    secrets = [value for name, value in lab.environ.items() if "ANGELONE_" in name and "__" not in name]
    assert len(secrets) == 4
    assert [line for line in readers for secret in secrets if secret in line] == []
    assert session.wait() == 0, stage.said()
    journal = assert_sound(stage.session())
    assert len(source_keys(stage.ticks) - set(journal_keys(journal))) <= 1  # of a first packet nothing is known before
    assert len(journal.commands_of(codes.TRADE_CLOSED)) > 10
    assert journal.feed_notes() == [False, True], stage.said()
    assert "given up" not in stage.said()
    assert lab.counts()["logins"] == 1
