"""What the monitor knows of one session: plain facts, folded from its journal, its log and its process.

Prices and money: paise. `wall_ns`: the machine's clock, UTC; `mono_ns`: its monotonic clock, which all processes of a machine
share; `time_ns`: the exchange's clock. None: not known.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from myquant.config.loading import LoadedConfig
from myquant.journal.record import Holding, Ledger, Telemetry
from myquant.monitor.histogram import Histogram


@dataclass
class OrderView:
    """An order, by the journal. `state`: a name of `core.orders`, in small letters, "unknown" included."""

    order_id: int
    instrument: int
    is_buy: bool
    quantity: int
    price: int  # the price that the decision counted on, paise
    trigger: int  # of a protective stop order, paise; 0: it is none
    reason: str  # of an exit; "" of an entry or a stop order
    state: str = "sent"
    filled: int = 0
    value: int = 0  # of what was filled, paise
    sent_wall_ns: int = 0
    sent_mono_ns: int = 0  # 0: not known
    ended_wall_ns: int | None = None
    sent_time_ns: int = 0
    last_price: int | None = None  # the last one at the decision, paise


@dataclass
class InstrumentView:
    """One instrument of a session."""

    symbol: str
    ticks: int = 0
    last_price: int | None = None
    last_time_ns: int | None = None
    quantity: int = 0  # units held, by fills
    entry_price: int | None = None  # of what is held
    opened_wall_ns: int | None = None
    holding: Holding | None = None  # by the session's last note of it; None: nothing is held, or it was not said yet
    bare_since_ns: int | None = None  # wall clock; held without a protective stop order at work, where one is wanted
    bare_since_mono_ns: int = 0  # likewise; 0: not known


@dataclass
class ProcessView:
    """A session's process, as the system knows it, and those that it started (by what they do: `log writer`...)."""

    pid: int
    started_wall_ns: int
    started_mono_ns: int | None = None
    is_alive: bool = True
    is_unseen: bool = False  # its note was read, and nobody has looked yet whether it lives
    is_stopped: bool = False  # SIGSTOP, or a debugger
    died_wall_ns: int | None = (
        None  # when its death was noticed; its last word, where nobody watched; None: it lives, or said that it leaves
    )
    cpu_s: dict[str, float] = field(default_factory=dict)  # by component; "session" is the process itself
    rss_bytes: dict[str, int] = field(default_factory=dict)


def passed_ns(then_wall_ns: int, then_mono_ns: int, wall_ns: int, mono_ns: int) -> int:
    """Return how long ago something was, by the monotonic clock: one that is set changes nothing.

    Where that says nothing, as after the machine's restart, the machine's clock does: not before now.
    """
    if 0 < then_mono_ns <= mono_ns:
        return mono_ns - then_mono_ns
    return max(0, wall_ns - then_wall_ns)


@dataclass
class LogLine:
    """A line of a session's log."""

    wall_ns: int
    level: str
    event: str
    fields: dict[str, object]


class Spent(NamedTuple):
    """What inputs took, ns, int64 of shape (n,), and the reference kernel's time about then; None: not known."""

    spent_ns: NDArray[np.int64]
    reference_ns: int | None


class Difference(NamedTuple):
    """Something that the broker's books have and the session has not, or has otherwise."""

    wall_ns: int
    halts_by: int  # why that halts entries, a code of `core.codes`; `NO_HALT`: it does not
    text: str  # in words


NO_HALT: Final = -1
DIFFERENCES_MAX: Final = 10  # kept


