"""Playback: journaled inputs through an engine again, and what it decides held against what was journaled.

Recovery and replay are the same playback. In recovery the order port is asked again, so that what it had not told yet,
or what was decided and not yet journaled when the process died, comes out at the end. In a replay all answers are
among the inputs, and nothing may come out besides.
"""

from collections import deque
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.records import Event
from myquant.exchange import handle
from myquant.journal.record import BODY, COMMAND, DAY, HOLDS, INPUT, NOTE, NUMBER, SNAPSHOT, WORDS, record_dtype
from myquant.session.engine import Engine
from myquant.session.runner import Orders, Runner

ROWS: Final = 1 << 16
STATE: Final = slice(6, 10)  # where a SNAPSHOT note has the hash of the engine's state
_KIND, _CODE, _ORDER = (Event._fields.index(name) for name in ("kind", "code", "order_id"))
ANSWERS: Final = (
    codes.ORDER_ACK,
    codes.ORDER_REJECT,
    codes.FILL,
    codes.CANCELLED,
    codes.MODIFIED,
    codes.CHANGE_REJECT,
)

Rows = np.ndarray[Any, Any]  # journal records: int64 of shape (n, WORDS)


class RowsInMemory:
    """Records that are journaled nowhere: what an engine makes of inputs that are on disk already."""

    def __init__(self, size: int = ROWS) -> None:
        self.rows = np.zeros((size, WORDS), np.int64)
        self.cursor = np.zeros(4, np.int64)
        self._full: list[Rows] = []

    def make_room(self) -> None:
        """Set aside what is written and go on from the first row."""
        written = int(self.cursor[handle.WRITTEN])
        self._full.append(self.rows[: written - int(self.cursor[handle.BEFORE])].copy())
        self.cursor[handle.BEFORE] = written

    def append(self, holds: int, body: Any) -> None:
        """Refuse: nothing but inputs and commands is made again."""
        raise NotImplementedError(f"a record that holds {holds} is not made again: {body}")

    def take(self) -> Rows:
        """Return all rows since the last time."""
        self.make_room()
        full, self._full = self._full, []
        return np.concatenate(full)


@dataclass(frozen=True)
class Difference:
    """Where a playback first differs from the journal; a side is None where it has no record there."""

    record: int  # number in the journal: of the record, or of the snapshot's note
    what: str
    recorded: dict[str, Any] | None
    replayed: dict[str, Any] | None


