"""The session's log, written by another process: here a line costs little more than the copying of its fields.

A call leaves a small record in a ring of shared memory: the time, the level, the event, its fields. The writer
(`log_writer`) makes lines of them with the code of `log`, so file and terminal get what a log without it would write. It
hides secrets likewise, and is told of them through the ring, ahead of the lines that may hold them.

Errors, and lines of positions, trades and halts, are never dropped: where the ring is full they are waited for a moment, then
written by the session. Others are dropped when the ring is full, counted, and the count is told. A writer that dies is
noticed at the next timer or the next full ring; then the session writes what is left in the ring, and all further lines.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from marshal import dumps, loads
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO
from zoneinfo import ZoneInfo

from structlog.processors import format_exc_info

from myquant.brokers.secrets import Redactor
from myquant.core import codes
from myquant.errors import MyquantError
from myquant.session.log import DEPTH_MAX, RESERVED, Errors, SessionLog, open_log
from myquant.session.log_files import NO_BOUNDS, Bounds
from myquant.session.spsc import Ring

RING_BYTES: Final = 1 << 20  # some 5,000 lines
WAIT_NS: Final = 5_000_000  # how long a line that must not be dropped waits for room
PAUSE_S: Final = 0.0005
CLOSE_S: Final = 5.0  # how long the writer may take to finish
KEPT_EVENTS: Final = frozenset(
    codes.COMMAND_NAMES[kind] for kind in (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED)
)

# Kinds of records. LINE: a the time, b the level, payload (event, fields). SECRETS: payload what `Redactor.secrets` returns.
LINE: Final = 1
SECRETS: Final = 2

LEVELS: Final = ("debug", "info", "warning", "error")
DEBUG, INFO, WARNING, ERROR = range(len(LEVELS))

# Places of the ring's flags: what the writer's file and terminal did not take.
LOST: Final = 0
UNSHOWN: Final = 1

_DROPPED: Final = "log lines lost"  # as `log` says it
_FORMAT: Final = 2  # of marshal: later ones look for objects that come twice
_PLAIN: Final = frozenset((str, int, float, bool, type(None)))  # these, and only these, are copied as they are


class Place(NamedTuple):
    """Which log it is: what a writer is told at its start. `zone`: the name of the one people read the time in."""

    folder: str
    session: str
    zone: str
    debug: bool
    bounds: tuple[int, int, bool]  # a `Bounds`, as marshal takes it


class Scribe:
    """Writes records into the log.

    `redactor`: what is hidden; None: what the ring says. Raises MyquantError where the file can't be opened.
    """

    def __init__(
        self,
        place: Place,
        redactor: Redactor | None = None,
        stderr: TextIO | None = None,
        on_new: Callable[[], object] | None = None,
    ) -> None:
        self._redactor = redactor if redactor is not None else Redactor()
        self._learns = redactor is None
        self._time_ns = 0
        self.log: SessionLog = open_log(
            Path(place.folder),
            self._redact,
            session=place.session,
            clock=lambda: self._time_ns,
            zone=ZoneInfo(place.zone),
            stderr=stderr,
            debug=True,  # what comes here is wanted: the session's side has seen to that
            bounds=Bounds(*place.bounds),
            on_new=on_new,
        )

    def _redact(self, text: str) -> str:
        return self._redactor.text(text)  # another one once the ring has said so

    def drain(self, ring: Ring) -> None:
        """Write all that a ring holds; each is let go of when it is written."""
        while (record := ring.pop()) is not None:
            kind, time_ns, level, _, payload = record
            content = loads(payload)  # noqa: S302  (written by our own process, in memory that is ours)
            if kind == LINE:
                self.write(time_ns, level, *content)
            elif self._learns:
                self._redactor = Redactor(content[0])
                self._redactor.add(*content[1])

    def write(self, time_ns: int, level: int, event: str, fields: dict[str, Any]) -> None:
        """Write a line that arose at a time."""
        self._time_ns = time_ns
        getattr(self.log, LEVELS[level])(event, **fields)


class AsyncLog:
    """What a session logs to, as `log.SessionLog`. `waits`: whether a call returns only when its line is written."""

    waits: Final = False

    def __init__(self, post: "Post", context: dict[str, Any]) -> None:
        self._post = post
        self._context = context

    def bind(self, **fields: object) -> "AsyncLog":
        """Return one that adds fields to every line; the log's own names it would not show."""
        fresh = {name: value for name, value in fields.items() if name not in RESERVED}
        return AsyncLog(self._post, {**self._context, **fresh})

    def debug(self, event: str, **fields: object) -> None:
        """Log what helps to find a defect: nothing unless the log was opened for it."""
        if self._post.is_debug:
            self._post.line(DEBUG, event, {**self._context, **fields})

    def info(self, event: str, **fields: object) -> None:
        """Log what is as it should be."""
        self._post.line(INFO, event, {**self._context, **fields} if self._context else fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what a person should look at some time."""
        self._post.line(WARNING, event, {**self._context, **fields} if self._context else fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what a person should look at now; `exc_info=error` adds its traceback."""
        self._post.line(ERROR, event, {**self._context, **fields} if self._context else fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log an error with the traceback of the exception that is being handled."""
        self.error(event, exc_info=True, **fields)

    @property
    def errors(self) -> Errors:
        """What was logged as an error."""
        return self._post.errors

    @property
    def is_debug(self) -> bool:
        """Whether what is logged for debugging is written."""
        return self._post.is_debug

    def write_debug(self, wanted: bool) -> None:
        """Write, or no longer write, what is logged for debugging."""
        self._post.is_debug = wanted

    @property
    def fill(self) -> float:
        """How full the way to the file is, 0 to 1."""
        return self._post.fill

    @property
    def lost(self) -> int:
        """How many lines did not get into the file: dropped, or not taken by the disk."""
        return self._post.lost

    @property
    def unshown(self) -> int:
        """How many lines stderr could not take at once; they are in the file."""
        return self._post.unshown

    def look(self) -> None:
        """See to it that lines get written: once a second."""
        self._post.look()

    def close(self) -> None:
        """Wait until all is written; what is logged after that goes to stderr only."""
        self._post.close()


class Post:
    """The session's side of the ring, and what becomes of lines that it does not take."""

    def __init__(self, place: Place, redactor: Redactor, clock: Callable[[], int], stderr: TextIO | None) -> None:
        self.is_debug = place.debug
        self.errors = Errors()
        self._place, self._redactor, self._clock, self._stderr = place, redactor, clock, stderr
        self._told_secrets = -1
        self._dropped = 0
        self._untold = 0  # of them, since it was last said how many
        self._lost = self._unshown = 0  # of what was written beside the writer, and of the writer's once it has ended
        self._has_worries = False  # there may be something to see to before the next line
        self._is_stuck = False  # waiting for room was in vain, and there has been none since
        self._is_closed = False
        self._shown = Scribe(place, redactor, stderr)  # whose file is closed: it has stderr only
        self._shown.log.close()
        self._scribe: Scribe | None = None  # writes all lines once there is no writer
        self._ring = Ring.create(RING_BYTES)
        self._put, self._longest = self._ring.push, self._ring.longest
        try:
            self._writer = _start_writer(place, self._ring, stderr)
        except OSError as error:
            self._ring.close()
            raise MyquantError(
                f"the log's writer can't be started ({error.strerror}): set pipeline.logging = \"sync\""
            ) from None

    def line(self, level: int, event: str, fields: dict[str, Any]) -> None:
        """Take a line."""
        time_ns = self._clock()
        if "exc_info" in fields:
            fields = dict(format_exc_info(None, "", fields))
        if not _PLAIN.issuperset(map(type, fields.values())):
            fields = {name: _plain(value) for name, value in fields.items()}
        if level == ERROR:
            self.errors.note(time_ns, {**fields, "event": event}, self._redactor.text)
        payload = dumps((event, fields), _FORMAT)
        if (
            self._told_secrets != self._redactor.learnt
            or self._has_worries
            or len(payload) > self._longest
            or not self._put(LINE, time_ns, level, 0, payload)
        ):
            self._take_pains(time_ns, level, event, fields, payload)

    def _take_pains(self, time_ns: int, level: int, event: str, fields: dict[str, Any], payload: bytes) -> None:
        """Take a line that is not just put into the ring."""
        if self._scribe is None and self._push(time_ns, level, payload):
            self._is_stuck = self._has_worries = False
            return
        self._has_worries = True
        if self._scribe is None:
            self.look()
        if self._scribe is not None:
            self._scribe.write(time_ns, level, event, fields)
        else:
            self._do_without_room(time_ns, level, event, fields, payload)

    def _push(self, time_ns: int, level: int, payload: bytes) -> bool:
        """Put a line into the ring: behind the secrets that it may hold, and the count of those that were dropped."""
        if self._told_secrets != self._redactor.learnt and not self._tell_secrets():
            return False
        if self._untold and not self._tell_dropped(time_ns):
            return False
        return len(payload) <= self._longest and self._put(LINE, time_ns, level, 0, payload)

    def _tell_secrets(self) -> bool:
        learnt, payload = self._redactor.learnt, dumps(self._redactor.secrets())
        if len(payload) > self._longest or not self._put(SECRETS, 0, 0, 0, payload):
            return False
        self._told_secrets = learnt
        return True

    def _tell_dropped(self, time_ns: int) -> bool:
        if not self._put(LINE, time_ns, ERROR, 0, dumps((_DROPPED, {"count": self._untold}))):
            return False
        self._untold = 0
        return True

    def _do_without_room(self, time_ns: int, level: int, event: str, fields: dict[str, Any], payload: bytes) -> None:
        """Wait for room where the line has to stay, write it here where there is none; drop and count any other."""
        is_long = len(payload) > self._longest
        if not (level == ERROR or event in KEPT_EVENTS or is_long):
            self._dropped += 1
            self._untold += 1
            return
        until_ns = 0 if self._is_stuck or is_long else time.monotonic_ns() + WAIT_NS
        while time.monotonic_ns() < until_ns:
            time.sleep(PAUSE_S)
            if self._push(time_ns, level, payload):
                return
        self._is_stuck = not is_long
        scribe = self._opened(self._place._replace(bounds=(*NO_BOUNDS,)))  # while the writer lives, it alone renames
        scribe.write(time_ns, level, event, fields)
        if scribe is not self._shown:
            scribe.log.close()
            self._lost += scribe.log.lost
            self._unshown += scribe.log.unshown

    def _opened(self, place: Place) -> Scribe:
        """Return one with the file, or, where that can't be opened, one that counts what is lost and has stderr only."""
        try:
            return Scribe(place, self._redactor, self._stderr)
        except MyquantError:
            return self._shown

    def look(self) -> None:
        """Take over where the writer has ended, and say so."""
        if self._scribe is None and (code := self._writer.poll()) is not None:
            self._take_over()
            self.line(ERROR, "the log's writer has ended: from now on the session writes", {"code": code})

    def _take_over(self) -> None:
        """Write what is left in the ring, and from now on every line."""
        self._has_worries = True
        self._scribe = self._opened(self._place)
        self._scribe.drain(self._ring)
        if self._untold:
            self._scribe.write(self._clock(), ERROR, _DROPPED, {"count": self._untold})
            self._untold = 0

    def close(self) -> None:
        """End the writer once it has written all; what one that does not end in time has not, is written here."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._writer.stdin is not None:
            self._writer.stdin.close()
        try:
            self._writer.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._writer.kill()
            self._writer.wait()
        if self._scribe is None:
            self._take_over()
        if self._scribe is not None:
            self._scribe.log.close()
        self._lost += self._ring.flags[LOST]
        self._unshown += self._ring.flags[UNSHOWN]
        self._ring.close()

    @property
    def fill(self) -> float:
        """How full the ring is, 0 to 1; nothing waits in one whose writer has ended."""
        return 0.0 if self._is_closed or self._scribe is not None else self._ring.depth / self._ring.capacity

    @property
    def lost(self) -> int:
        """Lines that are not in the file."""
        own = sum(log.lost for log in self._own_logs())
        return self._dropped + self._lost + own + (0 if self._is_closed else self._ring.flags[LOST])

    @property
    def unshown(self) -> int:
        """Lines that were not shown."""
        own = sum(log.unshown for log in self._own_logs())
        return self._unshown + own + (0 if self._is_closed else self._ring.flags[UNSHOWN])

    def _own_logs(self) -> list[SessionLog]:
        """Return the logs that this side writes: one of them counts what went to stderr only."""
        return [each.log for each in {self._shown, self._scribe or self._shown}]


def open_async_log(
    folder: Path,
    redactor: Redactor,
    *,
    session: str,
    clock: Callable[[], int],
    zone: ZoneInfo,
    bounds: Bounds,
    stderr: TextIO | None = None,
    debug: bool = False,
) -> AsyncLog:
    """Open the log in a session's folder, behind what it holds already, and start its writer.

    Arguments as of `log.open_log`, but that `stderr` is a stream of the system's. Raises MyquantError where the file can't
    be opened, the writer can't be started, or the system has no shared memory.
    """
    place = Place(str(folder.resolve()), session, zone.key, debug, (*bounds,))
    return AsyncLog(Post(place, redactor, clock, stderr), {})


def _start_writer(place: Place, ring: Ring, stderr: TextIO | None) -> "subprocess.Popen[bytes]":
    """Start the writer. What it may know of secrets comes through the ring, so its environment has none."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MYQUANT_")}
    writer = subprocess.Popen(  # noqa: S603  (our own command)
        (sys.executable, "-P", "-m", "myquant.session.log_writer", str(ring.fd), str(ring.capacity)),
        stdin=subprocess.PIPE,
        stderr=stderr,
        env=environ,
        pass_fds=(ring.fd,),
        start_new_session=True,  # a Ctrl-C is the session's: its last lines are still to come
    )
    if writer.stdin is not None:
        writer.stdin.write(dumps(tuple(place)))
        writer.stdin.flush()
    return writer


def _plain(value: object, depth: int = 0) -> Any:
    """Return a value of plain texts, numbers, lists and dictionaries that makes the same line."""
    if type(value) in _PLAIN:
        return value
    if depth < DEPTH_MAX and isinstance(value, Mapping):
        return {str(_plain(name)): _plain(part, depth + 1) for name, part in value.items()}
    if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        return [_plain(part, depth + 1) for part in value]
    return str(value)
