import json
from pathlib import Path
from typing import Any

import pytest

from monitor.watched import view_of
from myquant.core import codes
from myquant.monitor.log_tail import LogTail, parsed, time_ns_of
from myquant.session.log_files import FILE
from myquant.session.reconciliation import Kind


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
    tail.look()
    before = view.order_channel_up
    assert before is None
    (tmp_path / FILE).write_text(line("order channel", "warning", up=False, why="refused") + line("feed", up=True))
    tail.look()
    assert view.order_channel_up is False
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
    assert {each.wall_ns for each in view.differences} <= {time_ns_of("2025-10-03T03:51:07.120400300")}
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