class DifferenceError(Exception):
    """The playback came to another decision than the journal holds."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.what)
        self.difference = difference


class Playback:
    """Takes blocks of a journal in order.

    Attributes:
        missing: what the engine and its order port made beyond what the journal holds, int64 of shape (n, WORDS).
        states: the hash of the state at each snapshot's note, as computed here, has been compared this many times.
    """

    def __init__(self, engine: Engine, orders: Orders, *, asks_again: bool) -> None:
        self.engine = engine
        self.states = 0
        self.inputs = 0
        self.commands = 0
        self._memory = RowsInMemory()
        self.runner = Runner(engine, self._memory, orders)
        self.runner.on_day = self._take_day
        self._asks_again = asks_again
        self._days: deque[np.void] = deque()
        self._recorded: Rows = np.zeros((0, WORDS), np.int64)
        self.missing: Rows = self._recorded

    def feed(self, rows: Rows) -> None:
        """Take a block of whole, valid records. Raises DifferenceError at the first that comes out otherwise."""
        notes = np.flatnonzero((rows[:, HOLDS] == NOTE) & (rows[:, BODY] == SNAPSHOT))
        begin = 0
        for end in notes.tolist():
            self._feed(rows[begin:end])
            self._compare_state(rows[end])
            begin = end
        self._feed(rows[begin:])

    def _feed(self, rows: Rows) -> None:
        holds = rows[:, HOLDS]
        days = np.ascontiguousarray(rows[holds == DAY])
        self._days.extend(days.view(record_dtype(DAY)).reshape(-1)["body"])
        inputs = rows[holds == INPUT][:, BODY:]
        self.inputs += len(inputs)
        self.commands += int((holds == COMMAND).sum())
        if self._asks_again:
            refused = inputs[(inputs[:, _KIND] == codes.ORDER_REJECT) & (inputs[:, _CODE] == codes.NOT_SENT)]
            self.runner.unsent.update(refused[:, _ORDER].tolist())
            inputs = inputs[~np.isin(inputs[:, _KIND], ANSWERS)]
        self.runner.take(np.ascontiguousarray(inputs))
        self._compare(rows[(holds == INPUT) | (holds == COMMAND)], self._memory.take())

    def _take_day(self, who: int, time_ns: int) -> None:
        while self._days:
            note = self._days.popleft()
            self._set_day(note)
            if note["instrument"] == who and note["day"]["start_ns"] <= time_ns < note["day"]["end_ns"]:
                return
        number = int(self._recorded[-1, NUMBER]) if len(self._recorded) else 0
        raise DifferenceError(
            Difference(number, f"the journal holds no rules of the day of instrument {who} at {time_ns} ns", None, None)
        )

    def _set_day(self, note: np.void) -> None:
        self.engine.days[int(note["instrument"])] = note["day"]

    def _compare(self, recorded: Rows, made: Rows) -> None:
        recorded = np.concatenate([self._recorded, recorded])
        made = np.concatenate([self.missing, made])
        both = min(len(recorded), len(made))
        same = (recorded[:both, HOLDS:] == made[:both, HOLDS:]).all(axis=1)
        if not same.all():
            at = int(np.argmin(same))
            raise DifferenceError(_difference(recorded[at], made[at], self.engine))
        self._recorded, self.missing = recorded[both:], made[both:]

    def _compare_state(self, row: Rows) -> None:
        """Hold the state against the hash in a snapshot's note."""
        if len(self.missing) or len(self._recorded):
            return  # the note of a journal that was cut; the difference shows in the records
        note = row.view(record_dtype(NOTE))[0]["body"]
        found = state_hash(self.engine)
        self.states += 1
        if not np.array_equal(note["values"][STATE], found):
            recorded, replayed = ({"state_hash": _hex(words)} for words in (note["values"][STATE], found))
            raise DifferenceError(
                Difference(int(row[NUMBER]), "the state differs from that of the snapshot", recorded, replayed)
            )

    def end(self) -> None:
        """Take the end of the journal. Raises DifferenceError where it holds more than was made."""
        for note in self._days:
            self._set_day(note)
        self._days.clear()
        if len(self._recorded):
            raise DifferenceError(_difference(self._recorded[0], None, self.engine))


def state_hash(engine: Engine) -> np.ndarray[Any, Any]:
    """Return the hash of the whole state, four words."""
    return np.frombuffer(blake2b(engine.snapshot(), digest_size=32).digest(), "<i8")


def _hex(words: np.ndarray[Any, Any]) -> str:
    return np.ascontiguousarray(words).tobytes().hex()


def _difference(recorded: Rows | None, made: Rows | None, engine: Engine) -> Difference:
    """Return how two records differ; the replayed side shows the state that this engine is in, too."""
    number = int(recorded[NUMBER]) if recorded is not None else 0
    sides = [None if row is None else _readable(row) for row in (recorded, made)]
    names = [side["name"] if side else "nothing" for side in sides]
    state = engine.account()._asdict() | {"of": "the account, where the replay stopped"}
    if sides[1] is not None:
        sides[1] = {**sides[1], "state": state}
    return Difference(number, f"the journal holds {names[0]}, the replay makes {names[1]}", *sides)


def _readable(row: Rows) -> dict[str, Any]:
    """Return a record as a dictionary of its fields, with a name to read."""
    body = np.ascontiguousarray(row).view(record_dtype(int(row[HOLDS])))[0]["body"]
    fields: dict[str, Any] = {}
    for name in body.dtype.names or ():
        value = body[name]
        fields[name] = {part: int(value[part]) for part in value.dtype.names} if value.dtype.names else int(value)
    if row[HOLDS] == INPUT:
        return {"name": f"input {codes.EVENT_NAMES[fields['event']['kind']]}", **fields["event"]}
    return {"name": f"command {codes.COMMAND_NAMES[fields['kind']]}", **fields}
