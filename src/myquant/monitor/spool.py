"""Messages on their way, in a file that survives a restart: table `deliveries` of `alerts.sqlite`.

What waits is in memory too, and that is what counts while the monitor runs: a file that can't be written, a full disk or a
damaged file, delays no message. What could not be written is written once it can.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from myquant.errors import cannot_write
from myquant.monitor.book import storable
from myquant.monitor.finding import SEVERITIES
from myquant.monitor.folder import Base
from myquant.monitor.message import Message

FILE: Final = "alerts.sqlite"
WAITING_MAX: Final = 10_000
UNSAVED_MAX: Final = 20_000
ENDED_MAX: Final = 100_000  # receipts kept
KEPT_NS: Final = 30 * 86_400 * 1_000_000_000  # for so long
BODY_MAX: Final = 32_768  # characters
TITLE_MAX: Final = 250

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
GIVEN_UP: Final = "given_up"

_TABLE: Final = """
create table if not exists deliveries (
  id integer primary key, digest text not null unique, channel text not null, severity text not null,
  title text not null, body text not null, alert_ids text not null, created_ns integer not null,
  posted_ns integer not null, is_notice integer not null, state text not null, attempts integer not null,
  tried_ns integer, ended_ns integer, answer text not null
);
create index if not exists deliveries_of_state on deliveries (state, ended_ns);
"""
_WRITE: Final = f"insert or replace into deliveries values ({', '.join('?' * 15)})"  # noqa: S608  (question marks)
_WAITING: Final = "select * from deliveries where state = 'waiting' order by id"
_FORGET: Final = "delete from deliveries where state = 'waiting'"
_OLD: Final = (
    "delete from deliveries where state != 'waiting' and (ended_ns < ? or id <= (select id from deliveries"
    " where state != 'waiting' order by id desc limit 1 offset ?))"
)


@dataclass
class Delivery:
    """A message on its way. Times: the machine's clock, UTC, ns; None: not yet."""

    number: int
    message: Message
    posted_ns: int
    is_notice: bool = False  # of the courier's own: that another channel gave messages up
    state: str = WAITING
    attempts: int = 0
    tried_ns: int | None = None  # the last time
    ended_ns: int | None = None
    answer: str = ""  # what the channel said last, redacted
    digest: str = ""  # what tells two messages apart

    def __post_init__(self) -> None:
        """Take the message's own."""
        self.digest = hashlib.sha256(json.dumps(self.message).encode()).hexdigest()

    @property
    def urgency(self) -> tuple[int, int]:
        """What goes first: the more severe, then the older."""
        return -SEVERITIES.index(self.message.severity), self.number


