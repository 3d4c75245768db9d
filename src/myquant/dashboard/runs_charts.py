"""Pictures of runs as options for ECharts, plain dictionaries: lines differ by their dashes, marks by their shapes, all have names."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from myquant.dashboard.charts import Palette
from myquant.dashboard.runs_compare import Curve, Curves
from myquant.dashboard.runs_evidence import VerdictLine
from myquant.results.charts import local_ms
from myquant.results.text import SECOND_NS

Options = dict[str, Any]


def equity_chart(curves: Curves, palette: Palette) -> Options:
    """Return P&L and, below it on the same axis, the drawdown of both runs: A solid, B dashed."""
    text = "P&L and drawdown of A (solid) and B (dashed) over time. The figures above have their ends."
    axis = "hours since the first point" if curves.is_since_start else f"time ({curves.time_zone})"
    clock = _axis(axis, palette) | {"type": "value" if curves.is_since_start else "time"}
    sides = (("A", curves.a, palette.price, "solid"), ("B", curves.b, palette.warn, "dashed"))
    lines = []
    for name, curve, colour, dash in sides:
        at = _places(curve, curves)
        pnl = _line(f"{name}: P&L", at, [each / 100 for each in curve.pnl], colour, dash)
        drawdown = _line(f"{name}: drawdown", at, [-each / 100 for each in curve.drawdown], colour, dash)
        lines += [pnl, drawdown | {"xAxisIndex": 1, "yAxisIndex": 1}]
    return {
        **_base(text, palette),
        "useUTC": True,
        "grid": [
            {"left": 84, "right": 24, "top": 48, "height": "46%"},
            {"left": 84, "right": 24, "top": "66%", "height": "15%"},
        ],
        "xAxis": [clock | {"name": ""}, clock | {"gridIndex": 1}],
        "yAxis": [_axis("P&L, Rs", palette), _axis("Drawdown, Rs", palette) | {"gridIndex": 1, "splitNumber": 2}],
        "dataZoom": [
            {"type": "inside", "xAxisIndex": [0, 1]},
            {"type": "slider", "xAxisIndex": [0, 1], "height": 18, "bottom": 4},
        ],
        "series": lines,
    }


def share_chart(lines: Sequence[VerdictLine], palette: Palette) -> Options:
    """Return the share of each component with its interval and its limit, those that were measured."""
    known = [line for line in lines if line.share is not None]
    names = [f"{line.component}: {line.verdict}" for line in known]
    marks: dict[str, tuple[str, str, list[float]]] = {
        "share": ("circle", palette.price, [line.share or 0.0 for line in known]),
        "limit": ("diamond", palette.bad, [line.limit for line in known]),
    }
    intervals = [
        {
            "name": "95 % interval",
            "type": "line",
            "symbol": "rect",
            "symbolSize": [2, 12],
            "lineStyle": {"width": 2, "color": palette.price},
            "itemStyle": {"color": palette.price},
            "data": [[line.low, place], [line.high, place]],
        }
        for place, line in enumerate(known)
    ]
    scatters = [
        {
            "name": name,
            "type": "scatter",
            "symbol": shape,
            "symbolSize": 12,
            "itemStyle": {"color": colour},
            "data": [[round(value, 3), place] for place, value in enumerate(values)],
        }
        for name, (shape, colour, values) in marks.items()
    ]
    text = "Share of a tick's time by component, with its interval and the limit. The table has the figures."
    return {
        **_base(text, palette),
        "grid": {"left": 16, "right": 32, "top": 48, "bottom": 40, "containLabel": True},
        "xAxis": _axis("percent", palette) | {"type": "value", "min": 0},
        "yAxis": _axis("", palette) | {"type": "category", "data": names},
        "series": [*intervals, *scatters],
    }


def _places(curve: Curve, curves: Curves) -> list[float]:
    """Return where the points stand: ms of the clock of the runs' zone, or hours."""
    if curves.is_since_start:
        return [round(each / 3600, 4) for each in curve.at_s]
    times_ns = (np.asarray(curve.at_s) * 1000).astype(np.int64) * (SECOND_NS // 1000)
    found: list[float] = np.asarray(local_ms(times_ns, curves.time_zone)).tolist()
    return found


def _base(text: str, palette: Palette) -> Options:
    return {
        "backgroundColor": palette.ground,
        "textStyle": {"color": palette.ink},
        "animation": False,
        "aria": {"enabled": True, "label": {"description": text}},
        "legend": {"top": 4, "type": "scroll", "textStyle": {"color": palette.ink}},
        "tooltip": {"trigger": "axis", "confine": True},
    }


def _axis(name: str, palette: Palette) -> Options:
    return {
        "name": name,
        "nameLocation": "end" if name.endswith("Rs") else "middle",
        "nameGap": 12 if name.endswith("Rs") else 26,
        "nameTextStyle": {"color": palette.quiet},
        "axisLabel": {"color": palette.ink, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": palette.quiet}},
        "splitLine": {"lineStyle": {"color": palette.grid}},
    }


def _line(name: str, at: Sequence[float], values: Sequence[float], colour: str, dash: str) -> Options:
    return {
        "name": name,
        "type": "line",
        "step": "end",
        "symbol": "none",
        "lineStyle": {"color": colour, "type": dash, "width": 1.6},
        "itemStyle": {"color": colour},
        "data": [[place, value] for place, value in zip(at, values, strict=True)],
    }
