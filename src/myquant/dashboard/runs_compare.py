"""Two runs side by side: figures, settings, trades, equity and latency. What can't be compared says why."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from myquant.config.kinds import write
from myquant.config.trading import is_trading
from myquant.config.watching import WATCHING
from myquant.dashboard.runs_journal import StageTimes
from myquant.dashboard.runs_read import HEADLINES, EquityLine, RunContent
from myquant.dashboard.runs_trades import TradesCompared, match_trades
from myquant.evidence.compare import Compared, compare_reports
from myquant.results.text import NOTHING, SECOND_NS, grouped, listed, signed

NAMED: Final = 3  # days and symbols that a note names
POINTS_MAX: Final = 2000  # of a curve
SECRET: Final = ("hash", "token", "secret", "password", "key")  # last words of a setting whose value is not shown
NOT_SHOWN: Final = "(not shown)"
NOT_SET: Final = "(not set)"


@dataclass(frozen=True)
class FigureLine:
    """A headline figure of both runs, None where not known or undefined, and B less A."""

    name: str
    unit: str
    a: float | None
    b: float | None
    difference: float | None


@dataclass(frozen=True)
class SettingChange:
    """A setting that differs, as texts. `decides`: it is one of those that decide what is traded."""

    name: str
    a: str
    b: str
    decides: bool


@dataclass(frozen=True)
class StageLine:
    """A stage of the way of a tick; None: that run has it not."""

    stage: str
    a: StageTimes | None
    b: StageTimes | None


@dataclass(frozen=True)
class Curve:
    """What a run made over time: seconds since the epoch (or since its beginning), P&L and drawdown in paise."""

    at_s: tuple[float, ...]
    pnl: tuple[int, ...]
    drawdown: tuple[int, ...]


@dataclass(frozen=True)
class Curves:
    """Both runs over time, on one axis. `is_since_start`: their times don't meet, so the axis begins with each."""

    a: Curve
    b: Curve
    is_since_start: bool
    time_zone: str


@dataclass(frozen=True)
class Comparison:
    """What sets two runs apart.

    Attributes:
        notes: what the runs themselves differ in: days, symbols, ticks, engine, strategy.
        settings, trades, curves, latency, baselines: None where it can't be compared, and `why_not` says why by name.
        baselines: of two baselines what became slower or faster, component by component; None of other runs.
    """

    a: str
    b: str
    notes: tuple[str, ...]
    figures: tuple[FigureLine, ...]
    settings: tuple[SettingChange, ...] | None
    trades: TradesCompared | None
    curves: Curves | None
    latency: tuple[StageLine, ...] | None
    baselines: Compared | None
    why_not: Mapping[str, str]

    @property
    def is_same(self) -> bool:
        """Whether nothing that could be compared differs, and something could."""
        known = any(each is not None for each in (self.settings, self.trades, self.baselines)) or bool(self.figures)
        differs = any(line.a != line.b for line in self.figures)
        return known and not (differs or self.notes or self.settings or (self.trades and self.trades.unequal))

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "is_same": self.is_same,
            "notes": list(self.notes),
            "figures": [asdict(line) for line in self.figures],
            "settings": None if self.settings is None else [asdict(each) for each in self.settings],
            "trades": None if self.trades is None else self.trades.as_dict(),
            "curves": None if self.curves is None else asdict(self.curves),
            "latency": None if self.latency is None else [_plain(line) for line in self.latency],
            "baselines": None if self.baselines is None else self.baselines.as_dict(),
            "why_not": dict(self.why_not),
        }


def compare_runs(a: RunContent, b: RunContent) -> Comparison:
    """Compare two runs that were read."""
    why_not: dict[str, str] = {}
    notes = tuple(_notes(a, b))
    trades = curves = None
    if _have(a, b, "trades", why_not) and (reason := _no_common_trades(a, b)):
        why_not["trades"] = f"not comparable: {reason}"
    elif a.trades is not None and b.trades is not None:
        trades = match_trades(a.trades, b.trades)
    if _have(a, b, "equity", why_not) and a.equity is not None and b.equity is not None:
        curves = _curves(a.equity, b.equity, a.time_zone or b.time_zone or "UTC")
    latency = _latency(a, b) if _have(a, b, "latency", why_not) else None
    if latency == ():
        latency, why_not["latency"] = None, "not comparable: they have no stage in common"
    settings = _settings(a, b) if _have(a, b, "settings", why_not) else None
    figures = _figures(a, b) if _have(a, b, "figures", why_not) else ()
    baselines = None
    if a.report is not None and b.report is not None:
        baselines = compare_reports(a.report, b.report)
    else:
        why_not["baselines"] = "not comparable: component by component only two baselines are"
    return Comparison(a.key, b.key, notes, figures, settings, trades, curves, latency, baselines, why_not)


def _plain(line: StageLine) -> dict[str, Any]:
    sides = {name: None if side is None else side._asdict() for name, side in (("a", line.a), ("b", line.b))}
    return {"stage": line.stage, **sides}


def _have(a: RunContent, b: RunContent, what: str, why_not: dict[str, str]) -> bool:
    """Return whether both have something; note why not."""
    lacking = [f"{side.key}: {side.missing.get(what, 'it has none')}" for side in (a, b) if getattr(side, what) is None]
    if lacking:
        why_not[what] = f"not comparable: {'; '.join(dict.fromkeys(lacking))}"
    return not lacking


