"""A defect in one part of a page hides no other part, and is told."""

import logging

import pytest

from dashboard.frames import frame_of
from myquant.dashboard.frame import update_parts


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
