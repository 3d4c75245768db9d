"""A channel's process, seen from the monitor: kept alive, given a time for each message, ended and made anew beyond it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from myquant.brokers.secrets import Redactor
from myquant.config.layers import VARIABLE_PREFIX
from myquant.monitor.channels import Channel, unusable

COMMAND: Final = (sys.executable, "-m", "myquant.monitor.carrier")
START_S: Final = 60.0  # to import apprise, on a machine that has much else to do
END_S: Final = 5.0
LINE_MAX: Final = 65_536


class Parcel(NamedTuple):
    """What is handed to a process."""

    message_id: str
    severity: str
    title: str
    body: str


class Answer(NamedTuple):
    """What became of it, and what the channel said, or what went wrong: redacted, one line."""

    delivered: bool
    said: str


class Worker:
    """The process of one channel.

    Args:
        channel: its address goes to the process through a pipe, and nowhere else.
        redactor: hides the addresses of all channels.
        attempt_s: how long a delivery may take.
        environ: of this process; what is myquant's own is not passed on.
        command: of the process.
    """

    def __init__(
        self,
        channel: Channel,
        redactor: Redactor,
        attempt_s: float,
        environ: Mapping[str, str],
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._channel = channel
        self._redactor = redactor
        self._attempt_s = attempt_s
        self._environ = {name: value for name, value in environ.items() if not name.startswith(VARIABLE_PREFIX)}
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The number of its process; None: none is alive."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def ready(self) -> str:
        """See to it that a process is ready; return "" or why there is none."""
        if self.pid is not None:
            return ""
        await self.close()
        try:
            async with asyncio.timeout(START_S):
                answer = await self._start()
        except OSError as error:  # a time-out too
            await self.close()
            why = (
                f"took longer than {START_S:g} s"
                if isinstance(error, TimeoutError)
                else self._redactor.line(str(error))
            )
            return f"channel {self._channel.name}: its process can't be started ({why})"
        if answer.get("ready") is True:
            return ""
        await self.close()
        if answer.get("ready") is False:
            return unusable(self._channel, self._text(answer.get("said", "")))
        return f"channel {self._channel.name}: its process ended: {self._last_words(answer)}"

    async def deliver(self, parcel: Parcel) -> Answer:
        """Hand a message over and wait for what becomes of it, for `attempt_s` at most. Never raises for a channel's sake."""
        if problem := await self.ready():
            return Answer(delivered=False, said=problem)
        request = {**parcel._asdict(), "id": parcel.message_id}
        try:
            async with asyncio.timeout(self._attempt_s):
                answer = await self._ask(request)
        except TimeoutError:
            await self.close()
            return Answer(delivered=False, said=f"no answer within {self._attempt_s:g} s")
        except OSError:
            answer = {}
        if answer.get("id") != parcel.message_id or not isinstance(answer.get("delivered"), bool):
            await self.close()
            return Answer(delivered=False, said=f"its process ended: {self._last_words(answer)}")
        said = self._text(answer.get("said", "")) or ("accepted" if answer["delivered"] else "refused without a reason")
        return Answer(answer["delivered"], said)

    async def close(self) -> None:
        """End the process and what it started, whatever they do."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):  # one that hangs in the kernel can't be waited for
                await process.wait()
                if process.stdout is not None:
                    await process.stdout.read()  # to its end: then the pipe is closed

    async def _start(self) -> dict[str, Any]:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environ,
            limit=LINE_MAX,
            start_new_session=True,  # a Ctrl-C at the monitor's terminal is not for it
        )
        return await self._ask({"address": self._channel.address, "limit_s": self._attempt_s})

    async def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the next answer; {} where there is none, or it is nonsense. Raises OSError where nobody listens."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return {}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        try:
            answer = json.loads(await process.stdout.readline() or b"null")
        except ValueError:  # no JSON, or an endless line
            return {}
        return answer if isinstance(answer, dict) else {}

    def _last_words(self, answer: Mapping[str, Any]) -> str:
        return self._text(answer["died"]) if "died" in answer else "it gave no answer"

    def _text(self, said: object) -> str:
        return self._redactor.line(str(said))
