"""The report: one HTML page that needs nothing but itself."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from myquant.core.codes import EXIT_NAMES
from myquant.errors import MyquantError
from myquant.results import charts
from myquant.results.curve import equity_curve
from myquant.results.record import RunRecord
from myquant.results.text import grouped, label, listed, percentage, signed, whole

MAX_ROWS: Final = 2_000  # of the trade table
MAX_NOTICES: Final = 4  # halts, and open positions, above the charts


def render_report(record: RunRecord, figures: dict[str, Any]) -> str:
    """Return the page of a run. `figures` is its summary."""
    environment = Environment(
        loader=PackageLoader("myquant.results"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rupees": grouped,
        "signed": signed,
        "percent": percentage,
        "whole": whole,
        "label": label,
        "listed": listed,
        "day": lambda text: text[:10],
        "clock": lambda text: text[11:19],
    }
    page = environment.get_template("report.html.j2")
    return page.render(
        run=figures,
        plotly=Markup(plotly_source()),  # noqa: S704  (a file of the installed package, inside a script element)
        charts=Markup(script_json(_charts(record, figures))),  # noqa: S704  (no "<" is left in it)
        trades=_trade_rows(record),
        max_rows=MAX_ROWS,
        max_notices=MAX_NOTICES,
        undrawn=_undrawn(record),
        config=record.config_toml,
    )


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a script element: it can't close it, nor open a comment."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@cache
def plotly_source() -> str:
    """Return plotly.js as the installed plotly ships it, without the slow import of that package."""
    found = find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise MyquantError("the report needs the package plotly: install it, or set results.report = false")
    return (Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _charts(record: RunRecord, figures: dict[str, Any]) -> dict[str, Any]:
    curve = equity_curve(record)
    nights = charts.nights(record, curve)
    return {
        "price": [charts.price_figure(record, number, nights) for number in range(len(record.symbols))],
        "equity": charts.equity_figure(curve, record.time_zone, nights),
        "reasons": _bars({label(name): group for name, group in figures["exits"].items()}, flat=True),
        "days": _bars({day["date"]: day for day in figures["days"]}, flat=False),
        "hours": _by_hour(record),
    }


def _bars(groups: dict[str, Any], *, flat: bool) -> dict[str, Any]:
    """Return bars of groups of trades, as the summary has them, by name."""
    nets = [group["net_pnl"] for group in groups.values()]
    return charts.bar_figure(list(groups), nets, [group["trades"] for group in groups.values()], flat=flat)


def _by_hour(record: RunRecord) -> dict[str, Any]:
    hours = charts.hours_of_day(record.trades["time_ns"], record.time_zone)
    found = np.unique(hours).tolist()
    span = range(found[0], found[-1] + 1) if found else range(0)
    nets = [int(record.trades["net"][hours == hour].sum()) / 100 for hour in span]
    counts = [int((hours == hour).sum()) for hour in span]
    return charts.bar_figure([f"{hour:02d} h" for hour in span], nets, counts, flat=False)


def _undrawn(record: RunRecord) -> int:
    """Return how many trades of the busiest instrument its chart leaves out."""
    busiest = np.bincount(record.trades["instrument"], minlength=1).max()
    return max(0, int(busiest) - charts.MAX_TRADES)


def _trade_rows(record: RunRecord) -> list[dict[str, Any]]:
    """Return the first rows of the trade table; clocks as text, rupees as numbers."""
    rows = record.trades[:MAX_ROWS]
    entered, left = (
        np.datetime_as_string(charts.local_ms(rows[name], record.time_zone).astype("datetime64[ms]"), unit="s").tolist()
        for name in ("entry_time_ns", "time_ns")
    )
    return [
        {
            "trade_id": int(row["trade_id"]),
            "position_id": int(row["position_id"]),
            "symbol": record.symbols[row["instrument"]],
            "entry_time": entry_time,
            "exit_time": exit_time,
            "entry_price": int(row["entry_price"]) / 100,
            "exit_price": int(row["price"]) / 100,
            "quantity": int(row["quantity"]),
            "gross_pnl": int(row["gross"]) / 100,
            "charges": int(row["charges"]) / 100,
            "net_pnl": int(row["net"]) / 100,
            "exit_reason": EXIT_NAMES[int(row["reason"])],
        }
        for row, entry_time, exit_time in zip(rows, entered, left, strict=True)
    ]
