"""What the pages' parts and the libraries tell Python's logging, written into the log of the pages: that is where people look."""

import asyncio
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from myquant.dashboard.access import steady_s
from myquant.monitor.loop import Log

LINES_PER_MINUTE: Final = 10  # of one logger: what a stranger makes one of them say hides no defect that another tells
MINUTE_S: Final = 60.0
UNSAID: Final = "more was told than this log takes"


class Records(logging.Handler):
    """Writes warnings and errors into a log, with their tracebacks: of each logger `LINES_PER_MINUTE`, the others are counted.

    Args:
        log: where they are written, in the thread of the loop only.
        loop: that runs in this thread.
        now_s: a clock, seconds.
    """

    def __init__(self, log: Log, loop: asyncio.AbstractEventLoop, now_s: Callable[[], float] = steady_s) -> None:
        super().__init__(logging.WARNING)
        self._log, self._loop, self._now_s = log, loop, now_s
        self._thread = threading.get_ident()
        self._written: dict[str, deque[float]] = {}  # by logger: when the last lines were
        self._unsaid: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; one of another thread a moment later."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError):
            self.handleError(record)
            return
        if threading.get_ident() == self._thread:
            self._write(record, text)
        else:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._write, record, text)

    def tell_unsaid(self) -> None:
        """Write how many were only counted."""
        for name, count in self._unsaid.items():
            self._log.warning(UNSAID, logger=name, unsaid=count)
        self._unsaid.clear()

    def _write(self, record: logging.LogRecord, text: str) -> None:
        now_s, name = self._now_s(), record.name
        written = self._written.setdefault(name, deque(maxlen=LINES_PER_MINUTE))
        if len(written) == LINES_PER_MINUTE and now_s - written[0] < MINUTE_S:
            self._unsaid[name] += 1
            return
        written.append(now_s)
        fields: dict[str, object] = {"logger": name}
        if unsaid := self._unsaid.pop(name, 0):
            fields["unsaid"] = unsaid
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc_info"] = record.exc_info[1]
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        write(text, **fields)


@contextmanager
def records_in(log: Log) -> Iterator[None]:
    """Write into a log what is told Python's logging, as long as it is used; it needs a loop that runs."""
    records, root = Records(log, asyncio.get_running_loop()), logging.getLogger()
    root.addHandler(records)
    try:
        yield
    finally:
        root.removeHandler(records)
        records.tell_unsaid()
