"""The page of an execution report: one file that needs nothing but itself."""

from collections.abc import Sequence
from math import floor
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from myquant.execution.figures import AGAINST, DELAYS, points_of
from myquant.execution.life import ROLES, Stamp
from myquant.execution.report import ExecutionReport, OrderRow
from myquant.results.report import plotly_source, script_json
from myquant.results.text import NOTHING, clock_time, date_time, grouped, label, signed, whole

# The stylesheet, and the script that draws, are those of the other reports.
LOADER: Final = ChoiceLoader(
    [PackageLoader("myquant.execution"), PackageLoader("myquant.evidence"), PackageLoader("myquant.results")]
)
MAX_ROWS: Final = 2_000  # of the table of orders
FEW: Final = 8
BARS_MAX: Final = 60  # of the histogram
WIDTHS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)  # of a bar, points
_COLOURS: Final = {"entry": "var(--entry)", "exit": "var(--profit)", "stop": "var(--trail)"}
_PATTERNS: Final = {"entry": "", "exit": "/", "stop": "x"}  # told apart without colour, too


def render_page(report: ExecutionReport) -> str:
    """Return the page."""
    zone = ZoneInfo(report.zone)
    environment = Environment(
        loader=LOADER, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "rupees": rupees,
        "worse": worse,
        "points": lambda value: signed(value, 2),
        "span": span,
        "label": label,
        "whole": whole,
        "clock": lambda stamp: clock_of(stamp, zone),
        "moment": lambda wall_ns: NOTHING if wall_ns is None else date_time(wall_ns, zone),
    }
    return environment.get_template("execution.html.j2").render(
        report=report,
        roles=[(role, report.by_role[role]) for role in ROLES],
        against_names=AGAINST,
        steps=DELAYS,
        rows=report.orders[:MAX_ROWS],
        max_rows=MAX_ROWS,
        points_of=points_of,
        plotly=Markup(plotly_source()),  # noqa: S704  (a file of the installed package, inside a script element)
        charts=Markup(script_json({"slippage": histogram(report.orders)})),  # noqa: S704  (no "<" is left in it)
    )


def rupees(paise: float | None) -> str:
    """Return an amount of paise in rupees."""
    return NOTHING if paise is None else grouped(paise / 100)


def worse(paise: int | None) -> str:
    """Return slippage of paise in rupees, with its sign: above 0 is worse."""
    return NOTHING if paise is None else signed(paise / 100)


def span(value_ns: float | None) -> str:
    """Return a length of time in a unit that fits: `430 us`, `12.5 ms`, `3.20 s`, `4 min 10 s`."""
    if value_ns is None:
        return NOTHING
    if value_ns < 10**6:
        return f"{value_ns / 1000:.0f} us"
    if value_ns < 10**9:
        return f"{value_ns / 10**6:.1f} ms"
    if value_ns < 60 * 10**9:
        return f"{value_ns / 10**9:.2f} s"
    minutes, seconds = divmod(round(value_ns / 10**9), 60)
    return f"{minutes} min {seconds} s"


def clock_of(stamp: Stamp | None, zone: ZoneInfo) -> str:
    """Return when something was, by the exchange's clock, else by the machine's."""
    if stamp is None:
        return NOTHING
    time_ns = stamp.time_ns or stamp.wall_ns
    return NOTHING if time_ns is None else clock_time(time_ns, zone)


def histogram(orders: Sequence[OrderRow]) -> dict[str, Any]:
    """Return how many orders slipped by how many points against the decision's price, by role: a plain Plotly figure."""
    points: dict[str, list[float]] = {}
    for row in orders:
        if row.slippage.decision is not None:
            points.setdefault(row.life.role, []).append(points_of(row.slippage.decision, row.life.filled))
    known = [value for values in points.values() for value in values]
    low, high = min(known, default=0.0), max(known, default=0.0)
    width = next((each for each in WIDTHS if (high - low) / each <= BARS_MAX), WIDTHS[-1])
    first, bars = _bar_of(low, width), _bar_of(high, width) - _bar_of(low, width) + 1
    traces = [
        {
            "type": "bar",
            "name": label(role),
            "x": [round((first + place) * width, 4) for place in range(bars)],
            "y": _counts(points[role], first, bars, width),
            "width": width,
            "marker": {"color": _COLOURS[role], "pattern": {"shape": _PATTERNS[role], "solidity": 0.25}},
            "hovertemplate": f"about %{{x:.2f}} points: %{{y}} of {role}<extra></extra>",
        }
        for role in ROLES
        if role in points
    ]
    axis = {"color": "var(--muted)", "gridcolor": "var(--grid)", "automargin": True}
    layout = {
        "barmode": "stack",
        "bargap": 0,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var(--text)"},
        "margin": {"l": 50, "r": 12, "t": 8, "b": 44},
        "legend": {"orientation": "h", "y": 1.08},
        "xaxis": axis | {"title": {"text": "Points worse than the decision's price"}, "zerolinecolor": "var(--muted)"},
        "yaxis": axis | {"title": {"text": "Orders"}, "rangemode": "tozero"} | _whole(traces),
    }
    return {"data": traces, "layout": layout}


def _whole(traces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what keeps the marks of an axis of few orders at whole numbers."""
    highest = max((sum(counts) for counts in zip(*(trace["y"] for trace in traces), strict=True)), default=0)
    return {"dtick": 1} if highest <= FEW else {"tickformat": ",d"}


def _counts(values: Sequence[float], first: int, bars: int, width: float) -> list[int]:
    counts = [0] * bars
    for value in values:
        counts[_bar_of(value, width) - first] += 1
    return counts


def _bar_of(value: float, width: float) -> int:
    """Return the bar in whose middle a value stands, or nearest to it: prices go by steps, and no slippage is none."""
    return floor(value / width + 0.5 + 1e-9)