def _notes(a: RunContent, b: RunContent) -> Iterator[str]:
    """Yield what the runs themselves differ in."""
    for name, one, other in (
        ("kind", a.entry.kind, b.entry.kind),
        ("strategy", a.entry.strategy, b.entry.strategy),
        ("days", _listed(days_of(a)), _listed(days_of(b))),
        ("symbols", _listed(a.entry.symbols), _listed(b.entry.symbols)),
    ):
        if one != other:
            yield f"{name}: {one or 'not known'} in A, {other or 'not known'} in B"
    for name, one, other in (
        ("ticks", a.input_hash, b.input_hash),
        ("engines", a.entry.engine_hash, b.entry.engine_hash),
    ):
        if one is not None and other is not None and one != other:
            yield f"{name}: {one[:8]} in A, {other[:8]} in B"
    for side in (a, b):
        if side.entry.state not in ("done", "stopped"):
            yield f"{side.key} is {side.entry.state}{f': {side.entry.reason}' if side.entry.reason else ''}"


def _listed(names: tuple[str, ...]) -> str:
    return listed(names, NAMED)


def days_of(content: RunContent) -> tuple[str, ...]:
    """Return the days of a run, by its summary or its equity; none where not known."""
    if content.entry.days or content.equity is None:
        return content.entry.days
    zone = ZoneInfo(content.time_zone) if content.time_zone else UTC
    seconds = np.unique(content.equity.time_ns[content.equity.time_ns > 0] // (900 * SECOND_NS)) * 900
    return tuple(dict.fromkeys(f"{datetime.fromtimestamp(each, zone):%Y-%m-%d}" for each in seconds.tolist()))


def _no_common_trades(a: RunContent, b: RunContent) -> str:
    """Return why no trade of one can be a trade of the other; "": they can."""
    for name, one, other in (("day", days_of(a), days_of(b)), ("symbol", a.entry.symbols, b.entry.symbols)):
        if one and other and not set(one) & set(other):
            return f"they have no {name} in common ({_listed(one)} in A, {_listed(other)} in B)"
    return ""


def _figures(a: RunContent, b: RunContent) -> tuple[FigureLine, ...]:
    first, second = a.figures or {}, b.figures or {}
    lines = []
    for key, (name, unit) in HEADLINES.items():
        one, other = first.get(key), second.get(key)
        if key in first or key in second:
            difference = None if one is None or other is None else round(other - one, 6) + 0.0
            lines.append(FigureLine(name, unit, one, other, difference))
    return tuple(lines)


def _settings(a: RunContent, b: RunContent) -> tuple[SettingChange, ...]:
    """Return the settings that differ, those that decide first."""
    first, second = a.settings or {}, b.settings or {}
    changes = [
        SettingChange(name, _shown(name, first), _shown(name, second), _decides(name))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
    return tuple(sorted(changes, key=lambda change: (not change.decides, change.name)))


def _decides(name: str) -> bool:
    section = name.partition(".")[0]
    return is_trading(section) and section not in WATCHING


def _shown(name: str, values: Mapping[str, Any]) -> str:
    if name not in values:
        return NOT_SET
    if name.rpartition("_")[2] in SECRET and values[name] != "":
        return NOT_SHOWN
    try:
        return write(values[name])
    except (TypeError, ValueError):  # of a file that somebody changed
        return str(values[name])


def _latency(a: RunContent, b: RunContent) -> tuple[StageLine, ...]:
    first, second = a.latency or {}, b.latency or {}
    return tuple(StageLine(stage, first[stage], second[stage]) for stage in first if stage in second)


def _curves(a: EquityLine, b: EquityLine, time_zone: str) -> Curves:
    meets = a.time_ns[0] <= b.time_ns[-1] and b.time_ns[0] <= a.time_ns[-1]
    one, other = (_curve(side, 0 if meets else int(side.time_ns[0])) for side in (a, b))
    return Curves(one, other, not meets, time_zone)


def _curve(line: EquityLine, since_ns: int) -> Curve:
    """Return at most `POINTS_MAX` points: the least and the greatest equity of each stretch are among them."""
    drawdown = np.maximum.accumulate(line.equity) - line.equity
    places = thinned(line.equity, POINTS_MAX)
    return Curve(
        tuple(((line.time_ns[places] - since_ns) / SECOND_NS).round(3).tolist()),
        tuple((line.equity[places] - line.equity[0]).tolist()),
        tuple(drawdown[places].tolist()),
    )


def thinned(values: "np.ndarray[Any, Any]", most: int) -> "np.ndarray[Any, Any]":
    """Return ascending places of values (n,), `most` at most: the first, the last, and of each stretch the least and greatest."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), (most - 2) // 2 + 1).astype(np.int64)
    stretches = [values[begin:end] for begin, end in pairwise(edges)]
    found = [
        begin + place
        for begin, stretch in zip(edges[:-1].tolist(), stretches, strict=True)
        for place in (int(stretch.argmin()), int(stretch.argmax()))
    ]
    return np.unique([0, *found, len(values) - 1])


def figure_text(value: float | None, unit: str = "", *, is_signed: bool = False) -> str:
    """Return a headline figure, or what two differ in (`is_signed`): whole counts without decimals."""
    if value is None:
        return NOTHING
    return (signed if is_signed else grouped)(value, 0 if not unit and float(value).is_integer() else 2)
