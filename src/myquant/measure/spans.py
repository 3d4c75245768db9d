"""The recorder of a tick's spans, on the hot path: a clock read and two stores a boundary, no object that is kept.

A mark is a switch: from now on the time is this component's. So times are self times, each moment belongs to one
component, and shares can't exceed 100 %. Everything is preallocated and nothing is overwritten; what has no room is counted.
Sums, costs and collections are the business of `carve`, off the hot path.
"""

import time
from collections.abc import Callable, Collection, Generator
from typing import Any, Final

import numpy as np

from myquant.errors import ConfigError
from myquant.measure.breakdown import STAMPS, Breakdown
from myquant.measure.calibration import FREE, Calibration
from myquant.measure.carve import carve
from myquant.measure.names import NAMES
from myquant.measure.table import ADDED, AGAIN, BEGIN, Recorded

__all__ = ["ACKNOWLEDGED", "AGAIN", "DECIDED", "FILLED", "ORDERED", "Spans"]

MARKS_PER_TICK: Final = 16
OWN_MAX: Final = AGAIN - len(NAMES)  # components of one's own
EMPTY: Final = -3  # an entry of the log that was not used yet
_FIELDS: Final = STAMPS.names or ()
# What `note` stamps: places in a tick's stamps.
DECIDED, ORDERED, ACKNOWLEDGED, FILLED = (
    _FIELDS.index(f"{name}_ns") for name in ("decided", "ordered", "acknowledged", "filled")
)
_ARRIVED, _HANDED, _BEGUN, _DONE = (_FIELDS.index(f"{name}_ns") for name in ("arrived", "handed", "begun", "done"))

Clock = Callable[[], int]
Ints = np.ndarray[Any, np.dtype[np.int64]]

# Takes a code and does nothing, in 12 ns: a function of ours would take twice that. For ticks whose spans are not taken.
_skip: Final[Callable[[int], object]] = ().count


class Spans:
    """Records one thread's ticks: `begin`, any number of marks, `end`.

    Attributes:
        begin: begin a tick: `begin(arrived_ns, handed_ns)`, when its frame was read from the socket and when its reader
            had handed it over, on this clock. 0: when the tick begins. The beginning itself is noted where spans are taken.
        mark: `mark(code)`: from now on the time is component `code`'s. `mark(AGAIN + code)`: it is again, on leaving an
            inner span, and counts as no further call. `UNATTRIBUTED` is nobody's, `CORE` that of the compiled core.
            Replaced from tick to tick: look it up once in each, not once for all.
        add: `add(code, duration_ns)`: so much of the time that the open component has in this tick is `code`'s.
        note: `note(DECIDED)` and so on: stamp the present tick; the last time counts.
        note_at: `note_at(kind, tick)`: stamp an earlier one.
        end: the tick is done.
        is_open: whether the present tick's spans are taken. Where marks are many, a tick of which they are not may go
            another way, without any.
        dropped: ticks that had no room.
        every: the trees of 1 tick in so many are taken.
        skips: marks that a tick makes of which the spans are not taken; None: as many as the others.
        calibration: what this instrument costs.

    Measured on two shared virtual cores: a mark 105 ns in a loop, of which 50 are the clock's, and 130 in a tick that works;
    `begin` and `end` 600 ns together, 320 on a tick of which the spans are not taken.
    """

    begin: Callable[[int, int], None]
    mark: Callable[[int], object]
    add: Callable[[int, int], None]
    note: Callable[[int], None]
    note_at: Callable[[int, int], None]
    end: Callable[[], None]

    def __init__(
        self,
        capacity: int,
        marks: int = 0,
        own: Collection[str] = (),
        clock: Clock = time.monotonic_ns,
        calibration: Calibration = FREE,
    ) -> None:
        """Make room for `capacity` ticks and so many `marks` (0: 16 a tick); `own`: components from code FIRST_OWN."""
        if capacity < 1 or marks < 0:
            raise ConfigError(f"spans: room for {capacity} ticks and {marks} marks: give one tick or more")
        self.names = (*NAMES, *own)
        if len(set(self.names)) < len(self.names) or len(self.names) > AGAIN:
            raise ConfigError(f"spans: components {', '.join(own)}: give at most {OWN_MAX}, each a name of its own")
        self.capacity = capacity
        self.calibration = calibration
        self.clock = clock
        self.is_open = False
        self.dropped = 0
        self.every = 1
        self.skips: float | None = None
        marks = marks or MARKS_PER_TICK * capacity
        self._stamps = _touched((len(_FIELDS), capacity + 1))  # one row more, for ticks without room
        self._codes = [EMPTY] * (marks + 1)
        self._times, self._durations = _touched((marks,)), _touched((marks,))
        self._places: Ints = np.arange(capacity)
        self._lost = [0]
        self._arm()

    @property
    def tick(self) -> int:
        """Number of the present tick, from 0 (-1: none yet); `capacity` for one that has no room."""
        return self._row()

    @property
    def lost(self) -> int:
        """Marks that had no room: the ticks from the first of them on have no tree."""
        return self._lost[0]

    def sample_every(self, k: int, seed: int) -> None:
        """Take the tree of one tick in every `k`, drawn at random in each stretch of k. Call it before the first tick."""
        if k < 1:
            raise ConfigError(f"spans: one tick in every {k}: give 1 or more")
        if self.tick >= 0:
            raise ConfigError("spans: ticks are recorded already: choose the sample before the first tick")
        firsts = np.arange(0, self.capacity, k)
        places = firsts + np.random.default_rng(seed).integers(0, k, len(firsts))
        self.every = k
        self._places = places[places < self.capacity]
        self._arm()

    def breakdown(
        self,
        core_ns: Any = None,
        core_calls: Any = None,
        *,
        measured: Collection[int] = (),
        collections: Any = None,
        intended_ns: Any = None,
        exchange_ns: Any = None,
    ) -> Breakdown:
        """Return where the time of the ticks recorded so far went; not on the hot path.

        Args:
            core_ns: float (n, 4), each tick's time in CORE_CODES inside the compiled core, carved out of CORE's;
                n the ticks begun, or more. core_calls: likewise how often they were entered; None: once where not 0.
            measured: codes that the pipeline has, beside those that some tick entered.
            collections: the collector's pauses, as `PauseRecorder.pauses` gives them; None: it was not watched.
            intended_ns: (n,) when each tick was due, 0 where unknown. exchange_ns: likewise its exchange time.
        """
        given = {"core_ns": core_ns, "core_calls": core_calls, "intended_ns": intended_ns, "exchange_ns": exchange_ns}
        return carve(self.recorded(), self.calibration, measured=measured, collections=collections, **given)

    def recorded(self) -> Recorded:
        """Return what is recorded so far."""
        used = self._codes.index(EMPTY)
        return Recorded(
            names=self.names,
            stamps=self._stamps[:, : min(self.tick + 1, self.capacity)],
            places=self._places,
            codes=np.array(self._codes[:used], np.int64),
            times=self._times[:used],
            durations=self._durations,
            is_cut=self.lost > 0,
            every=self.every,
            dropped=self.dropped,
            skips=self.skips,
        )

    def _arm(self) -> None:
        """Make the functions of the hot path: closures, whose variables are found faster than attributes."""
        stamps = [column.data for column in self._stamps]  # they take an int in half the time of NumPy's arrays
        put = _log(self._codes, self._times.data, self.clock, self._lost)
        self.begin, self.end, self._row = _ticks(self, stamps, put, self._places.tolist(), self._lost)
        self.note, self.note_at = _notes(stamps, self.clock, self._row)
        self.add = _additions(self, put, self._durations.data)
        self.mark = _skip


