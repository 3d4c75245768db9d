"""The charts of the report as plain Plotly figures. A colour is named by its CSS variable; the page looks it up.

Times are milliseconds of the session's clock, as Plotly draws dates; prices and money are rupees.
"""

from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.results.curve import Curve
from myquant.results.record import RunRecord
from myquant.results.text import grouped, label, signed, whole
from myquant.results.trades import times

Figure = dict[str, Any]
Trace = dict[str, Any]

MAX_PRICES: Final = 6_000  # of one instrument's line
MAX_EQUITY: Final = 8_000
MAX_TRADES: Final = 1_500  # drawn on one chart: an entry, an exit, and two lines of three points for each

_GAP_MS: Final = 10 * 60_000  # a night: no less than ten minutes between the last tick of a day and the next
_MARGIN_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_ENTRY: Final = ("var(--entry)", "triangle-up")
_TIER_SYMBOLS: Final = ("circle", "square", "diamond", "star", "pentagon", "hexagon", "cross", "hourglass")
_EXIT_STYLES: Final = {
    codes.STOP_LOSS: ("var(--stop)", "x"),
    codes.TRAILING_STOP: ("var(--trail)", "triangle-down"),
    codes.SESSION_END: ("var(--session)", "square-open"),
    codes.DAY_LOSS: ("var(--stop)", "cross"),
    codes.OPERATOR_EXIT: ("var(--other)", "star-diamond"),
    codes.STRATEGY_EXIT: ("var(--other)", "bowtie"),
    codes.END_EXIT: ("var(--session)", "circle-open"),
    codes.FOREIGN_EXIT: ("var(--other)", "diamond-open"),
    codes.UNPROTECTED_EXIT: ("var(--stop)", "diamond-open"),
    **{codes.TAKE_PROFIT + tier: ("var(--profit)", symbol) for tier, symbol in enumerate(_TIER_SYMBOLS)},
}


