"""A session's journal as series over time: what its page draws.

One instrument a price per second; how long ticks took per minute as counts in buckets; the account per second; the prices that close a
position; entries, exits, halts and outages one by one. Prices and money: paise. Times: ns; `CLOCK` columns and marks have the exchange's.
"""

from collections import deque
from datetime import date, datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from myquant.config.loading import load_config
from myquant.core import codes
from myquant.core.records import Command, Day, Event
from myquant.dashboard import trace_rows as rows_of
from myquant.dashboard.trace_rows import NO_MINUTE, NO_ROW, NONE_WAITS, STAGES, Tables, Words
from myquant.journal.reader import BLOCK_RECORDS, JournalReader
from myquant.journal.record import BODY, COMMAND, FLATTENED, HALTED_BY, HOLDS, INPUT, DayNote
from myquant.journal.scan import End
from myquant.session import archive

# Bounds. Where a table is full its older half goes.
BARS_MAX: Final = 1 << 20  # 46 days of one instrument that trades every second; 59 MB
LEDGERS_MAX: Final = 1 << 19  # 6 days; 25 MB
LEVELS_MAX: Final = 1 << 17  # 14 MB
TALLIES_MAX: Final = 1 << 16  # 3 MB
MINUTES_MAX: Final = 1500  # four days; 10 kB each where ticks take what they take, 80 kB at the most
EVENTS_MAX: Final = 10_000  # marks; halts and outages likewise
_FIRST_ROOM: Final = 1 << 12

ENTRY: Final = "entry"
EXIT: Final = "exit"
FLATTEN: Final = HALTED_BY[FLATTENED]
LOSS: Final = codes.HALT_NAMES[codes.BY_DAY_LOSS]

Sparse = tuple[NDArray[np.uint16], NDArray[np.uint32]]  # buckets that hold something, and how many
_EVENT_WORDS: Final = len(Event._fields)
_DAY_START: Final = len(DayNote._fields) - 1 + Day._fields.index("start_ns")


class Mark(NamedTuple):
    """An entry or an exit, as it was booked."""

    what: str  # ENTRY or EXIT
    instrument: int
    time_ns: int
    price: int  # average
    quantity: int
    position_id: int
    reason: str = ""  # of an exit
    net: int | None = None  # likewise, after charges
    stop: int | None = None  # of an entry


class Span(NamedTuple):
    """A stretch of time in which entries were halted, or the feed was stale."""

    from_ns: int
    to_ns: int | None  # None: it goes on
    reason: str = ""


class Refused(NamedTuple):
    """How often something was refused for a reason."""

    reason: str
    times: int
    last_ns: int | None  # exchange time; None: longer ago than what is kept


class Outline(NamedTuple):
    """What a trace is of: the symbols of the instruments by their number, and the session's zone."""

    symbols: tuple[str, ...]
    zone: ZoneInfo