def _touched(shape: tuple[int, ...]) -> Ints:
    """Return zeros in memory that the system has given already, so that it need not during a tick."""
    made = np.empty(shape, np.int64)
    made.fill(0)
    return made


def _log(codes: list[int], times: memoryview, clock: Clock, lost: list[int]) -> Callable[[int], object]:
    """Return what notes a code and the time, and answers True once the log is full.

    It is `send` of a generator, whose state is locals: a closure takes 10 ns more.
    """

    def log() -> Generator[bool, int, None]:
        for at in range(len(times)):
            codes[at] = yield False
            times[at] = clock()
        while True:
            yield True
            lost[0] += 1

    started = log()
    next(started)
    return started.send


def _ticks(
    spans: Spans, stamps: list[memoryview], put: Callable[[int], object], places: list[int], lost: list[int]
) -> tuple[Callable[[int, int], None], Callable[[], None], Callable[[], int]]:
    """Return `begin`, `end`, and what tells the present row."""
    handed, begun, done = (stamps[field] for field in (_HANDED, _BEGUN, _DONE))
    arrived = stamps[_ARRIVED][: spans.capacity]  # an IndexError is the cheapest way to be told that there is no room
    clock = spans.clock
    sample = iter(places)
    upcoming = next(sample, -1)
    row = -1
    is_open = False

    def begin(arrived_ns: int, handed_ns: int) -> None:
        nonlocal row, upcoming, is_open
        row += 1
        try:
            arrived[row] = arrived_ns
        except IndexError:
            row = spans.capacity
            spans.dropped += 1
            return
        if handed_ns:
            handed[row] = handed_ns
        if row == upcoming and not lost[0]:
            upcoming = next(sample, -1)
            is_open = spans.is_open = True
            spans.mark = put
            if put(BEGIN):
                begun[row] = clock()
        elif not arrived_ns:
            arrived[row] = clock()

    def end() -> None:
        nonlocal is_open
        done[row] = clock()
        if is_open:
            is_open = spans.is_open = False
            spans.mark = _skip

    return begin, end, lambda: row


def _notes(
    stamps: list[memoryview], clock: Clock, row: Callable[[], int]
) -> tuple[Callable[[int], None], Callable[[int, int], None]]:
    """Return `note` and `note_at`."""

    def note(kind: int) -> None:
        stamps[kind][row()] = clock()

    def note_at(kind: int, tick: int) -> None:
        stamps[kind][tick] = clock()

    return note, note_at


def _additions(spans: Spans, put: Callable[[int], object], durations: memoryview) -> Callable[[int, int], None]:
    """Return `add`."""
    count = 0

    def add(code: int, duration_ns: int) -> None:
        nonlocal count
        if spans.is_open:
            put(ADDED + code)
            if not spans.lost:
                durations[count] = duration_ns
                count += 1

    return add
