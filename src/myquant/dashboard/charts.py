"""A session's pictures for ECharts: what series are drawn in, and the series, as plain dictionaries of texts, numbers and lists.

Each can be read without colour: lines differ by their dashes, marks by their shapes, and all have names. Times are milliseconds of the
session's clock, which the browser is told to show as they are (`useUTC`). Prices and money are rupees. Series have an `id`, by
which an update replaces just these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from myquant.brokers.packets import PRICE_END
from myquant.dashboard.series import Line, Quantiles
from myquant.dashboard.trace import ENTRY, Mark
from myquant.dashboard.trace_rows import FLOOR, FROM_CLOCK, POSITION_ID, STOP, TARGET, TO_CLOCK, Words
from myquant.results.charts import local_ms
from myquant.results.text import label, signed

Options = dict[str, Any]
Points = list[list[float | None]]

MARKS_NAMED_MAX: Final = 16  # more of them have their names on touch only
DASHES: Final[Mapping[str, str | list[int]]] = {
    "stop": "dashed",
    "floor": "dotted",
    "target": [10, 4, 2, 4],
    "p50": "solid",
    "p99": "dashed",
    "p99_9": "dotted",
}
SHAPES: Final = {
    ENTRY: "triangle",
    "stop_loss": "rect",
    "trailing_stop": "arrow",
    "take_profit": "diamond",
    "session_end": "circle",
    "day_loss": "roundRect",
}
OTHER_SHAPE: Final = "pin"
QUANTILE_SHAPES: Final = {"p50": "circle", "p99": "triangle", "p99_9": "diamond"}
QUANTILE_NAMES: Final = {"p50": "p50", "p99": "p99", "p99_9": "p99.9"}
ROLES: Final = {ENTRY: "triangle", "exit": "diamond", "stop": "rect"}


@dataclass(frozen=True)
class Palette:
    """Colours of a theme. Each has a contrast of 4.5 or more with `ground`."""

    ground: str
    ink: str
    quiet: str
    grid: str  # of lines that only help
    price: str
    good: str
    bad: str
    warn: str
    other: str


LIGHT: Final = Palette(
    "#ffffff", "#17202a", "#4a5765", "#c3ccd5", "#0b4f9e", "#11622f", "#a8161c", "#8a4b00", "#6a2c91"
)
DARK: Final = Palette("#11161c", "#e8edf2", "#a9b6c3", "#3b4855", "#8cc1ff", "#6fd492", "#ff8f8a", "#ffb75e", "#d3a6f5")


class Slip(NamedTuple):
    """What an order's fills cost against a price, rupees a unit: positive is worse."""

    time_ns: int  # exchange time of the decision
    role: str  # entry, exit or stop
    points: float
    text: str  # what it was, in words


def price_chart(symbol: str, zone: ZoneInfo, palette: Palette) -> Options:
    """Return what the series of a price are drawn in (`price_series`, `level_series`, `mark_series`)."""
    text = f"Price of {symbol} over time, with entries, exits, stop, trailing stop and target. The table below has the figures."
    chart = _chart(zone, palette, text)
    chart["yAxis"] = _axis("Price, Rs", palette)
    return chart


def price_series(line: Line, zone: ZoneInfo, palette: Palette, *, tail: bool = False) -> Options:
    """Return a price as a line; `tail`: its newest part, which an update replaces."""
    return _line("price_now" if tail else "price", "Price", points(line, zone, 100), palette.price, "solid")


def level_series(levels: Words, zone: ZoneInfo, palette: Palette, *, tail: bool = False) -> list[Options]:
    """Return stop, trailing stop and target as steps; nothing is drawn between positions and where there is none.

    `tail`: the newest part.
    """
    behind = "_now" if tail else ""
    stop, floor, target = levels[:, STOP], levels[:, FLOOR], levels[:, TARGET]
    kinds = (
        ("stop", "Stop", stop, palette.bad),
        ("floor", "Trailing stop", np.where(floor > stop, floor, 0), palette.warn),
        ("target", "Target", target, palette.good),
    )
    return [
        _line(f"{name}{behind}", text, _steps(levels, prices, zone), colour, DASHES[name])
        for name, text, prices, colour in kinds
    ]


