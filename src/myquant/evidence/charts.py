"""The charts of a baseline's page as plain Plotly figures. A colour is named by its CSS variable; the page looks it up."""

from typing import Any, Final

from myquant.evidence.gate import Judged
from myquant.evidence.report import BaselineReport
from myquant.evidence.text import by_share, number
from myquant.evidence.verdicts import Verdict

Figure = dict[str, Any]

LATENCY: Final = "Latency, ms"
GENERATION_COLOURS: Final = ("var(--price)", "var(--trail)", "var(--loss)")
GENERATION_SYMBOLS: Final = ("circle-open", "diamond", "x")


def figures(report: BaselineReport, judged: Judged) -> dict[str, Figure]:
    """Return the page's charts by name."""
    return {"breakdown": breakdown(report, judged), "histogram": histogram(report), "timeline": timeline(report)}


def breakdown(report: BaselineReport, judged: Judged) -> Figure:
    """Return a lying bar for each measured component, its interval as a line, and the thresholds as marks."""
    shares = [
        (name, each.percent_of_total, each.avg) for name, each in by_share(report) if each.percent_of_total is not None
    ]
    names = [name for name, _, _ in shares]
    worth = {each.phase.component for each in judged.phases if each.judgement.verdict == Verdict.IMPLEMENT}
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": names,
        "x": [round(share.value, 3) for _, share, _ in shares],
        "marker": {"color": ["var(--loss)" if name in worth else "var(--equity)" for name in names]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [round(share.high - share.value, 4) for _, share, _ in shares],
            "arrayminus": [round(share.value - share.low, 4) for _, share, _ in shares],
            "color": "var(--text)",
            "thickness": 1.4,
            "width": 4,
        },
        "customdata": [
            f"{number(share.low)} to {number(share.high)} %<br>"
            + ("entered by no tick" if avg is None else f"{number(avg.value)} us in a tick that enters it")
            for _, share, avg in shares
        ],
        "hovertemplate": "<b>%{y}</b> %{x:.2f} %<br>%{customdata}<extra></extra>",
    }
    limits = [
        (each.phase.component, each.judgement.threshold) for each in judged.phases if each.phase.component in names
    ]
    marks = {
        "type": "scatter",
        "mode": "markers",
        "y": [name for name, _ in limits],
        "x": [limit for _, limit in limits],
        "marker": {
            "symbol": "line-ns",
            "size": 16,
            "color": "var(--muted)",
            "line": {"color": "var(--muted)", "width": 2},
        },
        "hovertemplate": "threshold %{x} %<extra></extra>",
    }
    layout = _base() | {
        "xaxis": _axis("Share of a tick's time, %") | {"rangemode": "tozero", "nticks": 7},
        "yaxis": {"type": "category", "automargin": True, "color": "var(--muted)", "autorange": "reversed"},
        "showlegend": False,
        "bargap": 0.35,
    }
    return {"data": [bars, marks], "layout": layout}


def histogram(report: BaselineReport) -> Figure:
    """Return the latencies as steps over a log axis, with p50, p99, p99.9 and the target as lines."""
    found, latency = report.pictures, report.latency_summary
    steps = {
        "type": "scatter",
        "mode": "lines",
        "x": list(found.edges_ms),
        "y": [*found.counts, 0],
        "line": {"shape": "hv", "color": "var(--equity)", "width": 1.4},
        "fill": "tozeroy",
        "fillcolor": "var(--bar-soft)",
        "hovertemplate": "from %{x:.4~g} ms: %{y:,} ticks<extra></extra>",
    }
    lines = [
        *((name, latency.percentiles[name].value, "var(--muted)") for name in ("p50", "p99", "p99.9")),
        ("target", latency.target_ms, "var(--trail)"),
    ]
    scale = _log(LATENCY)
    layout = _base() | {"xaxis": scale, "yaxis": _axis("Ticks") | {"rangemode": "tozero"}, "showlegend": False}
    traces = [
        {
            "type": "scatter",
            "mode": "lines+text",
            "x": [value, value],
            "y": [0, max(found.counts) * (1.04 + 0.12 * place)],
            "text": ["", name],
            "textposition": "top center",
            "textfont": {"color": colour, "size": 11},
            "line": {"color": colour, "width": 1.4, "dash": "dot"},
            "hovertemplate": f"{name} {number(value)} ms<extra></extra>",
            "cliponaxis": False,
        }
        for place, (name, value, colour) in enumerate(lines)
    ]
    return {"data": [steps, *traces], "layout": layout}


def timeline(report: BaselineReport) -> Figure:
    """Return the slowest tick of each stretch over time, and the pauses of the collector at their length."""
    found = report.pictures
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "Slowest tick",
        "x": list(found.at_s),
        "y": list(found.latency_ms),
        "line": {"color": "var(--equity)", "width": 1.1},
        "hovertemplate": "%{y:.4~g} ms at %{x:.3f} s<extra></extra>",
    }
    traces = [line]
    for generation, (colour, symbol) in enumerate(zip(GENERATION_COLOURS, GENERATION_SYMBOLS, strict=True)):
        marks = [mark for mark in found.collections if mark.generation == generation]
        if marks:
            traces.append(_pauses(f"Collection, generation {generation}", marks, colour, symbol))
    layout = _base() | {
        "xaxis": _axis("Seconds since the first tick"),
        "yaxis": _log(LATENCY),
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "font": {"size": 12}},
        "showlegend": True,
    }
    return {"data": traces, "layout": layout}


def _pauses(name: str, marks: list[Any], colour: str, symbol: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [mark.at_s for mark in marks],
        "y": [max(mark.pause_ms, 1e-4) for mark in marks],
        "text": ["between ticks" if mark.tick < 0 else f"in tick {mark.tick:,}" for mark in marks],
        "marker": {"color": colour, "symbol": symbol, "size": 8},
        "hovertemplate": "pause of %{y:.4~g} ms %{text}, at %{x:.3f} s<extra></extra>",
    }


def _axis(title: str) -> Figure:
    return {
        "title": {"text": title, "font": {"size": 12}, "standoff": 8},
        "automargin": True,
        "color": "var(--muted)",
        "gridcolor": "var(--grid)",
        "zeroline": False,
        "tickformat": ",",
    }


def _log(title: str) -> Figure:
    return _axis(title) | {"type": "log", "dtick": "D2", "tickformat": "~g"}


def _base() -> Figure:
    return {
        "paper_bgcolor": "var(--panel)",
        "plot_bgcolor": "var(--panel)",
        "font": {"family": "system-ui, sans-serif", "color": "var(--text)", "size": 12},
        "hoverlabel": {"bgcolor": "var(--panel)", "bordercolor": "var(--muted)", "font": {"color": "var(--text)"}},
        "margin": {"l": 8, "r": 16, "t": 12, "b": 8},
        "dragmode": "zoom",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--muted)", "activecolor": "var(--text)"},
    }
