"""The book of alerts and the messages of the channels, for those who look: read beside the monitor, whether one runs or not.

Nothing that one row holds keeps the others from being shown: one that is damaged, or of another version, is counted.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

from myquant.errors import MyquantError
from myquant.monitor.alert import Alert, alert_of
from myquant.monitor.book import ACK, ALERT, FILE, Book
from myquant.monitor.spool import DELIVERED, WAITING

T = TypeVar("T")
WAIT_S: Final = 1.0  # for somebody who writes
NOTE_MAX: Final = 200
NOTE_RULE: Final = f"at most {NOTE_MAX} printable characters on one line"
FIRING, ACKNOWLEDGED, OVER, RESOLVED = "firing", "acknowledged", "ended", "resolved"
ANSWER_MAX: Final = 500  # characters of an answer that are shown

_ROWS: Final = "select key, value from book where kind = ?"
_BY_CHANNEL: Final = (
    "select channel, sum(state = 'waiting'), sum(state = 'delivered'), sum(state = 'given_up'),"
    " max(case when state = 'delivered' then ended_ns end) from deliveries group by channel order by channel"
)
# What was tried and not taken, the last of each channel.
_FAILED: Final = (
    "select channel, max(coalesce(ended_ns, tried_ns)), answer from deliveries"
    " where state = 'given_up' or (state = 'waiting' and tried_ns is not null) group by channel"
)
_LAST: Final = (
    "select id, channel, severity, title, posted_ns, state, attempts, tried_ns, ended_ns, answer from deliveries"
    " order by id desc limit ?"
)


@dataclass(frozen=True)
class AlertList:
    """Alerts, the oldest first. `unreadable`: rows that can't be understood, by number as far as it is known, and why."""

    alerts: list[Alert] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


class ChannelState(NamedTuple):
    """How a channel does: messages by what became of them, the last 30 days. Times: ns UTC; None: not so."""

    channel: str
    waiting: int
    delivered: int
    given_up: int
    delivered_ns: int | None  # the last that was
    failed_ns: int | None  # the last try that failed
    failure: str  # what the channel said then, in words


class Sent(NamedTuple):
    """A message. Times: ns UTC; None: not yet."""

    number: int
    channel: str
    severity: str
    title: str
    posted_ns: int
    state: str
    attempts: int
    tried_ns: int | None
    ended_ns: int | None
    answer: str


@dataclass(frozen=True)
class Deliveries:
    """What became of messages. `last`: the latest first."""

    channels: list[ChannelState] = field(default_factory=list)
    last: list[Sent] = field(default_factory=list)


def alerts_in(folder: Path) -> AlertList:
    """Return the alerts of a monitor's state folder, with what was acknowledged and not yet taken up by the monitor.

    Raises MyquantError where the file can't be read.
    """
    found = _read(folder, lambda base: (dict(base.execute(_ROWS, (ALERT,))), dict(base.execute(_ROWS, (ACK,)))))
    if found is None:
        return AlertList()
    rows, acks = found
    unreadable: dict[str, str] = {}
    alerts: list[Alert] = []
    for key, text in rows.items():
        try:
            alert = _checked(alert_of(text))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            unreadable[str(key)] = f"{type(error).__name__}: {error}"[:ANSWER_MAX]
            continue
        _acknowledged(alert, acks.get(key))
        alerts.append(alert)
    return AlertList(sorted(alerts, key=lambda alert: alert.number), unreadable)


def state_of(alert: Alert) -> str:
    """Return how an alert stands, in a word."""
    if alert.resolved_ns is not None and not alert.end:
        return RESOLVED
    if not alert.is_firing:  # lately, and it may come back; or nobody has resolved it
        return OVER
    return FIRING if alert.acknowledged_ns is None else ACKNOWLEDGED


def is_note(text: str) -> bool:
    """Return whether a text may be the note of who acknowledges."""
    return len(text) <= NOTE_MAX and text.isprintable()


