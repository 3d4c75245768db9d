from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dashboard.made_rows import BEGAN_NS, DAY_NS, SECOND_NS, Made, session
from dashboard.test_trace import taken
from myquant.core import codes
from myquant.dashboard import chart_tables, session_charts
from myquant.dashboard.chart_tables import latency_rows, pnl_rows, price_rows
from myquant.dashboard.charts import LIGHT
from myquant.dashboard.pages_session import ALL_DAYS, range_of, refusal_rows, span_rows, trade_rows
from myquant.dashboard.series import Quantiles, latency_line
from myquant.dashboard.session_charts import (
    BASE_S,
    EVER,
    POINTS_MAX,
    LatencyPicture,
    Picture,
    PnlPicture,
    PricePicture,
    Range,
    percents,
)
from myquant.dashboard.session_log import LINES_SHOWN, LogEnd
from myquant.dashboard.trace import Trace
from myquant.dashboard.trace_rows import MINUTE_NS

INDIA = ZoneInfo("Asia/Kolkata")


def quiet(seconds: int, begin: int = 0) -> Made:
    """Return a tick and an account a second."""
    made = Made()
    made.inputs = begin
    for second in range(begin, begin + seconds):
        at = BEGAN_NS + second * SECOND_NS
        made.event(codes.TICK, time_ns=at, receive_ns=at + 1000, price=100 + second % 7, volume=1)
        made.note(3, 0, 0, at, 0, 0, 0, 0, 0, at)
        made.ledger(at, equity=10**6 + second, day_pnl=second, drawdown=second % 5)
    return made


def pictures() -> list[Picture]:
    return [
        PricePicture(INDIA, LIGHT, 0, "NIFTY"),
        PnlPicture(INDIA, LIGHT),
        LatencyPicture(INDIA, LIGHT, "feed"),
    ]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_base_and_tail_are_all_of_it_as_it_grows_and_an_update_is_small(place: int) -> None:
    trace, picture = Trace(("NIFTY",), INDIA), pictures()[place]
    trace.take(quiet(600).rows())
    drawn = {series["id"]: series["data"] for series in picture._base(trace) + picture._tail(trace)}
    bases = 0
    for second in range(600, 780):
        trace.take(quiet(1, second).rows())
        if picture._is_base_old(trace):
            bases += 1
            drawn |= {series["id"]: series["data"] for series in picture._base(trace)}
        sent = picture._tail(trace)
        assert sum(len(series["data"]) for series in sent) <= 6 * BASE_S
        drawn |= {series["id"]: series["data"] for series in sent}
    assert 2 <= bases <= 4
    fresh = pictures()[place]
    whole = {series["id"]: series["data"] for series in fresh._base(trace) + fresh._tail(trace)}
    for name in {name.removesuffix("_now") for name in drawn}:
        found, wanted = (
            {
                tuple(point[:2])
                for each in (name, f"{name}_now")
                for point in of.get(each, [])
                if isinstance(point, list)
            }
            for of in (drawn, whole)
        )
        assert found == wanted, name


def two_days() -> tuple[Trace, int]:
    """Return ten hours of one day and some minutes of the next by the exchange's clock; how far the machine's is ahead of it, ns.

    Before the first packet of each day the session took the machine's clock for the exchange's, for longer than a tail.
    """
    made, ahead_ns = Made(), 400 * DAY_NS
    for begin_ns, minutes in ((BEGAN_NS, 600), (BEGAN_NS + DAY_NS, 5)):
        for early in range(-2 * BASE_S, 0):
            wall_ns = begin_ns + ahead_ns + early * SECOND_NS
            made.note(3, 0, 0, wall_ns, 0, 0, 0, 0, 0, wall_ns)
            made.ledger(wall_ns, equity=10**6)
        for minute in range(minutes):
            at = begin_ns + minute * MINUTE_NS
            made.event(codes.TICK, time_ns=at, receive_ns=at + ahead_ns, price=100, volume=1)
            made.note(3, 0, 0, at + ahead_ns, 0, 0, 0, 0, 0, at)
            made.ledger(at + ahead_ns, equity=10**6 + minute, day_pnl=minute)
    trace = Trace(("NIFTY",), INDIA)
    trace.take(made.rows())
    return trace, ahead_ns


@pytest.mark.parametrize(("day", "minutes"), [("2025-10-03", 600), ("2025-10-04", 5), (ALL_DAYS, 605)])
def test_each_minute_of_the_chosen_day_stands_by_itself(
    monkeypatch: pytest.MonkeyPatch, day: str, minutes: int
) -> None:
    trace, _ = two_days()
    asked: list[list[int]] = []

    def noted(trace: Trace, stage: str, chosen: list[int], most: int) -> list[Quantiles]:
        asked.append(chosen)
        return latency_line(trace, stage, chosen, most)

    monkeypatch.setattr(session_charts, "latency_line", noted)
    picture = LatencyPicture(INDIA, LIGHT, "feed")
    picture.draw(trace, range_of(day, INDIA))
    base, tail = asked
    chosen = trace.minutes()[-5:] if minutes == 5 else trace.minutes()[:minutes]
    assert ([*base, *tail[-1:]], tail) == (chosen, chosen[-2:])
    assert not picture._is_base_old(trace)
    picture.rows(trace)
    assert asked[2] == chosen


