"""The process that serves the pages, kept alive beside the looks: nothing that it does reaches them.

It is begun anew when it ends, ended with the monitor, and goes with it when that is killed.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from myquant.monitor.loop import Log
from myquant.monitor.tied import tied

SECOND_NS: Final = 10**9
BAD_SETTINGS: Final = 2  # the exit code of a process that can't begin as it is configured
AGAIN_S: Final = (1.0, 60.0)  # from its end to its next start: at first, doubled each time, and at most
UP_NS: Final = 5 * SECOND_NS  # one that has lived for so long serves
STEADY_NS: Final = 30 * SECOND_NS  # and for so long it is well: its next end is the first one
TOLD_NS: Final = 10 * SECOND_NS  # from its first end to when that is a fault
END_S: Final = 5.0  # from SIGTERM to SIGKILL
LAST_S: Final = 0.5  # for its last words, once it has ended
LINES_MAX: Final = 100  # of its lines a minute are logged; the others are counted
LINE_MAX: Final = 1_000  # characters
MINUTE_NS: Final = 60 * SECOND_NS
_LINK: Final = re.compile(r"(\b\w+://[^\s?#]*)[?#]\S+")  # what follows may be a key
_SHOWN: Final = re.compile(r"^dashboard\b|\b\w+://")  # where the pages are, and how to come in


@dataclass(frozen=True)
class Ended:
    """How the process ended; `code` None: it could not be started. `said`: its last line."""

    code: int | None
    said: str

    @property
    def why(self) -> str:
        """Why it ended, in a line."""
        if self.code is None:
            return f"can't be started: {self.said}"
        if self.code < 0:
            return f"signal {-self.code}"
        return f"exit code {self.code}: {self.said}" if self.said else f"exit code {self.code}"


class Pages:
    """Keeps the process of the pages alive.

    Args:
        command: of the process.
        log: of the monitor, which gets its lines.
        hide: hides secrets in a line.
        show: shows a line as it is to a person who sits there; of those that say where the pages are, whose end the log must not have.
        mono_ns, wall_ns: the clocks.
        again_s: from an end to the next start, at first and at most.

    Attributes:
        deaths: how often it has ended by itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Log,
        *,
        hide: Callable[[str], str],
        show: Callable[[str], None],
        mono_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        again_s: tuple[float, float] = AGAIN_S,
    ) -> None:
        self.deaths = 0
        self._command, self._log, self._hide, self._show = tuple(command), log, hide, show
        self._mono_ns, self._wall_ns, self._again_s = mono_ns, wall_ns, again_s
        self._began_ns: int | None = None  # monotonic; None: no process lives
        self._missing: tuple[int, int] | None = None  # since when, by the machine's and the monotonic clock
        self._last = Ended(0, "")
        self._minute_ns, self._lines, self._left_out = -MINUTE_NS, 0, 0

    def failing(self) -> tuple[int, str] | None:
        """Return since when there are no pages (ns, the machine's clock) and why; None: there are, or have been just now."""
        if self._missing is None:
            return None
        now_ns, (since_wall_ns, since_ns) = self._mono_ns(), self._missing
        if self._began_ns is not None and now_ns - self._began_ns >= UP_NS:
            return None
        is_told = self._last.code == BAD_SETTINGS or now_ns - since_ns >= TOLD_NS
        return (since_wall_ns, self._last.why) if is_told else None

    async def run(self) -> None:
        """Keep it alive until this is cancelled, which ends it."""
        first_s, most_s = self._again_s
        wait_s = first_s
        while True:
            began_ns = self._mono_ns()
            ended = await self._run_one()
            if self._mono_ns() - began_ns >= STEADY_NS:
                wait_s, self._missing = first_s, None
            wait_s = most_s if ended.code == BAD_SETTINGS else wait_s
            self._note_end(ended, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, most_s)

    def _note_end(self, ended: Ended, wait_s: float) -> None:
        """Count and log an end; that of one that can't begin as it is configured once, until it is for another reason."""
        self.deaths += 1
        is_known = self._missing is not None and ended == self._last and ended.code == BAD_SETTINGS
        self._last = ended
        self._missing = self._missing or (self._wall_ns(), self._mono_ns())
        if not is_known:
            self._log.warning("the pages have ended", why=ended.why, again_in_s=wait_s)

    async def _run_one(self) -> Ended:
        """Run one process to its end."""
        reading, writing = os.pipe()
        said = _Said(self._take)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: said, os.fdopen(reading, "rb", 0))
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    *tied(self._command),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=writing,  # no pipe of asyncio's: those that it may leave behind would keep its end from being seen
                    stderr=writing,
                    start_new_session=True,  # a Ctrl-C at the monitor's terminal is not for it
                )
            except OSError as error:
                return Ended(None, str(error))
            finally:
                os.close(writing)
            code = await self._wait(process)
            with suppress(TimeoutError):
                await asyncio.wait_for(said.over.wait(), LAST_S)
            return Ended(code, said.last)
        finally:
            transport.close()

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        """Wait for the end of a process; where this is cancelled, end it. What it has begun ends with it."""
        self._began_ns = self._mono_ns()
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        finally:
            self._began_ns = None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _take(self, line: str) -> str:
        """Log a line of the process, and return it as it was logged."""
        hidden = _LINK.sub(r"\1", self._hide(line))[:LINE_MAX]
        now_ns = self._mono_ns()
        if now_ns - self._minute_ns >= MINUTE_NS:
            if self._left_out:
                self._log.warning("lines of the pages were left out", lines=self._left_out)
            self._minute_ns, self._lines, self._left_out = now_ns, 0, 0
        self._lines += 1
        if self._lines > LINES_MAX:
            self._left_out += 1
        else:
            self._log.info("pages", said=hidden)
            if _SHOWN.search(line):
                self._show(line[:LINE_MAX])
        return hidden


class _Said(asyncio.Protocol):
    """Takes what a process says, line by line; `over`: it says no more."""

    def __init__(self, take: Callable[[str], str]) -> None:
        self.last = ""
        self.over = asyncio.Event()
        self._take, self._rest = take, b""

    def data_received(self, data: bytes) -> None:
        """Take some bytes."""
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > LINE_MAX:  # a line without an end
            lines, rest = [*lines, rest], b""
        self._rest = rest
        for line in lines:
            self._line(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's)
        """Take the end."""
        self._line(self._rest)
        self._rest = b""
        self.over.set()

    def _line(self, line: bytes) -> None:
        if text := line.decode("utf-8", "replace").strip():
            self.last = self._take(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and end it where it does not."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        with suppress(TimeoutError):  # one that hangs in the kernel can't be waited for
            async with asyncio.timeout(END_S):
                await process.wait()
