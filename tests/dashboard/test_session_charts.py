import json
from dataclasses import asdict
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dashboard.made_rows import BEGAN_NS, SECOND_NS
from myquant.dashboard import charts
from myquant.dashboard.charts import DARK, LIGHT, Palette, Slip
from myquant.dashboard.series import Line, Quantiles
from myquant.dashboard.trace import ENTRY, EXIT, Mark
from myquant.dashboard.trace_rows import FLOOR, FROM_CLOCK, LEVEL_WORDS, POSITION_ID, STOP, TARGET, TO_CLOCK

INDIA = ZoneInfo("Asia/Kolkata")
MARKS = (
    Mark(ENTRY, 0, BEGAN_NS, 2_500_000, 75, 1, stop=2_499_000),
    Mark(EXIT, 0, BEGAN_NS + SECOND_NS, 2_501_000, 25, 1, "take_profit_1", 123_456),
    Mark(EXIT, 0, BEGAN_NS + 2 * SECOND_NS, 2_498_900, 50, 1, "stop_loss", -80_000),
    Mark(EXIT, 0, BEGAN_NS + 3 * SECOND_NS, 2_498_900, 50, 2, "operator", None),
)
FLOW = Line(BEGAN_NS + np.arange(3) * SECOND_NS, np.array([100, 150, -50]))
MINUTE_NS = 60 * SECOND_NS


def levels(*rows: tuple[int, int, int, int, int, int]) -> np.ndarray:
    made = np.zeros((len(rows), LEVEL_WORDS), np.int64)
    made[:, [POSITION_ID, FROM_CLOCK, TO_CLOCK, STOP, FLOOR, TARGET]] = rows
    made[:, [FROM_CLOCK, TO_CLOCK]] = BEGAN_NS + made[:, [FROM_CLOCK, TO_CLOCK]] * SECOND_NS
    return made


LEVELS = levels((1, 0, 5, 1000, 1000, 1200), (1, 5, 9, 1000, 1100, 0), (2, 20, 30, 900, 900, 1300))
QUANTILES = [
    Quantiles(MINUTE_NS, 2 * MINUTE_NS, 40, 20_000, None, None),
    Quantiles(3 * MINUTE_NS, 4 * MINUTE_NS, 5000, 0, 90_000, 400_000),
]


def every_chart(palette: Palette) -> dict[str, charts.Options]:
    price = [
        charts.price_series(FLOW, INDIA, palette),
        charts.price_series(FLOW, INDIA, palette, tail=True),
        *charts.level_series(LEVELS, INDIA, palette),
        *charts.mark_series(MARKS, INDIA, palette),
    ]
    pnl = charts.pnl_series(FLOW, FLOW, INDIA, palette) + charts.pnl_series(FLOW, FLOW, INDIA, palette, tail=True)
    slips = [Slip(BEGAN_NS, role, 0.5, "bought 75") for role in charts.ROLES]
    drawn = {
        "price": (charts.price_chart("NIFTY", INDIA, palette), price),
        "pnl": (charts.pnl_chart(INDIA, palette), pnl),
        "latency": (charts.latency_chart(INDIA, palette), charts.latency_series(QUANTILES, INDIA, palette)),
        "slippage": (charts.slippage_chart(INDIA, palette), charts.slippage_series(slips, INDIA, palette)),
    }
    return {name: chart | {"series": series} for name, (chart, series) in drawn.items()}


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_charts_are_plain_json_and_each_series_has_a_name_of_its_own(palette: Palette) -> None:
    for name, chart in every_chart(palette).items():
        assert json.loads(json.dumps(chart, allow_nan=False)) == chart, name
        identities = [series["id"] for series in chart["series"]]
        assert len(set(identities)) == len(identities) > 1
        assert all(series["name"] for series in chart["series"])
        assert chart["aria"]["label"]["description"]
        clocks = chart["xAxis"] if isinstance(chart["xAxis"], list) else [chart["xAxis"]]
        assert "Asia/Kolkata" in clocks[-1]["name"]
        assert chart["useUTC"] is True
        assert chart["dataZoom"]


def test_what_lies_on_one_picture_can_be_told_without_colour() -> None:
    chart = every_chart(LIGHT)
    for name in ("price", "pnl", "latency"):
        lines = [series for series in chart[name]["series"] if series["type"] == "line" and "_now" not in series["id"]]
        dashes = [json.dumps(series["lineStyle"]["type"]) for series in lines]
        assert len(set(dashes)) == len(dashes) > 1, name
    for name in ("price", "slippage"):
        shapes = [series["symbol"] for series in chart[name]["series"] if series["type"] == "scatter"]
        assert len(set(shapes)) == len(shapes) > 1, name


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_colours_stand_out_from_the_ground(palette: Palette) -> None:
    colours = asdict(palette)
    ground = luminance(colours.pop("ground"))
    assert luminance(colours.pop("grid")) != ground
    for name, colour in colours.items():
        high, low = sorted((luminance(colour), ground), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, name
    assert all(one != other for one, other in combinations(colours.values(), 2))


def luminance(colour: str) -> float:
    """Return the relative luminance of sRGB, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_times_are_those_of_the_sessions_clock() -> None:
    nine_fifteen_ms = (9 * 60 + 15) * 60_000
    first, *_ = charts.points(FLOW, INDIA, 100)
    assert first[0] is not None
    assert first[0] % 86_400_000 == nine_fifteen_ms
    assert [value for _, value in charts.points(FLOW, INDIA, 100)] == [1.0, 1.5, -0.5]


def seconds(data: Any) -> list[tuple[int, float | None]]:
    begin = charts.points(FLOW, INDIA, 1)[0][0]
    return [(int(at - begin) // 1000, value) for at, value in data]


def test_levels_are_steps_that_break_between_positions_and_where_there_is_none() -> None:
    stop, floor, target = (seconds(series["data"]) for series in charts.level_series(LEVELS, INDIA, LIGHT))
    assert stop == [(0, 10), (5, 10), (5, 10), (9, 10), (20, None), (20, 9), (30, 9)]
    assert floor == [(5, 11), (9, 11)]
    assert target == [(0, 12), (5, 12), (20, None), (20, 13), (30, 13)]


def test_marks_say_what_they_were() -> None:
    texts = {
        series["name"]: [point["name"] for point in series["data"]]
        for series in charts.mark_series(MARKS, INDIA, LIGHT)
    }
    assert texts == {
        "Entry": ["bought 75"],
        "Exit: take profit 1": ["take profit 1 +1,234.56"],
        "Exit: stop loss": ["stop loss \N{MINUS SIGN}800.00"],
        "Exit: operator": ["operator \N{EN DASH}"],
    }
    many = charts.mark_series(MARKS * 20, INDIA, LIGHT)
    assert [series["label"]["show"] for series in many] == [False] * 4


def test_latencies_break_where_nothing_came_and_show_how_many_there_were() -> None:
    p50, p99, p99_9 = (series["data"] for series in charts.latency_series(QUANTILES, INDIA, LIGHT))
    assert [row[1:] for row in p50] == [[20.0, 40], [None, None], [0.001, 5000]]
    assert [row[1:] for row in p99] == [[None, 40], [None, None], [90.0, 5000]]
    assert [row[1] for row in p99_9] == [None, None, 400.0]


def test_a_drawdown_is_drawn_downwards() -> None:
    _, drawdown = charts.pnl_series(FLOW, FLOW, INDIA, LIGHT)
    assert [value for _, value in drawdown["data"]] == [-1.0, -1.5, 0.5]