def acknowledge(folder: Path, numbers: Iterable[int], note: str, now_ns: int) -> list[Alert]:
    """Note that somebody sees to alerts, and return those that were noted: those of the numbers that last.

    Without a note the earlier one stays. Raises MyquantError where it can't be noted.
    """
    if not is_note(note):
        raise MyquantError(f"note: must be {NOTE_RULE}")
    wanted = set(numbers)
    chosen = [alert for alert in alerts_in(folder).alerts if alert.number in wanted and alert.resolved_ns is None]
    if not chosen:
        return []
    entries: dict[tuple[str, str], str | None] = {
        (ACK, str(alert.number)): json.dumps({"at_ns": now_ns, "note": note or alert.note}, ensure_ascii=False)
        for alert in chosen
    }
    with Book(folder) as book:
        if not book.write(entries, now_ns) and book.trouble:
            raise MyquantError(f"alerts: could not be noted ({book.trouble[1]}); try again")
    return chosen


def deliveries_in(folder: Path, most: int) -> Deliveries:
    """Return what became of messages, the last `most` of them one by one. Raises MyquantError where the file can't be read."""

    def take(base: sqlite3.Connection) -> Deliveries:
        failed = {str(channel): (at_ns, _short(answer)) for channel, at_ns, answer in base.execute(_FAILED)}
        channels = [
            ChannelState._make((*row, *failed.get(str(row[0]), (None, "")))) for row in base.execute(_BY_CHANNEL)
        ]
        return Deliveries(channels, [Sent._make((*row[:-1], _short(row[-1]))) for row in base.execute(_LAST, (most,))])

    return _read(folder, take) or Deliveries()


def outcome_of(sent: Sent) -> str:
    """Return what became of a message, in words."""
    if sent.state == DELIVERED:
        return "delivered"
    if sent.state == WAITING:
        return "waits" if sent.tried_ns is None else "waits, to be tried again"
    return "given up"


def book_stamp(folder: Path) -> tuple[int, ...]:
    """Return what changes when the book does; who has it as it was need not read again."""
    stamp: list[int] = []
    for name in (FILE, f"{FILE}-wal"):
        try:
            status = (folder / name).stat()
        except OSError:
            stamp += (0, 0, 0)
        else:
            stamp += (status.st_ino, status.st_size, status.st_mtime_ns)
    return tuple(stamp)


def _read(folder: Path, take: Callable[[sqlite3.Connection], T]) -> T | None:
    """Return what is taken from the book; None: there is no book, or it lacks the table yet. Raises MyquantError."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        address = f"file:{quote(str(path.resolve()))}?mode=ro"
        with closing(sqlite3.connect(address, timeout=WAIT_S, uri=True, isolation_level=None)) as base:
            return take(base)
    except sqlite3.Error as error:
        if "no such table" in str(error):
            return None
        remedy = "is another using it? else look at its disk; move it away if it is damaged"
        raise MyquantError(f"{path}: can't be read ({error}): {remedy}") from error


def _checked(alert: Alert) -> Alert:
    """Return an alert whose fields are of their types. Raises TypeError for another."""
    times = (alert.since_ns, alert.raised_ns, alert.number, alert.comebacks)
    maybe = (alert.ended_ns, alert.resolved_ns, alert.told_ns, alert.acknowledged_ns)
    texts = (alert.rule, alert.session, alert.subject, alert.severity, alert.text, alert.remedy, alert.note, alert.end)
    if not all(isinstance(each, int) for each in times) or not all(
        each is None or isinstance(each, int) for each in maybe
    ):
        raise TypeError("a time or number is none")
    if not all(isinstance(each, str) for each in texts):
        raise TypeError("a text is none")
    return alert


def _acknowledged(alert: Alert, text: str | None) -> None:
    """Take what was acknowledged; what can't be understood the monitor will not understand either."""
    if text is None or alert.resolved_ns is not None:
        return
    try:
        found: dict[str, Any] = dict(json.loads(text))
    except (ValueError, TypeError):
        return
    at_ns, note = found.get("at_ns"), found.get("note")
    if isinstance(at_ns, int) and isinstance(note, str):
        alert.acknowledged_ns, alert.note = at_ns, note


def _short(answer: object) -> str:
    text = "" if answer is None else str(answer)
    return text if len(text) <= ANSWER_MAX else f"{text[:ANSWER_MAX]}..."
