"""A defect in one part of a page hides no other part, and is told."""

import asyncio
import logging
from pathlib import Path

import pytest

from dashboard.frames import frame_of
from myquant.dashboard import frame as frames
from myquant.dashboard.frame import update_parts, work


def test_a_part_that_fails_hides_no_other_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    frame, shown = frame_of(), list[str]()

    def broken() -> None:
        raise KeyError("symbol")

    frame.each_update.extend([lambda: shown.append("first"), broken, lambda: shown.append("last")])
    with caplog.at_level(logging.ERROR):
        update_parts(frame)
        update_parts(frame)
    assert shown == ["first", "last"] * 2
    assert frame.failed == [broken]
    assert [record.message for record in caplog.records] == ["a part of a page failed"]


def test_a_part_that_fails_by_its_timer_is_noted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    frame, shown = frame_of(), list[str]()

    async def broken() -> None:
        await asyncio.sleep(0)
        raise KeyError("symbol")

    def broken_at_once() -> None:
        raise KeyError("symbol")

    with caplog.at_level(logging.ERROR):
        for part in (broken, broken, broken_at_once, lambda: shown.append("another")):
            asyncio.run(work(frame, part))
    assert shown == ["another"]
    assert frame.failed == [broken, broken_at_once]
    assert [record.message for record in caplog.records] == ["a part of a page failed"] * 2
    assert all(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    "name",
    ["pages_alerts", "pages_compare", "pages_evidence", "pages_logs", "pages_run", "session_evidence", "session_log"],
)
def test_no_part_works_by_a_timer_whose_defects_nobody_is_told(name: str) -> None:
    text = Path(frames.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    assert "part_timer(" in text
    assert "ui.timer(" not in text
