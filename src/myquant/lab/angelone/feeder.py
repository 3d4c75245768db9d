"""A broker's socket in a process of its own, which plays stretches of some days on request: to measure a session with.

`Feeder` starts `python -m myquant.lab.angelone.feeder` and talks to it by lines of JSON. A client connects to the port
without a login and subscribes, as it does at the broker; nothing comes until `Feeder.send` asks for a stretch. A row is due at

    due_ns + (row - begin) * interval_ns      (time.monotonic_ns, the same clock in all processes)

however late it leaves, and its packet's sequence number is row + 1.
"""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass
from datetime import date
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from myquant.errors import ConfigError, DataError, MyquantError
from myquant.lab.market_days import DaySource

LINE_BYTES: Final = 2**20
START_S: Final = 120.0
STOP_S: Final = 5.0
LEAP_S: Final = 100.0  # a little less than what a session takes by default, feed.max_clock_jump_s
ERRORS: Final = {kind.exit_code: kind for kind in (MyquantError, ConfigError, DataError)}


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a client subscribes to."""

    symbol: str
    segment: str
    token: str
    exchange_type: int
    lot_size: int
    tick_size_paise: int  # 0: an index


@dataclass(frozen=True, slots=True)
class Sent:
    """A stretch that was sent; times are monotonic ns."""

    due_ns: int  # of the first row
    interval_ns: int  # 0: as fast as it was taken; no row had a time of its own
    sent: int  # rows
    late_ns: tuple[float, float, float] | None  # how late rows left: median, 99th percentile, maximum


class Feeder:
    """The process, from `async with` on.

    Args:
        source: the ticks.
        leap_s: the leap of the exchange's time that a client takes. Where the ticks leap further, over a quiet hour or over
            night, packets of the index step through the time between, so many seconds apart, behind the row before.

    Attributes:
        port: of 127.0.0.1; `url` is the whole address.
        rows: how many there are, at least `source.ticks`, numbered from 0.
        contracts: what ticks, all of which a client must subscribe to, in one mode.
        indices: what keeps a connection alive; the first one does.
        days: each day, and the number of its first row.
        digest: SHA-256 of the rows, hex.
    """

    def __init__(self, source: DaySource, *, leap_s: float = LEAP_S) -> None:
        self._first_line = source.values() | {"leap_s": leap_s}
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._ended: MyquantError | None = None  # why there are no more answers
        self.rows = 0

    async def __aenter__(self) -> Self:
        """Start it. Raises ConfigError and DataError for ticks that can't be had, MyquantError where it does not start."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", __spec__.name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        self._complaint = asyncio.create_task(_all(self._process.stderr))
        try:
            self._take_up(await self._ready())
        finally:
            if not self.rows:
                await self._stop()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and all its connections."""
        await self._stop()

    async def send(self, connection: int, begin: int, end: int, rate: float | None = None) -> Sent:
        """Send the rows `begin` to `end` to a connection, numbered from 0 in the order in which they were made.

        `rate`: rows a second; None: as fast as they are taken. Before them goes an index's packet. Waits for the connection
        and its subscription, 10 s at most, and until the last row has left. What is asked for at once (`asyncio.gather`)
        begins at once; while something is being sent, ask for nothing more, for the encoding of it would take the
        sender's time. Rows must go forward on a connection: a client takes no packet that is older than its last one.

        Raises ConfigError for what can't be sent, MyquantError where the connection or the feeder ended.
        """
        if self._ended is not None:
            raise self._ended
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            asked = {"connection": connection, "begin": begin, "end": end, "rate": rate, "id": number}
            self._write({"send": asked})
            answer = await self._waiting[number]
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise _error(answer)
        late = answer["late_ns"]
        return Sent(answer["due_ns"], answer["interval_ns"], answer["sent"], None if late is None else tuple(late))

    async def _ready(self) -> dict[str, Any]:
        """Return what it has to say of itself once it is ready."""
        self._write(self._first_line)
        try:
            async with asyncio.timeout(START_S):
                ready = await self._next()
        except TimeoutError:
            raise MyquantError(f"the feeder was not ready after {START_S:.0f} s: ask for fewer ticks") from None
        if ready is None:
            raise await self._broken()
        if "error" in ready:
            raise _error(ready)
        return ready

    def _take_up(self, ready: dict[str, Any]) -> None:
        self.port: int = ready["port"]
        self.url = f"ws://127.0.0.1:{self.port}/smart-stream"
        self.rows = ready["rows"]
        self.contracts = tuple(Instrument(**each) for each in ready["contracts"])
        self.indices = tuple(Instrument(**each) for each in ready["indices"])
        self.days = [(date.fromisoformat(day), first) for day, first in ready["days"]]
        self.digest: str = ready["digest"]

    def _write(self, values: dict[str, Any]) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(values).encode() + b"\n")

    async def _next(self) -> dict[str, Any] | None:
        """Return the next answer; None: there are no more."""
        try:
            line = b"" if self._process.stdout is None else await self._process.stdout.readline()
            found: dict[str, Any] | None = json.loads(line) if line else None
        except ValueError as error:  # too long, or no JSON
            raise MyquantError(f"the feeder's answer can't be read ({error}): report it") from None
        return found

    async def _listen(self) -> None:
        """Hand answers on to those who wait for them."""
        ended = MyquantError("the feeder was stopped")
        try:
            while (answer := await self._next()) is not None:
                waiting = self._waiting.get(answer["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
            ended = await self._broken()
        except MyquantError as error:
            ended = error
        except (LookupError, TypeError):
            ended = MyquantError("the feeder's answer is none to any request: report it")
        finally:
            self._ended = ended
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ended)

    async def _broken(self) -> MyquantError:
        """Return the error for a process that has ended by itself."""
        last = (await self._complaint).decode(errors="replace").strip().rpartition("\n")[2]
        return MyquantError(
            f"the feeder ended, code {await self._process.wait()}: {last or 'it said nothing'}: report it"
        )

    async def _stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        tasks = [task for task in (self._listening, self._complaint) if task is not None]
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_S)
        finally:  # also where whoever waits is cancelled
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            for task in tasks:
                task.cancel()
        await self._process.wait()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


def _error(answer: dict[str, Any]) -> MyquantError:
    return ERRORS[answer["exit_code"]](answer["error"])


if __name__ == "__main__":
    from myquant.lab.angelone.feeding import main

    sys.exit(main())