class Spool:
    """The messages of all channels.

    Args:
        folder: of the monitor's state.
        clock_ns: the machine's clock.
        waiting_max: so many wait; beyond it those that matter least are given up.
        connect: opens a file.

    Attributes:
        trouble: since when (ns) the file can't be written, and why; None: it can.
        overflow: those that were given up because too many waited; the courier empties it.
    """

    def __init__(
        self,
        folder: Path,
        clock_ns: Callable[[], int],
        *,
        waiting_max: int = WAITING_MAX,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
    ) -> None:
        self.trouble: tuple[int, str] | None = None
        self.overflow: list[Delivery] = []
        self._path = folder / FILE
        self._clock_ns = clock_ns
        self._waiting_max = waiting_max
        self._file = Base(self._path, _TABLE, connect)
        self._is_retired = False
        self._was_open = False
        self._waiting: dict[int, Delivery] = {}
        self._unsaved: dict[int, Delivery] = {}
        self._next = 1
        self.save()

    def add(self, message: Message, *, is_notice: bool = False) -> Delivery | None:
        """Take a message: when this returns it is on the disk, unless there is `trouble`. None: it was taken before."""
        title = " ".join(message.title.split())[:TITLE_MAX]
        clean = message._replace(title=storable(title), body=storable(message.body[:BODY_MAX]))
        delivery = Delivery(self._next, clean, self._clock_ns(), is_notice)
        if self._is_known(delivery.digest):
            return None
        self._next += 1
        self._waiting[delivery.number] = delivery
        self.note(delivery)
        if len(self._waiting) > self._waiting_max:
            self._give_one_up()
        return delivery

    def note(self, delivery: Delivery) -> None:
        """Write how a delivery stands."""
        if delivery.state != WAITING:
            self._waiting.pop(delivery.number, None)
        self._unsaved[delivery.number] = delivery
        if self.trouble is None:  # else whoever calls `save` now and then writes it
            self.save()
        if len(self._unsaved) > UNSAVED_MAX:
            ended = (number for number, each in self._unsaved.items() if each.state != WAITING)
            self._unsaved.pop(next(ended), None)

    def waiting(self, channel: str) -> list[Delivery]:
        """Return what waits for a channel, in the order in which it is to go."""
        mine = (each for each in self._waiting.values() if each.message.channel == channel)
        return sorted(mine, key=lambda each: each.urgency)

    def lengths(self) -> dict[str, int]:
        """Return how many messages wait, by channel."""
        lengths: dict[str, int] = {}
        for each in self._waiting.values():
            lengths[each.message.channel] = lengths.get(each.message.channel, 0) + 1
        return lengths

    def save(self) -> None:
        """Write what could not be written before; where it can't be, `trouble` says so."""
        if self._is_retired:
            return
        try:
            base = self._file.connection or self._open()
            if self._unsaved or self._file.is_another:
                base.execute("begin immediate")
                if self._file.is_another:  # what waits there was put there by somebody else, or was delivered meanwhile
                    base.execute(_FORGET)
                base.executemany(_WRITE, [_row(each) for each in self._unsaved.values()])
                base.execute("commit")
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        else:
            self._unsaved.clear()
            self._file.is_another = False
            self.trouble = None

    def clean(self) -> None:
        """Remove receipts that are old, or too many."""
        if (base := self._base) is not None:
            with suppress(sqlite3.Error):  # another time
                base.execute(_OLD, (self._clock_ns() - KEPT_NS, ENDED_MAX))

    def is_lost(self) -> bool:
        """Return whether the file that is written to was removed, or another one put into its place."""
        return self._file.is_lost()

    def retire(self) -> None:
        """Write nothing any more: the file is another monitor's. What waits is in memory."""
        self._is_retired = True
        self.close()

    def close(self) -> None:
        """Close the file; the next `save` opens the one that is there then."""
        self._file.close()

    @property
    def _base(self) -> sqlite3.Connection | None:
        return self._file.connection

    def _open(self) -> sqlite3.Connection:
        """Open the file, and go on with what it holds; where one was open before, with what is in memory."""
        base = self._file.open()
        try:
            last = base.execute("select coalesce(max(id), 0) from deliveries").fetchone()[0]
            found = [] if self._was_open else [_delivery(row) for row in base.execute(_WAITING)]
        except sqlite3.Error:
            self._file.close()
            raise
        if not self._was_open:
            self._was_open = True
            self._number_behind(last)
            self._waiting.update((each.number, each) for each in found)
        else:
            self._unsaved.update(self._waiting)
        self._next = max(self._next, last + 1)
        return base

    def _number_behind(self, last: int) -> None:
        """Give numbers behind those of the file to what came while it could not be read."""
        for each in {**self._waiting, **self._unsaved}.values():
            each.number += last
        self._waiting = {each.number: each for each in self._waiting.values()}
        self._unsaved = {each.number: each for each in self._unsaved.values()}
        self._next += last

    def _fail(self, error: sqlite3.Error | OSError) -> None:
        if isinstance(error, OSError):
            why = str(cannot_write(self._path, error, "give the monitor a state folder of its own (MYQUANT_STATE)"))
        else:
            why = f"{self._path}: can't be written ({error}): free the disk, or move a damaged file away"
        self.trouble = (self._clock_ns() if self.trouble is None else self.trouble[0], why)
        self._file.undo(error)

    def _is_known(self, digest: str) -> bool:
        if any(each.digest == digest for each in self._unsaved.values()):
            return True
        if self._base is None:
            return False
        try:
            found = self._base.execute("select 1 from deliveries where digest = ?", (digest,)).fetchone()
        except sqlite3.Error:  # rather twice than never
            return False
        return found is not None

    def _give_one_up(self) -> None:
        """Give up the oldest of those that matter least."""
        least = max(self._waiting.values(), key=lambda each: (each.urgency[0], -each.number))
        least.state, least.ended_ns, least.answer = GIVEN_UP, self._clock_ns(), "too many messages waited"
        self.overflow.append(least)
        self.note(least)


def _row(each: Delivery) -> tuple[object, ...]:
    message = each.message
    return (
        *(each.number, each.digest, message.channel, message.severity, message.title, message.body),
        *(json.dumps(message.alert_ids), message.created_ns, each.posted_ns, int(each.is_notice), each.state),
        *(each.attempts, each.tried_ns, each.ended_ns, each.answer),
    )


def _delivery(row: tuple[object, ...]) -> Delivery:
    number, _, channel, severity, title, body, alert_ids, created_ns, posted_ns, is_notice, *rest = row
    message = Message(channel, severity, title, body, tuple(json.loads(str(alert_ids))), created_ns)  # type: ignore[arg-type]
    return Delivery(number, message, posted_ns, bool(is_notice), *rest)  # type: ignore[arg-type]
