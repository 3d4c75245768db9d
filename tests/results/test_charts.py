"""The figures of the report's charts: what they hold, and never too much of it."""

import json
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.core import codes
from myquant.results import charts
from myquant.results.curve import equity_curve
from myquant.results.record import RunRecord
from results.sample import DAY_1, DAY_2, LOT, TWO_POSITIONS, Held, Out, at, make_record, rich_record

MOST_POINTS = 20_000


def named(figure: charts.Figure) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure["data"]}


def points(figure: charts.Figure) -> int:
    return sum(len(trace["x"]) for trace in figure["data"])


def crowded(marks: int, trades: int) -> RunRecord:
    """Return a record with many more rows than a chart takes."""
    record = make_record(TWO_POSITIONS)
    many_marks = np.resize(record.marks, marks)
    many_marks["time_ns"] = at("09:15:00") + np.arange(marks) * 10**9
    many_marks["price"] = 20_000 + np.arange(marks) % 977
    many_marks["sequence"] = np.arange(marks)
    many_trades = np.resize(record.trades, trades)
    many_trades["net"] = np.arange(trades)
    many_trades["position_id"] = np.arange(trades)
    openings = np.resize(record.openings, trades)
    openings["position_id"] = np.arange(trades)
    return replace(record, marks=many_marks, trades=many_trades, openings=openings)


@given(st.lists(st.integers(-(10**6), 10**6), max_size=300), st.integers(2, 60))
def test_thinning_keeps_order_extremes_and_limit(values: list[int], limit: int) -> None:
    series = np.array(values, dtype=np.int64)
    kept = charts.thin(series, limit)
    assert len(kept) <= max(limit, 0)
    assert (np.diff(kept) > 0).all()
    if values:
        assert {series.min(), series.max()} <= set(series[kept].tolist())


def test_a_short_series_is_kept_whole() -> None:
    assert charts.thin(np.array([3, 1, 2]), 3).tolist() == [0, 1, 2]


def test_times_are_those_of_the_session_clock() -> None:
    figure = charts.price_figure(make_record(TWO_POSITIONS), 0, [])
    nine_twenty_two = np.datetime64("2025-10-03T09:22:00", "ms").astype(int)
    assert named(figure)["Take profit 1"]["x"] == [nine_twenty_two]
    assert named(figure)["Take profit 1"]["y"] == [295.05]


def test_an_exit_tells_its_number_quantity_and_result() -> None:
    traces = named(charts.price_figure(make_record(TWO_POSITIONS), 0, []))
    assert traces["Stop loss"]["text"] == ["<b>Trade 3</b> · Stop loss<br>sold 75 at 285.00<br>net −₹1,125.00"]
    assert traces["Entry"]["text"][0] == "<b>Position 1</b><br>bought 150 at 290.05<br>stop 275.05"


def test_every_exit_reason_has_a_mark_that_tells_it_from_all_others() -> None:
    outs = [Out("10:00:01", 20_000, LOT, reason) for reason in codes.EXIT_NAMES]
    figure = charts.price_figure(make_record([Held("10:00:00", 20_000, LOT * len(outs), outs)]), 0, [])
    looks = [
        (trace["marker"]["symbol"], trace["marker"]["color"]) for trace in figure["data"] if trace["mode"] == "markers"
    ]
    assert len(set(looks)) == len(looks) == len(codes.EXIT_NAMES) + 1


def test_a_chart_shows_one_instrument() -> None:
    record = rich_record()
    for number in range(2):
        traces = named(charts.price_figure(record, number, []))
        assert len(traces["Entry"]["x"]) == (record.openings["instrument"] == number).sum()
        assert len(traces["Price"]["x"]) == (record.marks["instrument"] == number).sum()


def test_the_stop_is_there_to_be_switched_on() -> None:
    stops = named(charts.price_figure(make_record(TWO_POSITIONS), 0, []))["Initial stop"]
    assert stops["visible"] == "legendonly"
    assert stops["y"] == list(chain(*[[price, price, None] for price in (275.05, 275.05, 285.0)]))


def test_no_chart_has_too_many_points() -> None:
    record = crowded(50_000, 5_000)
    curve = equity_curve(record)
    assert points(charts.price_figure(record, 0, [])) <= MOST_POINTS
    assert points(charts.equity_figure(curve, record.time_zone, [])) <= MOST_POINTS


def test_of_too_many_trades_the_largest_are_drawn_with_their_entries() -> None:
    record = crowded(10, 5_000)
    drawn = charts.drawn(record.trades)
    assert drawn["net"].tolist() == list(range(5_000 - charts.MAX_TRADES, 5_000))
    assert len(named(charts.price_figure(record, 0, []))["Entry"]["x"]) == charts.MAX_TRADES


def test_nights_are_cut_out_and_no_point_lies_in_one() -> None:
    record = rich_record()
    curve = equity_curve(record)
    nights = charts.nights(record, curve)
    assert len(nights) == 1
    begin, end = nights[0]["bounds"]
    clock = charts.local_ms(curve.time_ns, record.time_zone)
    assert not ((clock >= begin) & (clock < end)).any()
    assert clock.searchsorted(begin) == clock.searchsorted(end) == (clock < begin).sum()


@pytest.mark.parametrize(("first", "second"), [("23:55:00", "00:01:00"), ("09:15:00", "09:16:00")])
def test_there_is_no_break_within_a_day_or_over_a_short_night(first: str, second: str) -> None:
    next_day = np.datetime64(DAY_1) + 1 if second < first else np.datetime64(DAY_1)
    record = make_record(days=(DAY_1,), first_ns=at(first), last_ns=at(second, next_day.item()))
    assert charts.nights(record, equity_curve(record)) == []


def test_drawdown_hangs_below_zero() -> None:
    record = make_record(TWO_POSITIONS)
    figure = charts.equity_figure(equity_curve(record), record.time_zone, [])
    assert min(named(figure)["Drawdown"]["y"]) == -1425.0
    assert max(named(figure)["Drawdown"]["y"]) == 0.0


def test_bars_tell_profit_from_loss() -> None:
    (bars,) = charts.bar_figure(["A", "B"], [1.0, -1.0], [1, 2], flat=True)["data"]
    assert bars["marker"]["color"] == ["var(--profit)", "var(--loss)"]
    assert bars["customdata"] == ["1 trade", "2 trades"]


def test_hours_are_those_of_the_session_clock() -> None:
    assert charts.hours_of_day(np.array([at("09:59:59"), at("15:00:00", DAY_2)]), "Asia/Kolkata").tolist() == [9, 15]


def test_figures_are_plain_json() -> None:
    record = rich_record()
    figure = charts.price_figure(record, 0, charts.nights(record, equity_curve(record)))
    assert json.loads(json.dumps(figure, allow_nan=False)) == figure