@pytest.mark.parametrize(("day", "points"), [("2025-10-03", 600), ("2025-10-04", 5)])
def test_notes_of_before_the_first_packet_hide_none_of_those_behind(day: str, points: int) -> None:
    trace, _ = two_days()
    picture = PnlPicture(INDIA, LIGHT)
    picture.draw(trace, range_of(day, INDIA))
    assert [len(each["data"]) for each in picture._base(trace)] == [points, points]
    assert not picture._is_base_old(trace)


def test_what_was_drawn_by_the_machines_clock_is_drawn_again_once_the_exchanges_is_known() -> None:
    made, picture, trace = Made(), PnlPicture(INDIA, LIGHT), Trace(("NIFTY",), INDIA)
    for clock_ns in (BEGAN_NS + DAY_NS, BEGAN_NS):
        made.note(3, 0, 0, clock_ns, 0, 0, 0, 0, 0, clock_ns)
        made.ledger(clock_ns, equity=10**6)
        trace.take(made.rows()[-2:])
        assert picture._is_base_old(trace) is (clock_ns == BEGAN_NS)
        picture.draw(trace, EVER)
    assert not picture._is_base_old(trace)


def test_no_stretch_of_the_drawdown_is_drawn_twice() -> None:
    trace, picture = Trace(("NIFTY",), INDIA), pictures()[1]
    trace.take(quiet(600).rows())
    base, tail = ({each["id"]: each["data"] for each in part} for part in (picture._base(trace), picture._tail(trace)))
    assert tail["drawdown_now"] == base["drawdown"][-1:]
    trace.take(quiet(5, 600).rows())
    later = {each["id"]: each["data"] for each in picture._tail(trace)}
    assert (later["drawdown_now"][0], len(later["drawdown_now"])) == (base["drawdown"][-1], 6)


def test_a_zoom_shows_more_points_of_what_is_looked_at() -> None:
    trace, picture = Trace(("NIFTY",), INDIA), pictures()[0]
    trace.take(quiet(6 * POINTS_MAX).rows())
    coarse = picture._base(trace)[0]["data"]
    assert len(coarse) <= POINTS_MAX
    picture._zoom = Range(BEGAN_NS + 1000 * SECOND_NS, BEGAN_NS + 1500 * SECOND_NS)
    fine = picture._base(trace)[0]["data"]
    assert len(fine) <= POINTS_MAX
    begin, end = coarse[0][0] + 1000 * 1000, coarse[0][0] + 1500 * 1000
    count_of = [sum(begin <= point[0] <= end for point in points) for points in (coarse, fine)]
    assert count_of[1] == 501 > 2 * count_of[0]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"start": 10, "end": 20.5}, (10.0, 20.5)),
        ({"batch": [{"start": 0, "end": 100}]}, (0.0, 100.0)),
        ({"batch": []}, None),
        ({"start": 20, "end": 10}, None),
        ({"start": -1, "end": 10}, None),
        ({"start": "1", "end": 10}, None),
        ({"batch": ["no"]}, None),
        ([1, 2], None),
        (None, None),
    ],
)
def test_what_a_browser_says_of_its_zoom(told: object, expected: tuple[float, float] | None) -> None:
    assert percents(told) == expected


def test_marks_of_another_day_go() -> None:
    made = Made()
    made.command(codes.POSITION_OPENED, time_ns=BEGAN_NS, price=100, quantity=75)
    made.command(codes.TRADE_CLOSED, time_ns=BEGAN_NS + SECOND_NS, price=110, quantity=75, reason=codes.TAKE_PROFIT)
    made.command(codes.POSITION_OPENED, time_ns=BEGAN_NS + DAY_NS, price=100, quantity=75)
    trace, picture = taken(made.rows()), PricePicture(INDIA, LIGHT, 0, "NIFTY")
    drawn: dict[str, int] = {}
    for day in range(2):
        picture._whole, picture._marks = Range(BEGAN_NS + day * DAY_NS, BEGAN_NS + day * DAY_NS + 60 * SECOND_NS), -1
        drawn |= {series["id"]: len(series["data"]) for series in picture._new_marks(trace)}
        assert drawn == {"mark_entry": 1, "mark_take_profit_1": 1 - day}


def test_days_are_known_as_they_come() -> None:
    trace = Trace(("NIFTY",), INDIA)
    for day in range(3):
        made = Made()
        made.event(codes.TICK, time_ns=BEGAN_NS + day * DAY_NS, price=100, volume=1)
        trace.take(made.rows())
        assert (len(trace.days()), trace.has_days) == (day + 1, day > 0)


