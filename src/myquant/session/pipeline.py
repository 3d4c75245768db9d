"""What a session does around each decision beside the journal: files of ticks and decisions, a frame, lines of the log.

All of it is by choice (`[pipeline]`), and none of it reaches the engine: with or without, a session decides the same.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO
from zoneinfo import ZoneInfo

import numpy as np

from myquant.brokers.secrets import Redactor
from myquant.config.schema import Config
from myquant.core import codes
from myquant.core.records import Command
from myquant.errors import ConfigError
from myquant.journal.reader import JournalReader
from myquant.session.clock import MachineClock
from myquant.session.later import Later
from myquant.session.log import Errors, SessionLog, open_log
from myquant.session.log_files import bounds_of
from myquant.session.needs import Log
from myquant.session.result_files import Results, RowText
from myquant.session.runner import Words
from myquant.session.tick_row import TickRow, earlier, row_of

if TYPE_CHECKING:
    import polars as pl

    from myquant.session.frames import Frames
    from myquant.session.log_async import AsyncLog

_KIND: Final = 0


class FullLog(Log, Protocol):
    """What a pipeline asks of a log: `log.SessionLog` or `log_async.AsyncLog`."""

    @property
    def waits(self) -> bool:
        """Whether a call returns only when its line is written."""

    def debug(self, event: str, **fields: Any) -> None:
        """Say something that helps to find a defect."""

    def look(self) -> None:
        """See to it that lines get written."""


class VerboseLog(FullLog, Protocol):
    """What more is asked of one that says more for a while."""

    @property
    def fill(self) -> float:
        """How full the way to the file is, 0 to 1."""

    @property
    def is_debug(self) -> bool:
        """Whether what is logged for debugging is written."""

    def write_debug(self, wanted: bool) -> None:
        """Write, or no longer write, what is logged for debugging."""

    @property
    def errors(self) -> Errors:
        """What was logged as an error."""


class TickLines:
    """A line of the log for every so many ticks, and for each tick the calls that would help to find a defect."""

    def __init__(self, log: FullLog, symbols: Sequence[str], every: int) -> None:
        self.ticks = 0
        self._log = log
        self._symbols = tuple(symbols)
        self._every = every

    def take(self, row: TickRow) -> None:
        """Take a tick."""
        _, who, _, time_ns, _, price, volume, bid, ask = row
        log = self._log
        self.ticks += 1
        log.debug("taken", instrument=who, time_ns=time_ns)
        log.debug("trade", price=price, volume=volume)
        log.debug("quote", bid=bid, ask=ask)
        if self.ticks % self._every == 0:
            symbol = self._symbols[who]
            log.info("tick", symbol=symbol, price=price / 100, bid=bid / 100, ask=ask / 100, ticks=self.ticks)


class SampledLines:
    """While more is logged: two lines that help to find a defect for every so many ticks; the others cost nothing."""

    def __init__(self, log: FullLog, symbols: Sequence[str], every: int) -> None:
        self._log = log
        self._symbols = tuple(symbols)
        self._every = self._left = every

    def take(self, row: TickRow) -> None:
        """Take a tick."""
        self._left -= 1
        if not self._left:
            self._left = self._every
            _, who, number, time_ns, _, price, volume, bid, ask = row
            symbol = self._symbols[who]
            self._log.debug("taken", symbol=symbol, input=number, time_ns=time_ns, volume=volume)
            self._log.debug("tick", symbol=symbol, input=number, price=price / 100, bid=bid / 100, ask=ask / 100)


class Pipeline:
    """The parts that are switched on. Each has a `take` of its own, for a tick of `tick_row.row_of`; None: off."""

    def __init__(
        self,
        log: FullLog,
        *,
        results: Results | None = None,
        frames: "Frames | None" = None,
        lines: TickLines | None = None,
    ) -> None:
        self.log = log
        self.results = results
        self.frames = frames
        self.lines = lines
        self.sampled: SampledLines | None = None  # while more is logged

    def recall(self, blocks: Iterable[np.ndarray[Any, Any]]) -> None:
        """Take what the session's journal holds already: int64 of shape (n, WORDS), in order; before anything else."""
        for block in blocks:
            found = earlier(block)
            if self.results is not None:
                self.results.recall(found)
            if self.frames is not None:
                self.frames.recall(found.ticks)
            if self.lines is not None:
                self.lines.ticks += len(found.ticks)

    def take(self, words: Words) -> None:
        """Take an input that the engine has taken: the first row of int64 (n, BODY_WORDS). Only ticks count here."""
        row = row_of(words)
        if row[_KIND] != codes.TICK:
            return
        if self.results is not None:
            self.results.take(row)
        if self.frames is not None:
            self.frames.take(row)
        if self.lines is not None:
            self.lines.take(row)
        if self.sampled is not None:
            self.sampled.take(row)

    def decide(self, commands: Sequence[Command]) -> None:
        """Take the new commands of one event."""
        if self.results is not None:
            self.results.decide(commands)

    def put_off(self, later: Later) -> None:
        """Let what can wait be done by `later`."""
        if self.results is not None:
            self.results.put_off(later)

    def on_timer(self) -> None:
        """Do what is due once a second: write what waits, look after the log's writer."""
        if self.results is not None:
            self.results.flush()
        self.log.look()

    def frame(self) -> "pl.DataFrame":
        """Return the ticks of the session's day so far, with the columns of `session.frames`.

        `pipeline.frames = "append"`: all of them. `"batch"`: up to the last multiple of `frame_every`, and all of them once the
        session has closed. Raises ConfigError where frames are off.
        """
        if self.frames is None:
            raise ConfigError('pipeline.frames = "off": no frame is kept; set it to "append" or "batch"')
        return self.frames.frame()

    def close(self) -> None:
        """Write what waits, at the end and after a crash; further calls of the parts write nothing more."""
        if self.results is not None:
            self.results.close()
        if self.frames is not None:
            self.frames.close()


