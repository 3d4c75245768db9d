import json
from pathlib import Path
from typing import Any

import pytest

from monitor.watched import note, view_of
from myquant.core import codes
from myquant.journal.record import STARTED
from myquant.monitor.fold_notes import take_note
from myquant.monitor.log_tail import LogTail, parsed, time_ns_of
from myquant.monitor.news import NewsDesk
from myquant.session.log_files import FILE
from myquant.session.reconciliation import Kind

LINE_NS = 1_759_463_467_120_400_300  # of each line


def line(event: str, level: str = "info", **fields: Any) -> str:
    head = {"time": "2025-10-03T03:51:07.120400300Z", "level": level, "event": event, "session": "s"}
    return json.dumps({**head, **fields}) + "\n"


def test_lines_are_counted_and_the_last_error_is_kept(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    tail = LogTail(view)
    assert not tail.look()  # there is no log yet
    log = tmp_path / FILE
    log.write_text(line("feed", healthy=True) + line("trouble", "error", error="no room") + line("half")[:20])
    tail.look()
    assert view.log_lines == {"info": 1, "error": 1}
    assert view.last_error is not None
    assert (view.last_error.event, view.last_error.fields) == ("trouble", {"error": "no room"})
    with log.open("a") as file:
        file.write(line("half")[20:])
    tail.look()
    assert view.log_lines == {"info": 2, "error": 1}
    tail.close()


def test_a_file_that_is_renamed_is_read_to_its_end_first(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    tail = LogTail(view)
    log = tmp_path / FILE
    log.write_text(line("one"))
    tail.look()
    with log.open("a") as file:
        file.write(line("two", "warning"))
    log.rename(tmp_path / f"{FILE}.1")
    log.write_text(line("three", "error"))
    while tail.look():
        pass
    assert view.log_lines == {"info": 1, "warning": 1, "error": 1}
    log.write_text(line("4"))  # cut, and begun anew
    for _ in range(3):
        tail.look()
    assert view.log_lines["info"] == 2
    tail.close()


def test_the_order_channel_is_as_the_last_line_about_it_says(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    tail = LogTail(view)

    def is_up(text: str = "") -> bool | None:
        with (tmp_path / FILE).open("a") as file:
            file.write(text)
        tail.look()
        return view.order_channel_up

    assert is_up() is None
    assert is_up(line("order channel", "warning", up=False, why="refused") + line("feed", up=True)) is False
    take_note(
        view, note(STARTED, 0, 7, wall_ns=LINE_NS - 1), 1, NewsDesk(view)
    )  # the journal may be read behind the log
    assert is_up() is False
    take_note(view, note(STARTED, 0, 8, wall_ns=LINE_NS + 1), 2, NewsDesk(view))
    assert is_up() is None  # that was the process before
    assert is_up(line("order channel", up=False)) is None
    tail.close()


@pytest.mark.parametrize(
    ("event", "fields", "trade", "other"),
    [
        (
            Kind.FOREIGN_TRADE,
            {"symbol": "NIFTY07OCT2524900CE", "quantity": 1500, "words": "buy 1500 at 99.50 (order 77)"},
            "bought 1,500 NIFTY07OCT2524900CE, buy 1500 at 99.50 (order 77)",
            "",
        ),
        (Kind.FOREIGN_TRADE, {"token": "3045", "quantity": -75}, "sold 75 3045", ""),
        (Kind.FOREIGN_TRADE, {"symbol": "A", "words": "buy 5\nsell 5"}, "traded A, buy 5 sell 5", ""),
        (Kind.FOREIGN_TRADE, {"quantity": "many", "words": None}, "traded", ""),
        (Kind.POSITION_DIFFERS, {"symbol": "A", "quantity": -75}, "", f"{Kind.POSITION_DIFFERS}: -75 A"),
        (
            Kind.ORDER_DIFFERS,
            {"order_id": 5, "words": "150, not 75"},
            "",
            f"{Kind.ORDER_DIFFERS}: order 5, 150, not 75",
        ),
        (Kind.STRANGE_ORDER, {"symbol": "A", "quantity": -75}, "", f"{Kind.STRANGE_ORDER}: sell 75 A"),
        (Kind.ORPHAN, {"order_id": 5, "quantity": 75, "symbol": "A"}, "", f"{Kind.ORPHAN}: order 5 buy 75 A"),
        (Kind.LOST_ENTRY, {"order_id": 5, "quantity": 75, "symbol": "A"}, "", f"{Kind.LOST_ENTRY}: order 5 75 A"),
        (Kind.FOREIGN_SALE, {"symbol": "A", "quantity": 75}, "", ""),
        ("feed", {"symbol": "A", "healthy": True}, "", ""),
    ],
)
def test_what_the_brokers_books_have_is_named(
    tmp_path: Path, event: str, fields: dict[str, Any], trade: str, other: str
) -> None:
    view = view_of(tmp_path)
    tail = LogTail(view)
    (tmp_path / FILE).write_text(line(event, "error", **fields))
    tail.look()
    trades = [each.text for each in view.differences if each.halts_by == codes.BY_FOREIGN_TRADE]
    others = [each.text for each in view.differences if each.halts_by != codes.BY_FOREIGN_TRADE]
    assert (trades, others) == ([trade] if trade else [], [other] if other else [])
    assert {each.wall_ns for each in view.differences} <= {LINE_NS}
    tail.close()


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"7",
        b'{"time": "now", "level": "info", "event": "x"}',
        b'{"level": "info"}',
        b"\xff\xfe",
        b"[" * 9999,
    ],
)
def test_what_is_no_line_is_none(text: bytes, tmp_path: Path) -> None:
    assert parsed(text) is None
    view = view_of(tmp_path)
    (tmp_path / FILE).write_bytes(text + b"\n")
    LogTail(view).look()
    assert view.log_lines == {"damaged": 1}


def test_a_time_is_read_to_the_nanosecond() -> None:
    assert time_ns_of("2025-10-03T03:51:07.120400300Z") == 1_759_463_467_120_400_300
    assert time_ns_of("1970-01-01T00:00:01Z") == 10**9