@dataclass
class SessionView:
    """One session, as it stands by all that was read of it. Counters are of all its processes, but where said otherwise."""

    name: str
    folder: Path
    kind: str
    symbols: tuple[str, ...]
    strategy: str
    config: LoadedConfig
    engine_hash: str

    # how it stands
    process: ProcessView | None = None  # None: none has begun it yet
    lost_start: ProcessView | None = None  # one that is gone without a word before its first note
    stopped_code: int | None = None  # its last process left with this code; None: it runs, or died without a word
    ended_code: int | None = None  # the session is over (session.json); None: it can go on
    starts: int = 0  # processes so far
    doing: str = ""  # what keeps its process from its first beat, by its own word
    began_wall_ns: int | None = None  # when its first process began
    gone_since_ns: int | None = None  # wall clock; its folder is gone, or another session's, since; None: it is there

    # the journal
    records: int = 0  # read so far
    read_mono_ns: int | None = None  # when it was last read to its end
    unread_since_ns: int | None = None  # wall clock; records wait to be read since; None: all are read
    written_wall_ns: int | None = None  # of the last record that has a time
    beat_wall_ns: int | None = None
    beat_mono_ns: int | None = None
    exchange_ns: int | None = None  # at the beat
    records_left: int | None = None
    frames: int = 0  # of the present process
    inputs: int = 0
    damage: str = ""  # what is wrong with the journal; "": nothing
    disk_free_bytes: int | None = None
    telemetry: Telemetry | None = None
    telemetry_wall_ns: int | None = None
    ledger: Ledger | None = None
    halt: str = ""  # name of what halts entries (`codes.HALT_NAMES`, or "flatten"); "": nothing
    halt_since_ns: int | None = None
    differences: list["Difference"] = field(
        default_factory=list
    )  # what the broker's books had that was not its own, or otherwise: the last few

    # the feed
    feed_stale: bool = True
    feed_since_ns: int | None = None  # wall clock
    feed_since_mono_ns: int = 0  # 0: not known
    connections: dict[int, bool] = field(default_factory=dict)  # by number, whether healthy
    packet_mono_ns: int | None = None  # when the last packet came
    is_market_open: bool | None = None  # by the exchange's clock and the session's calendar
    open_for_ns: int = 0  # for how long, likewise
    delay_min_ns: int | None = (
        None  # least of (receipt - exchange's time) in the last minute of packets; None: not of one day
    )
    ticks_unused: Counter[str] = field(
        default_factory=Counter
    )  # packets that were no ticks, by reason (`brokers.packets`)
    unused_before: Counter[str] = field(default_factory=Counter)  # of that, by earlier processes
    unused_now: Counter[str] = field(default_factory=Counter)  # of that, by the present one
    ticks_rejected: Counter[str] = field(default_factory=Counter)  # by the core, by reason

    # decisions
    commands: Counter[str] = field(default_factory=Counter)
    denied: Counter[str] = field(default_factory=Counter)
    instruments: list[InstrumentView] = field(default_factory=list)
    orders: dict[int, OrderView] = field(default_factory=dict)  # the last 1,000
    order_ends: Counter[str] = field(default_factory=Counter)  # sent, filled, cancelled, rejected, not_sent, not_found
    trades: int = 0
    net_pnl: int = 0
    charges: int = 0  # of trades

    # latencies, in s (slippage: rupees a unit, positive: worse than the decision's price)
    latency: dict[str, Histogram] = field(default_factory=dict)  # by stage: decode, decide, order, total
    feed_delay: Histogram | None = None
    round_trip: Histogram | None = None
    slippage: dict[str, Histogram] = field(default_factory=dict)  # entry, exit
    # Of orders that have ended, by role: order_send, order_ack and order_fill, s
    order_steps: dict[str, dict[str, Histogram]] = field(default_factory=dict)
    slippage_paise: dict[str, dict[str, int]] = field(
        default_factory=dict
    )  # of all filled units, by what they are held against, then entry or exit
    partial_fills: int = 0  # that did not complete their order
    orders_timed_out: int = 0  # had no answer for too long, at any time

    # the log
    log_lines: Counter[str] = field(default_factory=Counter)  # by level
    is_log_behind: bool = False  # it was not read to its end yet, so its errors may be old
    last_error: LogLine | None = None  # that entries are halted is said elsewhere, and none
    halt_lines: int = 0  # errors that say it
    short_of_funds: LogLine | None = None  # the last entry that was denied as the broker's funds buy no lot
    feed_reason: str = ""  # why the feed is stale, by the log's last line about it
    order_channel_up: bool | None = None  # by the log's last line of the present process about it; None: none was said
    order_channel_wall_ns: int = 0  # of that line

    # what other work found
    drift_percent: float | None = None  # how much slower than its baseline; None: it is not
    drift_since_ns: int | None = None
    replay: str = ""  # what a replay found that differs; "": nothing, or none was made
    news: list["News"] = field(
        default_factory=list
    )  # what happened since the last look, oldest first; the looker empties it
    spent: list[Spent] = field(default_factory=list)  # since the last look, oldest first, likewise; in bounds
    config_hash: str = ""  # as session.json has it
    exchanges: tuple[str | None, ...] = ()

    def symbol_of(self, instrument: int) -> str:
        """Return the symbol of an instrument, by its number; of one that is not there, its number in words."""
        known = 0 <= instrument < len(self.instruments)
        return self.instruments[instrument].symbol if known else f"instrument {instrument}"

    def note_difference(self, wall_ns: int, halts_by: int, text: str) -> None:
        """Note what the broker's books have."""
        self.differences = [*self.differences, Difference(wall_ns, halts_by, text)][-DIFFERENCES_MAX:]

    @property
    def holds(self) -> dict[str, int]:
        """Units held, by symbol, where there are any."""
        return {each.symbol: each.quantity for each in self.instruments if each.quantity}

    @property
    def runs(self) -> bool:
        """Whether a process of it lives."""
        return self.process is not None and self.process.is_alive and self.stopped_code is None

    @property
    def is_dead(self) -> bool:
        """Whether its last process went without a word."""
        is_gone = self.process is not None and not self.process.is_alive and self.stopped_code is None
        return is_gone or (self.lost_start is not None and not self.runs)


@dataclass(frozen=True)
class News:
    """Something that happened and is no fault: `kind` is entry, exit, day_start or day_end."""

    kind: str
    session: str
    wall_ns: int
    text: str  # in one line, for people
    of: str = ""  # kind of the session
