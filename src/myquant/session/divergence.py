"""Divergence: how far a session came out from the plain run over the same ticks, and through what.

From the plain run to the session there is one step at a time: the timers are added, then the feed's outages, the
operator, then fills as configured, then their latency; what is left are rejects. Each step's change of P&L before
charges is its line, the change of charges is the line of costs, so the lines sum to the whole gap.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.config.loading import LoadedConfig, load_config
from myquant.core import codes
from myquant.core.records import Command
from myquant.errors import MyquantError
from myquant.journal.reader import JournalReader, commands, inputs
from myquant.journal.record import BODY, HOLDS, INPUT
from myquant.session import archive
from myquant.session.engine import Engine
from myquant.session.playback import ANSWERS
from myquant.session.replay import Replayed, replay
from myquant.session.runner import Runner, Words
from myquant.session.simulated import SimulatedOrders
from myquant.session.under_way import RowsForgotten

MARKET: Final = (codes.TICK, codes.QUOTE, codes.END_OF_DATA)
AT_ONCE: Final = ("execution.fill_model=ltp",)
NO_LATENCY: Final = ("execution.latency_ms=0", "execution.latency_jitter_ms=0")


@dataclass(frozen=True)
class Result:
    """What a run came to, paise: P&L before charges, open positions at their last prices, and the charges."""

    gross: int
    charges: int
    trades: int

    @property
    def net(self) -> int:
        """P&L after charges."""
        return self.gross - self.charges


@dataclass(frozen=True)
class Line:
    """One cause: how much P&L it made or cost, paise."""

    cause: str
    paise: int


@dataclass(frozen=True)
class Divergence:
    """The gap and its parts.

    Attributes:
        plain: the run over the session's ticks with fills at the last price; with `reference`, over those ticks.
        lines: sum to `session.net - plain.net`.
        same_trades: whether plain run and session closed the same trades, to the paisa.
        acting_timers: input numbers of the timers that led to an order or a halt.
    """

    name: str
    plain: Result
    session: Result
    lines: tuple[Line, ...]
    same_trades: bool
    acting_timers: tuple[int, ...]
    reference: bool
    behind: str  # what stands behind the journal's sound records, which are all that is compared; "": nothing

    @property
    def gap(self) -> int:
        """What the session made more than the plain run, paise."""
        return self.session.net - self.plain.net

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "gap": self.gap}


def divergence(folder: Path, reference: Words | None = None) -> Divergence:
    """Compare a session with the plain run over its ticks, or over `reference`: what was really traded, as inputs.

    Raises MyquantError where the session can't be replayed by this engine.
    """
    return divergence_of(folder, *replay(folder), reference)


def divergence_of(folder: Path, found: Replayed, engine: Engine, reference: Words | None = None) -> Divergence:
    """Do likewise with what a replay of the session returned just now."""
    if found.difference is not None:
        raise MyquantError(f"{folder}: can't be compared: {found.difference.what}; `myquant replay` shows both sides")
    words = _inputs_of(folder)
    kinds = words[:, 0]
    configured = engine.loaded
    at_once, prompt = (_changed(folder, engine, changes) for changes in (AT_ONCE, NO_LATENCY))
    trades: list[tuple[Any, ...]] = []
    steps: list[tuple[str, Result]] = []

    def step(cause: str, loaded: LoadedConfig, chosen: Words) -> None:
        steps.append((cause, _run(engine, loaded, chosen, None if steps else trades)))

    if reference is not None:
        step("", at_once, reference)
    step("missed ticks", at_once, words[np.isin(kinds, MARKET)])
    step("timers", at_once, words[np.isin(kinds, (*MARKET, codes.TIMER))])
    step("feed outages", at_once, words[np.isin(kinds, (*MARKET, codes.TIMER, codes.FEED_STATUS))])
    step("operator and alarms", at_once, words)
    step("fill price", prompt, words)
    step("latency", configured, words)
    recorded = _trades(_commands_of(folder))
    steps.append(("rejects", _result(engine, len(recorded))))
    lines = [Line(cause, after.gross - before.gross) for (_, before), (cause, after) in pairwise(steps)]
    plain, last = steps[0][1], steps[-1][1]
    lines.append(Line("costs", plain.charges - last.charges))
    timers = _acting_timers(folder)
    return Divergence(
        folder.name, plain, last, tuple(lines), trades == recorded, timers, reference is not None, found.behind
    )


def _inputs_of(folder: Path) -> Words:
    """Return a session's inputs without the answers to its orders."""
    blocks = [block[block[:, HOLDS] == INPUT][:, BODY:] for block in JournalReader(folder).blocks()]
    words = np.concatenate(blocks) if blocks else np.zeros((0, 21), np.int64)
    return np.ascontiguousarray(words[~np.isin(words[:, 0], ANSWERS)])


def _commands_of(folder: Path) -> Iterator[Command]:
    for block in JournalReader(folder).blocks():
        yield from map(Command._make, commands(block)["body"].tolist())


def _changed(folder: Path, engine: Engine, assignments: Sequence[str]) -> LoadedConfig:
    sections = archive.loaded_models(engine.loaded)
    return load_config(files=[folder / archive.CONFIG], assignments=assignments, sections=sections)


def _run(like: Engine, loaded: LoadedConfig, words: Words, trades: list[tuple[Any, ...]] | None) -> Result:
    engine = Engine(loaded, like.strategy, like.names)
    engine.listed = like.listed
    runner = Runner(engine, RowsForgotten(), SimulatedOrders(engine))
    count = _Counter(trades)
    runner.on_commands = count.take
    for begin in range(0, len(words), 1 << 14):
        runner.take(words[begin : begin + (1 << 14)].copy())
    return _result(engine, count.trades)


class _Counter:
    """Counts trades, and keeps what they are where that is asked for."""

    def __init__(self, kept: list[tuple[Any, ...]] | None) -> None:
        self.trades = 0
        self._kept = kept

    def take(self, found: list[Command]) -> None:
        rows = _trades(found)
        self.trades += len(rows)
        if self._kept is not None:
            self._kept += rows


_TRADE: Final = attrgetter(
    "instrument", "time_ns", "side", "quantity", "price", "reason", "entry_time_ns", "entry_price", "net"
)


def _trades(found: Iterable[Command]) -> list[tuple[int, ...]]:
    return [_TRADE(command) for command in found if command.kind == codes.TRADE_CLOSED]


def _result(engine: Engine, trades: int) -> Result:
    account: Any = engine.desk[0]["account"]
    names = ("brokerage", "exchange_charges", "sebi_fees", "stt", "stamp_duty", "gst")
    charges = sum(int(account[name]) for name in names)
    net = int(account["cash"] + account["open_value"]) - _initial(engine)
    return Result(net + charges, charges, trades)


def _initial(engine: Engine) -> int:
    return int(engine.loaded.config.capital.initial_capital * 100)


def _acting_timers(folder: Path) -> tuple[int, ...]:
    """Return the numbers of the timers that led to a command."""
    acting: set[int] = set()
    timers: set[int] = set()
    for block in JournalReader(folder).blocks():
        events = inputs(block)["body"]["event"]
        timers.update(events["sequence"][events["kind"] == codes.TIMER].tolist())
        found = commands(block)["body"]
        acting.update(found["event_sequence"].tolist())
    return tuple(sorted(timers & acting))