def thin(values: np.ndarray[Any, Any], limit: int) -> np.ndarray[Any, Any]:
    """Return the places of at most `limit` of the values: all, or the lowest and the highest of equal stretches."""
    count = len(values)
    if count <= limit:
        return np.arange(count)
    edges = np.linspace(0, count, limit // 2 + 1).astype(np.int64)
    stretches = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ends = [(i + int(values[i:j].argmin()), i + int(values[i:j].argmax())) for i, j in stretches]
    return np.unique(np.array(ends))


def local_ms(times_ns: np.ndarray[Any, Any], time_zone: str) -> np.ndarray[Any, Any]:
    """Return times in ns since the epoch as milliseconds of the clock in a time zone."""
    clock = times("time", times_ns, time_zone).dt.replace_time_zone(None)
    return clock.dt.epoch("ms").to_numpy()


def price_figure(record: RunRecord, instrument: int, nights: list[Figure]) -> Figure:
    """Return one instrument's price with the stop and the entries and exits of its (largest) trades."""
    marks = _of(record.marks, instrument)
    marks = marks[thin(marks["price"], MAX_PRICES)]
    trades, openings = drawn(_of(record.trades, instrument)), _of(record.openings, instrument)
    if len(openings) > MAX_TRADES:
        openings = openings[np.isin(openings["position_id"], trades["position_id"])]
    zone = record.time_zone
    line = _line("Price", local_ms(marks["time_ns"], zone), marks["price"] / 100, "var(--price)")
    line |= {"line": {"color": "var(--price)", "width": 1.2}, "hovertemplate": "%{y:,.2f}<br>%{x|%H:%M:%S}"}
    layout = _layout("Price, ₹", nights)
    layout |= {"legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "font": {"size": 12}}}
    return {
        "data": [line, _held(trades, zone), _stops(trades, zone), _entries(openings, zone), *_exits(trades, zone)],
        "layout": layout,
    }


def drawn(trades: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the trades that a chart shows: all, or those with the largest net P&L either way."""
    if len(trades) <= MAX_TRADES:
        return trades
    largest = np.argsort(-np.abs(trades["net"]), kind="stable")[:MAX_TRADES]
    return trades[np.sort(largest)]


def equity_figure(curve: Curve, time_zone: str, nights: list[Figure]) -> Figure:
    """Return the equity curve and, below it on the same clock, the drawdown."""
    kept = thin(curve.equity, MAX_EQUITY)
    clock = local_ms(curve.time_ns[kept], time_zone)
    equity = _line("Equity", clock, curve.equity[kept] / 100, "var(--equity)")
    equity["hovertemplate"] = "₹%{y:,.2f}"
    drawdown = _line("Drawdown", clock, -curve.drawdown[kept] / 100, "var(--loss)")
    drawdown |= {"yaxis": "y2", "fill": "tozeroy", "fillcolor": "var(--loss-soft)", "hovertemplate": "₹%{y:,.2f}"}
    for trace in (equity, drawdown):
        trace["line"] = {"color": trace["line"]["color"], "width": 1.4, "shape": "hv"}
    layout = _layout("Equity, ₹", nights)
    layout["yaxis"] |= {"domain": [0.38, 1]}
    layout["yaxis2"] = _axis("Drawdown, ₹") | {"domain": [0, 0.3], "rangemode": "tozero", "nticks": 4}
    layout["xaxis"] |= {"anchor": "y2"}
    return {"data": [equity, drawdown], "layout": layout | {"showlegend": False, "hovermode": "x unified"}}


def bar_figure(names: list[str], values: list[float], counts: list[int], *, flat: bool) -> Figure:
    """Return bars of net P&L (rupees), profit and loss apart by colour and side of zero; `flat`: lying ones."""
    colours = ["var(--profit)" if value >= 0 else "var(--loss)" for value in values]
    texts = [f"{count} trade{'' if count == 1 else 's'}" for count in counts]
    ends = {"x": values, "y": names} if flat else {"x": names, "y": values}
    money = "x" if flat else "y"
    bars: Trace = {
        "type": "bar",
        **ends,
        "orientation": "h" if flat else "v",
        "marker": {"color": colours},
        "customdata": texts,
        "hovertemplate": f"%{{{'y' if flat else 'x'}}}<br>₹%{{{money}:,.2f}}<br>%{{customdata}}<extra></extra>",
    }
    kind = {"type": "category", "automargin": True, "color": "var(--muted)"}
    scale = _axis("Net P&L, ₹") | {"zerolinecolor": "var(--muted)", "zerolinewidth": 1.5}
    if flat:
        axes = {"xaxis": scale | {"nticks": 5, "tickangle": 0}, "yaxis": kind | {"autorange": "reversed"}}
    else:
        axes = {"xaxis": kind, "yaxis": scale}
    return {"data": [bars], "layout": _base() | axes | {"showlegend": False, "bargap": 0.35}}


def nights(record: RunRecord, curve: Curve) -> list[Figure]:
    """Return the breaks of a time axis: from shortly after each day's last tick to shortly before the next one's first."""
    clock = np.sort(local_ms(np.concatenate([record.marks["time_ns"], curve.time_ns]), record.time_zone))
    ends = np.flatnonzero(np.diff(clock // (24 * _HOUR_MS)))
    pairs = zip(clock[ends].tolist(), clock[ends + 1].tolist(), strict=True)
    return [{"bounds": [last + _MARGIN_MS, first - _MARGIN_MS]} for last, first in pairs if first - last >= _GAP_MS]


def hours_of_day(times_ns: np.ndarray[Any, Any], time_zone: str) -> np.ndarray[Any, Any]:
    """Return the hour, 0 to 23, of each time on the session's clock."""
    return local_ms(times_ns, time_zone) // _HOUR_MS % 24


def _of(rows: np.ndarray[Any, Any], instrument: int) -> np.ndarray[Any, Any]:
    return np.compress(rows["instrument"] == instrument, rows)


def _line(name: str, clock: np.ndarray[Any, Any], values: np.ndarray[Any, Any], colour: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": clock.tolist(),
        "y": np.round(values, 2).tolist(),
        "line": {"color": colour},
    }


def _segments(name: str, xs: list[np.ndarray[Any, Any]], ys: list[np.ndarray[Any, Any]], **style: Any) -> Trace:
    """Return many short lines as one trace: an empty place after each pair of ends."""
    x = np.stack(xs, axis=1).tolist()
    y = np.stack(ys, axis=1).tolist()
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [place for pair in x for place in (*pair, None)],
        "y": [place for pair in y for place in (*pair, None)],
        "hoverinfo": "skip",
        **style,
    }


def _held(trades: np.ndarray[Any, Any], zone: str) -> Trace:
    clock = [local_ms(trades[name], zone) for name in ("entry_time_ns", "time_ns")]
    prices = [trades["entry_price"] / 100, trades["price"] / 100]
    return _segments("Held", clock, prices, line={"color": "var(--held)", "width": 1.2, "dash": "dot"})


def _stops(trades: np.ndarray[Any, Any], zone: str) -> Trace:
    clock = [local_ms(trades[name], zone) for name in ("entry_time_ns", "time_ns")]
    line = {"color": "var(--stop)", "width": 1.2}
    return _segments("Initial stop", clock, [trades["stop"] / 100] * 2, line=line, visible="legendonly")


def _markers(
    name: str, clock: np.ndarray[Any, Any], prices: np.ndarray[Any, Any], texts: list[str], style: tuple[str, str]
) -> Trace:
    colour, symbol = style
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": clock.tolist(),
        "y": prices.tolist(),
        "text": texts,
        "hovertemplate": "%{text}<br>%{x|%d %b %H:%M:%S}<extra></extra>",
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": 10,
            "line": {"color": colour if symbol.endswith("open") else "var(--panel)", "width": 1},
        },
    }