def test_tables_have_the_figures_of_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_tables, "ROWS_MAX", 2)
    trace = Trace(("NIFTY",), INDIA)
    trace.take(quiet(10).rows())
    assert [cells for _, cells in price_rows(trace.bars(0), INDIA)] == [
        ("09:15:00 IST", "1.00", "1.04", "1.00", "1.04", "5"),
        ("09:15:05 IST", "1.05", "1.06", "1.00", "1.02", "5"),
    ]
    assert [cells for _, cells in pnl_rows(trace.ledgers(), INDIA)] == [
        ("09:15:00 IST", "0.00", "0.00", "10,000.00"),
        ("09:15:09 IST", "+0.09", "0.04", "10,000.09"),
    ]
    ((_, cells),) = latency_rows(latency_line(trace, "feed", trace.minutes(), 9), INDIA)
    assert cells == ("09:15:00 IST", "10", "1 us", "\N{EN DASH}", "\N{EN DASH}")
    assert latency_rows([Quantiles(0, 1, 5, 7, None, None)] * 3, INDIA)[2:] == []
    assert price_rows(trace.bars(0)[:0], INDIA) == pnl_rows(trace.ledgers()[:0], INDIA) == []


def test_rows_of_the_page_have_keys_of_their_own() -> None:
    trace = taken(session(1).rows())
    for rows in (trade_rows(trace), refusal_rows(trace), span_rows(trace)):
        assert len({key for key, _ in rows}) == len(rows) > 3
    assert {len(cells) for _, cells in trade_rows(trace)} == {6}


def test_rows_say_why_and_until_when() -> None:
    made = Made()
    made.command(codes.HALTED, time_ns=BEGAN_NS, reason=codes.BY_DAY_LOSS)
    made.event(codes.FEED_STATUS, time_ns=BEGAN_NS, code=codes.FEED_IS_STALE)
    made.event(codes.FEED_STATUS, time_ns=BEGAN_NS + SECOND_NS, code=codes.FEED_HEALTHY)
    made.command(codes.DENIED, time_ns=BEGAN_NS, reason=codes.CASH)
    trace = taken(made.rows())
    assert [cells for _, cells in span_rows(trace)] == [
        ("feed stale", "\N{EN DASH}", "09:15:00 IST", "09:15:01 IST"),
        ("entries halted", "Day loss", "09:15:00 IST", "it goes on"),
    ]
    assert [cells for _, cells in refusal_rows(trace)] == [("entry denied", "Cash", "1", "09:15:00 IST")]


def test_an_outage_from_before_the_exchanges_clock_was_known_says_so() -> None:
    made = Made()
    made.event(
        codes.FEED_STATUS, time_ns=BEGAN_NS + 400 * 86_400 * SECOND_NS, code=codes.FEED_IS_STALE
    )  # the machine's
    made.event(codes.FEED_STATUS, time_ns=BEGAN_NS, code=codes.FEED_HEALTHY)
    ((_, cells),) = span_rows(taken(made.rows()))
    assert cells == ("feed stale", "\N{EN DASH}", "before the first packet", "09:15:00 IST")


def test_a_day_is_one_of_the_sessions_zone() -> None:
    begin, end = range_of("2025-10-03", INDIA)
    assert begin == int(datetime(2025, 10, 3, tzinfo=INDIA).timestamp()) * SECOND_NS
    assert end - begin == 86_400 * SECOND_NS - 1
    assert range_of(ALL_DAYS, INDIA) == EVER


def test_the_end_of_a_log_is_searched_by_level_and_text(tmp_path: Path) -> None:
    end = LogEnd(tmp_path)
    assert end.read() == 0
    line = '{"time": "2025-10-03T03:45:00.000000Z", "level": "%s", "event": "%s", "at": %d}\n'
    path = tmp_path / "log.jsonl"
    path.write_text(
        line % ("info", "begun", 1) + line % ("debug", "seen", 2) + "damaged\n" + line % ("error", "GONE", 3)
    )
    assert end.read() == 4
    shown = end.newest("info", "", INDIA)
    assert [event.cells[1:3] for event in shown] == [("error", "GONE"), ("no line of a log", ""), ("info", "begun")]
    assert shown[0].cells == ("2025-10-03 09:15:00.000000 IST", "error", "GONE", "at 3")
    assert [event.number for event in end.newest("debug", "gone", INDIA)] == [3]
    assert [event.number for event in end.newest("warning", "begun", INDIA)] == []
    with path.open("a") as log:
        log.write(line % ("info", "more", 4) * (LINES_SHOWN + 5))
    assert end.read() == LINES_SHOWN + 9
    assert len(end.newest("debug", "", INDIA)) == LINES_SHOWN
    end.close()