def mark_series(marks: Sequence[Mark], zone: ZoneInfo, palette: Palette) -> list[Options]:
    """Return entries and exits, those of each reason with a shape of their own; their texts stand beside them while they are few."""
    groups: dict[str, list[Mark]] = {ENTRY: []}
    for mark in marks:
        groups.setdefault(mark.reason or mark.what, []).append(mark)
    return [
        {
            "id": f"mark_{reason}",
            "name": "Entry" if reason == ENTRY else f"Exit: {label(reason).lower()}",
            "type": "scatter",
            "symbol": shape_of(reason),
            "symbolSize": 13,
            "symbolKeepAspect": True,
            "symbolRotate": 180 if reason == "trailing_stop" else 0,
            "itemStyle": {"color": palette.ground, "borderColor": _colour_of(reason, palette), "borderWidth": 2},
            "label": {
                "show": len(marks) <= MARKS_NAMED_MAX,
                "formatter": "{b}",
                "position": "bottom" if reason == ENTRY else "top",
                "color": palette.ink,
                "fontSize": 11,
            },
            "labelLayout": {"hideOverlap": True},
            "z": 5,
            "data": [
                {
                    "name": mark_text(mark),
                    "value": [at, mark.price / 100],
                    "label": {"formatter": _short_text(mark)},
                }
                for at, mark in zip(_ms([mark.time_ns for mark in of_reason], zone), of_reason, strict=True)
            ],
        }
        for reason, of_reason in groups.items()
    ]


def mark_text(mark: Mark) -> str:
    """Return an entry or exit in a few words."""
    if mark.what == ENTRY:
        return f"bought {mark.quantity:,}"
    return f"{label(mark.reason or mark.what).lower()} {signed(None if mark.net is None else mark.net / 100)}"


def _short_text(mark: Mark) -> str:
    """Return what stands beside a mark: its shape says already what it is."""
    return f"{mark.quantity:,}" if mark.what == ENTRY else signed(None if mark.net is None else mark.net / 100, 0)


def shape_of(reason: str) -> str:
    """Return the shape of an entry, or of an exit by its reason."""
    return SHAPES.get("take_profit" if reason.startswith("take_profit") else reason, OTHER_SHAPE)


def pnl_chart(zone: ZoneInfo, palette: Palette) -> Options:
    """Return what the day's P&L and, below it on the same clock, the drawdown are drawn in (`pnl_series`)."""
    text = "P&L of the day and drawdown of the equity over time. The table below has the figures."
    chart = _chart(zone, palette, text)
    clock = chart["xAxis"]
    chart["grid"] = [
        {"left": 80, "right": 24, "top": 52, "height": "44%"},
        {"left": 80, "right": 24, "top": "66%", "height": "16%"},
    ]
    chart["xAxis"] = [clock | {"name": "", "axisLabel": {"show": False}}, clock | {"gridIndex": 1}]
    chart["yAxis"] = [_axis("P&L, Rs", palette), _axis("Drawdown, Rs", palette) | {"gridIndex": 1, "splitNumber": 2}]
    for zoom in chart["dataZoom"]:
        zoom["xAxisIndex"] = [0, 1]
    return chart


def pnl_series(pnl: Line, drawdown: Line, zone: ZoneInfo, palette: Palette, *, tail: bool = False) -> list[Options]:
    """Return the day's P&L and the drawdown, which is drawn downwards; `tail`: their newest part."""
    behind = "_now" if tail else ""
    low = Line(drawdown.time_ns, -drawdown.value)
    return [
        _line(f"pnl{behind}", "P&L of the day", points(pnl, zone, 100), palette.price, "solid") | {"step": "end"},
        _line(f"drawdown{behind}", "Drawdown", points(low, zone, 100), palette.bad, "dashed")
        | {"step": "end", "xAxisIndex": 1, "yAxisIndex": 1, "areaStyle": {"opacity": 0.15}},
    ]


def latency_chart(zone: ZoneInfo, palette: Palette) -> Options:
    """Return what percentiles of a stage over time are drawn in, on a logarithmic axis (`latency_series`)."""
    text = "Percentiles of the stage by minute, in microseconds. The table below has the figures."
    chart = _chart(zone, palette, text)
    chart["yAxis"] = _axis("us", palette) | {"type": "log", "minorSplitLine": {"show": False}}
    return chart


def latency_series(
    quantiles: Sequence[Quantiles],
    zone: ZoneInfo,
    palette: Palette,
    *,
    tail: bool = False,
) -> list[Options]:
    """Return p50, p99 and p99.9 with the number of values beside each.

    `tail`: the newest part.
    """
    times = _ms([each.from_ns for each in quantiles], zone)
    colours = {"p50": palette.good, "p99": palette.price, "p99_9": palette.other}
    series = []
    for name, colour in colours.items():
        values = [getattr(each, name) for each in quantiles]
        data: Points = []
        for place, (at, value, each) in enumerate(zip(times, values, quantiles, strict=True)):
            if place and quantiles[place - 1].to_ns != each.from_ns:
                data.append([at, None, None])  # nothing came for a while
            data.append([at, None if value is None else max(1, value) / 1000, each.n])
        line = _line(f"{name}_now" if tail else name, QUANTILE_NAMES[name], data, colour, DASHES[name])
        line |= {"dimensions": ["time", QUANTILE_NAMES[name], "n"], "encode": {"x": 0, "y": 1, "tooltip": [1, 2]}}
        line |= {"symbol": QUANTILE_SHAPES[name], "symbolSize": 5}
        series.append(line)
    return series