class Trace:
    """Takes the records of one session's journal, in order; any cut into blocks gives the same.

    Attributes:
        symbols: of the instruments, by their number.
        zone: the session's.
        records: how many were taken.
        end: where the journal ends and what stands behind; None: nobody has looked, or it goes on.
        marks, halts, outages: in order, the newest EVENTS_MAX of each.
        forgotten: rows that had to go, as there were more than the bounds allow.
    """

    def __init__(self, symbols: tuple[str, ...], zone: ZoneInfo) -> None:
        self.symbols = symbols
        self.zone = zone
        self.records = 0
        self.end: End | None = None
        self.forgotten = 0
        self.marks: deque[Mark] = deque(maxlen=EVENTS_MAX)
        self.halts: deque[Span] = deque(maxlen=EVENTS_MAX)
        self.outages: deque[Span] = deque(maxlen=EVENTS_MAX)
        self._halting = _Halting(self.halts)
        self._minutes: dict[int, tuple[Sparse, ...]] = {}
        self._tables = _empty_tables(len(symbols))
        self._dated = 0  # bars whose days are known
        self._days: set[date] = set()

    def take(self, block: Words) -> None:
        """Take records: int64 (n, WORDS)."""
        for begin in range(0, len(block), BLOCK_RECORDS):
            self._take(block[begin : begin + BLOCK_RECORDS])

    @property
    def outline(self) -> Outline:
        """What it is of."""
        return Outline(self.symbols, self.zone)

    @property
    def nbytes(self) -> int:
        """Bytes that its arrays hold."""
        sparse = sum(part.nbytes for stages in self._minutes.values() for stage in stages for part in stage)
        return sparse + sum(table.nbytes for table in self._tables)

    def bars(self, instrument: int) -> Words:
        """Return the seconds of an instrument in order, (n, BAR_WORDS): columns of `trace_rows.INSTRUMENT`... A copy."""
        bars = self._used("bars", rows_of.BARS)
        return _where(bars, bars[:, rows_of.INSTRUMENT] == instrument)

    def newest_bars(self, instrument: int, since_s: int) -> Words:
        """Return those from a second on (Unix time); it costs what they are, not what is behind them."""
        bars = self._used("bars", rows_of.BARS)
        seconds = bars[:, rows_of.SECOND]
        at = len(bars)
        while at and seconds[max(0, at - 256) : at].max() >= since_s:
            at = max(0, at - 256)
        newest = bars[at:]
        return _where(newest, (newest[:, rows_of.INSTRUMENT] == instrument) & (newest[:, rows_of.SECOND] >= since_s))

    def ledgers(self) -> Words:
        """Return the account second by second, (n, LEDGER_WORDS): columns `trace_rows.WALL`... Not copied."""
        return self._used("ledgers", rows_of.LEDGERS)

    def levels(self, instrument: int) -> Words:
        """Return for how long an instrument's stop, floor and target stood where, (n, LEVEL_WORDS). A copy."""
        levels = self._used("levels", rows_of.LEVELS)
        return _where(levels, levels[:, rows_of.INSTRUMENT] == instrument)

    def tallies(self, what: int) -> Words:
        """Return how often something was refused by minute of exchange time, (n, TALLY_WORDS); what: DENIED or REJECTED."""
        tallies = self._used("tallies", rows_of.TALLIES)
        return _where(tallies, tallies[:, rows_of.WHAT] == what)

    def refused(self, what: int) -> list[Refused]:
        """Return how often in all, by reason, most frequent first; what: DENIED (entries) or REJECTED (ticks)."""
        names = codes.DENIAL_NAMES if what == rows_of.DENIED else codes.REJECTION_NAMES
        totals = self._tables.totals[what]
        last_ns = {row[rows_of.REASON]: row[rows_of.LAST] for row in self.tallies(what).tolist()}
        found = sorted(((int(totals[code]), int(code)) for code in np.flatnonzero(totals)), reverse=True)
        return [Refused(names.get(code, f"code_{code}"), count, last_ns.get(code)) for count, code in found]

    def minutes(self) -> list[int]:
        """Return the minutes (Unix time / 60 s) of which latencies are known, in order."""
        now = int(self._tables.memo[rows_of.MINUTE])
        return sorted({*self._minutes, now} - {NO_MINUTE})

    def counts(self, minutes: list[int]) -> NDArray[np.int64]:
        """Return the counts of some minutes together: (stages, BUCKETS), see `trace_rows.STAGES`."""
        summed = np.zeros((len(STAGES), rows_of.BUCKETS), np.int64)
        for minute in minutes:
            for stage, (places, counts) in enumerate(self._minutes.get(minute, ())):
                summed[stage, places] += counts
            if minute == self._tables.memo[rows_of.MINUTE]:
                summed += self._tables.counts
        return summed

    def days(self) -> list[date]:
        """Return the days of which there are prices, in the session's zone; it costs what came since it was asked last."""
        seconds = self._used("bars", rows_of.BARS)[:, rows_of.SECOND]
        if len(seconds) < self._dated:  # the older half went
            self._dated, self._days = 0, set()
        hours = np.unique(seconds[self._dated :] // 900 * 900)  # zones differ by quarters of an hour
        self._days |= {datetime.fromtimestamp(second, self.zone).date() for second in hours.tolist()}
        self._dated = len(seconds)
        return sorted(self._days)

    @property
    def has_days(self) -> bool:
        """Whether there are prices of more than one day."""
        return len(self.days()) > 1

    def _used(self, name: str, place: int) -> Words:
        table: Words = getattr(self._tables, name)[: self._tables.memo[place]]
        table.flags.writeable = False
        return table

    def _take(self, block: Words) -> None:
        self._make_room(len(block))
        memo, at = self._tables.memo, 0
        memo[rows_of.SELDOM] = 0
        while (at := rows_of.fold(block, at, self._tables)) < len(block):
            self._put_away()
        for place in self._tables.seldom[: memo[rows_of.SELDOM]].tolist():
            self._take_seldom(block[place].tolist())
        self.records += len(block)

    def _put_away(self) -> None:
        """Keep the counts of the minute that is over."""
        memo, counts = self._tables.memo, self._tables.counts
        minute = int(memo[rows_of.MINUTE])
        if minute in self._minutes:  # the machine's clock was set
            summed = self.counts([minute])
            self._minutes[minute] = tuple(map(_sparse, summed))
        else:
            self._minutes[minute] = tuple(map(_sparse, counts))
            if len(self._minutes) > MINUTES_MAX:
                self.forgotten += 1
                del self._minutes[next(iter(self._minutes))]
        counts[:] = 0
        memo[rows_of.MINUTE] = NO_MINUTE

    def _make_room(self, count: int) -> None:
        """Have room for so many more rows in each table."""
        tables = self._tables
        for name, place, most, newest in (
            ("bars", rows_of.BARS, BARS_MAX, tables.last_bars[:, 0]),
            ("ledgers", rows_of.LEDGERS, LEDGERS_MAX, None),
            ("levels", rows_of.LEVELS, LEVELS_MAX, tables.last_levels),
            ("tallies", rows_of.TALLIES, TALLIES_MAX, tables.last_tallies),
        ):
            table, used = getattr(tables, name), int(tables.memo[place])
            if used + count > most:
                drop = used - most // 2
                table[: used - drop] = table[drop:used].copy()
                tables.memo[place] = used = used - drop
                self.forgotten += drop
                if newest is not None:
                    newest[:] = np.where(newest >= drop, newest - drop, NO_ROW)
            if used + count > len(table):
                grown = np.zeros((min(most, max(2 * len(table), used + count)), table.shape[1]), np.int64)
                grown[:used] = table[:used]
                self._tables = self._tables._replace(**{name: grown})
        if len(tables.seldom) < count:
            self._tables = self._tables._replace(seldom=np.zeros(count, np.int64))

    def _take_seldom(self, row: list[int]) -> None:
        body = row[BODY:]
        if row[HOLDS] == COMMAND:
            self._take_command(Command._make(body))
        elif row[HOLDS] == INPUT:
            self._take_event(Event._make(body[:_EVENT_WORDS]))
        else:
            self._halting.begin_day(body[_DAY_START])

    def _take_command(self, command: Command) -> None:
        about = (command.instrument, command.time_ns, command.price, command.quantity, command.position_id)
        if command.kind == codes.POSITION_OPENED:
            self.marks.append(Mark(ENTRY, *about, stop=command.stop or None))
        elif command.kind == codes.TRADE_CLOSED:
            self.marks.append(Mark(EXIT, *about, codes.EXIT_NAMES.get(command.reason, ""), command.net))
        elif command.kind == codes.RESUMED:
            self._halting.lift(command.time_ns)
        else:
            self._halting.halt(command.reason, command.time_ns)

    def _take_event(self, event: Event) -> None:
        if event.kind == codes.FEED_STATUS:
            if event.code != codes.FEED_IS_STALE:
                _end(self.outages, "", event.time_ns)
            elif not (self.outages and self.outages[-1].to_ns is None):
                self.outages.append(Span(event.time_ns, None))
        elif event.code == codes.ASK_RESUME:
            self._halting.resume(event.time_ns)
        elif event.code == codes.ASK_FLATTEN:
            self._halting.flatten(event.time_ns)


class _Halting:
    """What halts entries, as the account has it (`core.fills.halt`, `core.routine`): the day's loss stands beside all other reasons."""

    def __init__(self, spans: deque[Span]) -> None:
        self._spans = spans
        self._reason, self._flattens = codes.NOT_HALTED, False
        self._shown = ""  # of these two: what the span that goes on has
        self._lost_ns: int | None = None  # since when the day is stopped for its loss; None: it is not

    def halt(self, reason: int, time_ns: int) -> None:
        """Take a halt: a grave reason stays, and any for which an order of unknown state is no news."""
        if reason == codes.BY_DAY_LOSS:
            if self._lost_ns is None:
                self._lost_ns = time_ns
                self._spans.append(Span(time_ns, None, LOSS))
            return
        is_grave = self._reason in codes.GRAVE and reason not in codes.GRAVE
        if not is_grave and (reason != codes.BY_UNKNOWN_ORDER or self._reason == codes.NOT_HALTED):
            self._reason = reason
        self._show(time_ns)

    def lift(self, time_ns: int) -> None:
        """Note that the reason is over by itself."""
        self._reason = codes.NOT_HALTED
        self._show(time_ns)

    def resume(self, time_ns: int) -> None:
        """Take an operator's wish, which lifts all but the day's loss."""
        self._flattens = False
        self.lift(time_ns)

    def flatten(self, time_ns: int) -> None:
        """Take an operator's wish, after which entries wait for a resume."""
        self._flattens = True
        self._show(time_ns)

    def begin_day(self, start_ns: int) -> None:
        """Note that ticks of a calendar day come: a loss of one before it is over."""
        if self._lost_ns is not None and self._lost_ns < start_ns:
            self._lost_ns = None
            _end(self._spans, LOSS, start_ns)

    def _show(self, time_ns: int) -> None:
        word = HALTED_BY.get(self._reason, f"code_{self._reason}") or (FLATTEN if self._flattens else "")
        if word != self._shown and self._shown:
            _end(self._spans, self._shown, time_ns)
        if word != self._shown and word:
            self._spans.append(Span(time_ns, None, word))
        self._shown = word


def _end(spans: deque[Span], reason: str, time_ns: int) -> None:
    """End the span that goes on for a reason, the last one of it; one that lasted no time is none."""
    for place in range(len(spans) - 1, -1, -1):
        if spans[place].reason == reason:
            if spans[place].from_ns == time_ns:
                del spans[place]
            elif spans[place].to_ns is None:
                spans[place] = spans[place]._replace(to_ns=time_ns)
            return


def _where(table: Words, chosen: NDArray[np.bool_]) -> Words:
    rows: Words = table[chosen]
    return rows


def _sparse(counts: NDArray[np.generic]) -> Sparse:
    places = np.flatnonzero(counts)
    return places.astype(np.uint16), counts[places].astype(np.uint32)


def _empty_tables(instruments: int) -> Tables:
    def table(width: int) -> Words:
        return np.zeros((_FIRST_ROOM, width), np.int64)

    memo = np.zeros(rows_of.MEMO_WORDS, np.int64)
    memo[rows_of.MINUTE], memo[rows_of.SEQUENCE] = NO_MINUTE, NONE_WAITS
    return Tables(
        memo=memo,
        bars=table(rows_of.BAR_WORDS),
        last_bars=np.tile(np.array([NO_ROW, codes.BEFORE_ALL], np.int64), (instruments, 1)),
        counts=np.zeros((len(STAGES), rows_of.BUCKETS), np.uint32),
        ledgers=table(rows_of.LEDGER_WORDS),
        levels=table(rows_of.LEVEL_WORDS),
        last_levels=np.full(instruments, NO_ROW, np.int64),
        tallies=table(rows_of.TALLY_WORDS),
        last_tallies=np.full((2, rows_of.REASONS_MAX), NO_ROW, np.int64),
        totals=np.zeros((2, rows_of.REASONS_MAX), np.int64),
        seldom=np.zeros(_FIRST_ROOM, np.int64),
    )


def outline_of(folder: Path) -> Outline:
    """Return what the trace of a session's folder is of. Raises MyquantError."""
    facts = archive.read(folder)
    loaded = archive.config_of(folder, load_config())
    return Outline(facts.symbols, ZoneInfo(loaded.config.session.timezone))


def empty_trace(folder: Path) -> Trace:
    """Return the trace of a session's folder of which nothing was read. Raises MyquantError."""
    return Trace(*outline_of(folder))


def read_trace(folder: Path) -> Trace:
    """Return the trace of a session's folder, whether it runs, has ended or was killed: of all its sound records.

    `end` says what stands behind these. Raises MyquantError for a folder that is no session's or can't be read.
    """
    trace = empty_trace(folder)
    reader = JournalReader(folder)
    for block in reader.blocks():
        trace.take(block)
    trace.end = reader.end(trace.records)
    return trace


def prepare() -> None:
    """Have the compiled pass at hand before somebody waits for it."""
    nothing = np.zeros((0, len(Command._fields) + BODY), np.int64)
    nothing.flags.writeable = False  # as what a reader maps
    rows_of.fold(nothing, 0, _empty_tables(1))