def open_session_log(
    folder: Path, config: Config, redactor: Redactor, session: str, stderr: TextIO | None = None
) -> "SessionLog | AsyncLog":
    """Return the log of a session, as `pipeline.logging` says; `stderr` as for `log.open_log`, and a stream of the system's.

    Raises MyquantError where it can't be opened.
    """
    zone, clock, bounds = ZoneInfo(config.session.timezone), MachineClock.wall_ns, bounds_of(config.logs)
    if config.pipeline.logging == "sync":
        return open_log(folder, redactor.text, session=session, clock=clock, bounds=bounds, zone=zone, stderr=stderr)
    from myquant.session.log_async import open_async_log  # noqa: PLC0415  (shared memory for those who want it)

    return open_async_log(folder, redactor, session=session, clock=clock, bounds=bounds, zone=zone, stderr=stderr)


def open_pipeline(folder: Path, config: Config, symbols: Sequence[str], log: FullLog) -> Pipeline | None:
    """Return the pipeline of a session whose journal is there, up to date with it; None: there is nothing to do.

    Raises MyquantError where a file can't be made.
    """
    settings, zone = config.pipeline, ZoneInfo(config.session.timezone)
    frames: Frames | None = None
    if settings.frames != "off":
        from myquant.session.frames import AppendedFrame, BatchedFrame  # noqa: PLC0415  (polars for those who want it)

        is_batch = settings.frames == "batch"
        frames = BatchedFrame(symbols, zone, settings.frame_every) if is_batch else AppendedFrame(symbols, zone)
    every = settings.tick_line_every
    lines = TickLines(log, symbols, every) if every else None
    results = None
    if settings.results != "off":
        results = Results(folder, settings.results, RowText(symbols, zone), log)
    if log.waits and not (results or frames or lines):
        return None
    pipeline = Pipeline(log, results=results, frames=frames, lines=lines)
    pipeline.recall(JournalReader(folder).blocks())
    return pipeline