def _entries(openings: np.ndarray[Any, Any], zone: str) -> Trace:
    columns = (openings[name].tolist() for name in ("position_id", "quantity", "price", "stop"))
    texts = [
        f"<b>Position {number}</b><br>bought {whole(quantity)} at {grouped(price / 100)}<br>stop {grouped(stop / 100)}"
        for number, quantity, price, stop in zip(*columns, strict=True)
    ]
    return _markers("Entry", local_ms(openings["time_ns"], zone), openings["price"] / 100, texts, _ENTRY)


def _exits(trades: np.ndarray[Any, Any], zone: str) -> list[Trace]:
    traces = []
    for code in np.unique(trades["reason"]).tolist():
        rows = trades[trades["reason"] == code]
        name = label(codes.EXIT_NAMES[code])
        columns = (rows[field].tolist() for field in ("trade_id", "quantity", "price", "net"))
        texts = [
            f"<b>Trade {number}</b> · {name}<br>sold {whole(quantity)} at {grouped(price / 100)}"
            f"<br>net {signed(net / 100, unit='₹')}"
            for number, quantity, price, net in zip(*columns, strict=True)
        ]
        traces.append(_markers(name, local_ms(rows["time_ns"], zone), rows["price"] / 100, texts, _EXIT_STYLES[code]))
    return traces


def _axis(title: str) -> Figure:
    return {
        "title": {"text": title, "font": {"size": 12}, "standoff": 8},
        "automargin": True,
        "color": "var(--muted)",
        "gridcolor": "var(--grid)",
        "zeroline": True,
        "zerolinecolor": "var(--grid)",
        "tickformat": ",",
    }


def _layout(title: str, breaks: list[Figure]) -> Figure:
    clock = {
        "type": "date",
        "automargin": True,
        "color": "var(--muted)",
        "gridcolor": "var(--grid)",
        "rangebreaks": breaks,
        "tickformatstops": [
            {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
            {"dtickrange": [60_000, 86_400_000], "value": "%H:%M\n%d %b"},
            {"dtickrange": [86_400_000, None], "value": "%d %b\n%Y"},
        ],
        "hoverformat": "%d %b %Y %H:%M:%S",
    }
    return _base() | {"xaxis": clock, "yaxis": _axis(title) | {"zeroline": False}, "hovermode": "closest"}


def _base() -> Figure:
    return {
        "paper_bgcolor": "var(--panel)",
        "plot_bgcolor": "var(--panel)",
        "font": {"family": "system-ui, sans-serif", "color": "var(--text)", "size": 12},
        "hoverlabel": {"bgcolor": "var(--panel)", "bordercolor": "var(--muted)", "font": {"color": "var(--text)"}},
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "dragmode": "zoom",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--muted)", "activecolor": "var(--text)"},
    }
