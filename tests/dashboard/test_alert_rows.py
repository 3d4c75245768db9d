"""Alerts and messages as rows: what is shown of each, in which order, and which of those that are over."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.made_views import NOON, SECOND
from monitor.told import IST
from myquant.dashboard.alert_rows import (
    ACTIVE_COLUMNS,
    CHANNEL_COLUMNS,
    HISTORY_COLUMNS,
    SEEN_COLUMNS,
    SENT_COLUMNS,
    HistoryQuery,
    active_row,
    channel_row,
    over_row,
    seen_row,
    sent_row,
    sorted_out,
    when,
)
from myquant.dashboard.components import Cell, Row
from myquant.monitor.alert import Alert
from myquant.monitor.alert_list import ChannelState, Sent

ALERT = Alert(1, "feed_stale", "monday", "", "warning", "the feed is stale", "look at it", NOON, NOON)


def alert(number: int = 1, **facts: Any) -> Alert:
    return replace(ALERT, number=number, **facts)


def texts(row: Row) -> list[str]:
    return [cell.text if isinstance(cell, Cell) else cell for cell in row[1]]


def test_what_nobody_sees_to_comes_first_and_the_gravest_of_it() -> None:
    found = sorted_out(
        [
            alert(1),
            alert(2, severity="critical"),
            alert(3, acknowledged_ns=NOON),
            alert(4, resolved_ns=NOON + SECOND),
            alert(5, resolved_ns=NOON + 2 * SECOND),
            alert(6, severity="of another version"),
            alert(7, since_ns=NOON + SECOND),
        ]
    )
    assert [each.number for each in found.active] == [6, 2, 7, 1]
    assert [each.number for each in found.seen] == [3]
    assert [each.number for each in found.over] == [5, 4]


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "firing"),
        ({"ended_ns": NOON}, "over: it may come back"),
        ({"ended_ns": NOON, "end": "the session has left"}, "over: the session has left"),
    ],
)
def test_how_an_alert_stands_is_said(facts: dict[str, Any], state: str) -> None:
    assert texts(active_row(alert(**facts), IST))[2] == state


def test_rows_fill_their_columns_and_say_what_is_known() -> None:
    seen = alert(subject="x", acknowledged_ns=NOON + SECOND, note="<b>", comebacks=2)
    assert texts(seen_row(seen, IST)) == [
        "▲ warning", "1", "firing", "2025-10-03 12:00:00 IST", "monday", "feed_stale x: the feed is stale",
        "look at it", "2", "2025-10-03 12:00:01 IST", "<b>",
    ]  # fmt: skip
    over = alert(session="", resolved_ns=NOON + SECOND, ended_ns=NOON, end="the rule is switched off")
    assert texts(over_row(over, IST))[3:6] == [
        "2025-10-03 12:00:00 IST",
        "ended: the rule is switched off",
        "the machine, the monitor",
    ]
    rows = {
        ACTIVE_COLUMNS: active_row(alert(), IST),
        SEEN_COLUMNS: seen_row(seen, IST),
        HISTORY_COLUMNS: over_row(over, IST),
        CHANNEL_COLUMNS: channel_row(ChannelState("mail", 1, 2, 3, None, None, ""), IST),
        SENT_COLUMNS: sent_row(Sent(1, "mail", "info", "t", NOON, "waiting", 0, None, None, ""), IST),
    }
    assert all(len(columns) == len(row[1]) for columns, row in rows.items())


@pytest.mark.parametrize(
    ("delivered_ns", "failed_ns", "style"), [(None, NOON, "failed"), (NOON + 1, NOON, ""), (NOON, None, "")]
)
def test_a_channel_fails_until_it_has_delivered_again(
    delivered_ns: int | None, failed_ns: int | None, style: str
) -> None:
    cell = channel_row(ChannelState("mail", 0, 1, 0, delivered_ns, failed_ns, "http 401"), IST)[1][-1]
    assert isinstance(cell, Cell)
    assert (cell.style, "http 401" in cell.text) == (style, failed_ns is not None)


@pytest.mark.parametrize("time_ns", [None, 10**30, -(10**30)])
def test_a_time_that_is_none_is_a_dash(time_ns: int | None) -> None:
    assert when(time_ns, IST) == "–"


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, True),
        ({"text": "STALE"}, True),
        ({"text": "seen by"}, True),
        ({"text": "other"}, False),
        ({"severity": "warning"}, True),
        ({"severity": "info"}, False),
        ({"severity": "none"}, True),
        ({"session": "mon"}, True),
        ({"session": "tue"}, False),
    ],
)
def test_the_history_is_searched(params: dict[str, str], wanted: bool) -> None:
    assert HistoryQuery.of(params).has(alert(note="seen by me")) == wanted


@pytest.mark.parametrize(("page", "number"), [("2", 2), ("0", 1), ("-1", 1), ("x", 1), ("9" * 30, 1), ("٣", 1)])
def test_a_page_is_a_number(page: str, number: int) -> None:
    assert HistoryQuery.of({"page": page}).page == number


def test_the_address_of_a_page_keeps_what_was_asked() -> None:
    query = HistoryQuery.of({"text": "a&b", "session": "x y"})
    assert query.url(3) == "/alerts?text=a%26b&session=x+y&page=3#history"