def slippage_chart(zone: ZoneInfo, palette: Palette) -> Options:
    """Return what slippage over time is drawn in (`slippage_series`); above zero is worse."""
    chart = _chart(
        zone, palette, "Slippage of each order, rupees a unit; above zero is worse than the decision counted on."
    )
    chart["yAxis"] = _axis("Rs a unit, above 0: worse", palette)
    return chart


def slippage_series(slips: Sequence[Slip], zone: ZoneInfo, palette: Palette) -> list[Options]:
    """Return one mark an order, of a shape for its role."""
    colours = {ENTRY: palette.price, "exit": palette.good, "stop": palette.bad}
    series = []
    for role, shape in ROLES.items():
        of_role = [slip for slip in slips if slip.role == role]
        data = [
            {"name": slip.text, "value": [at, slip.points]}
            for at, slip in zip(_ms([slip.time_ns for slip in of_role], zone), of_role, strict=True)
        ]
        style = {"color": palette.ground, "borderColor": colours[role], "borderWidth": 2}
        series.append(
            {"id": role, "name": label(role), "type": "scatter", "symbol": shape, "itemStyle": style, "data": data}
        )
    return series


def points(line: Line, zone: ZoneInfo, scale: int) -> Points:
    """Return a line's points as ECharts takes them, values divided by `scale`."""
    times, values = local_ms(line.time_ns, zone.key).tolist(), (line.value / scale).tolist()
    return list(map(list, zip(times, values, strict=True)))


def zone_name(zone: ZoneInfo) -> str:
    """Return how an axis of times names its zone."""
    return f"time, {zone.key}"


def _ms(times_ns: Sequence[int], zone: ZoneInfo) -> list[int]:
    return local_ms(np.array(times_ns, np.int64), zone.key).tolist()  # type: ignore[no-any-return]


def _steps(levels: Words, prices: NDArray[np.int64], zone: ZoneInfo) -> Points:
    """Return prices that stood for stretches of time as a line; it breaks where a position ends and where there is no price."""
    begins, ends = (_ms(levels[:, place].tolist(), zone) for place in (FROM_CLOCK, TO_CLOCK))
    known = (prices > 0) & (prices < PRICE_END) & (levels[:, FROM_CLOCK] > 0)
    data: Points = []
    before: int | None = None  # the position that the line is at
    for place in np.flatnonzero(known).tolist():
        position = int(levels[place, POSITION_ID])
        if data and (position != before or not known[place - 1]):
            data.append([begins[place], None])
        price, before = int(prices[place]) / 100, position
        data += [[begins[place], price], [ends[place], price]]
    return data


def _colour_of(reason: str, palette: Palette) -> str:
    if reason == ENTRY:
        return palette.price
    if reason.startswith("take_profit"):
        return palette.good
    return {"stop_loss": palette.bad, "trailing_stop": palette.warn}.get(reason, palette.other)


def _line(name: str, text: str, data: Points, colour: str, dash: str | list[int]) -> Options:
    return {
        "id": name,
        "name": text,
        "type": "line",
        "symbol": "none",
        "connectNulls": False,
        "lineStyle": {"color": colour, "width": 1.6, "type": dash},
        "itemStyle": {"color": colour},
        "data": data,
    }


def _axis(name: str, palette: Palette) -> Options:
    return {
        "type": "value",
        "name": name,
        "scale": True,
        "nameTextStyle": {"color": palette.quiet, "align": "left"},
        "axisLabel": {"color": palette.quiet},
        "axisLine": {"lineStyle": {"color": palette.quiet}},
        "splitLine": {"lineStyle": {"color": palette.grid}},
    }


def _chart(zone: ZoneInfo, palette: Palette, description: str) -> Options:
    clock = _axis(zone_name(zone), palette) | {"type": "time", "nameLocation": "middle", "nameGap": 26}
    clock["nameTextStyle"] = {"color": palette.quiet}
    clock["splitLine"] = {"show": False}
    return {
        "useUTC": True,
        "animation": False,
        "backgroundColor": palette.ground,
        "textStyle": {"color": palette.ink},
        "aria": {"enabled": True, "label": {"description": description}},
        "grid": {"left": 80, "right": 24, "top": 52, "bottom": 84},
        "legend": {"top": 0, "type": "scroll", "textStyle": {"color": palette.ink}, "itemWidth": 30},
        "tooltip": {
            "trigger": "axis",
            "backgroundColor": palette.ground,
            "borderColor": palette.quiet,
            "textStyle": {"color": palette.ink},
        },
        "xAxis": clock,
        "dataZoom": [
            {"type": "inside", "filterMode": "none"},
            {"type": "slider", "filterMode": "none", "bottom": 8, "height": 22, "textStyle": {"color": palette.quiet}},
        ],
    }
