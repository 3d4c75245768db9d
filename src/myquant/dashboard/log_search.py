"""Searches in logs, each in a process of its own, which is ended when it takes too long."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from myquant.config.layers import VARIABLE_PREFIX
from myquant.dashboard.log_worker import Found, Request, refusal
from myquant.monitor.log_text import LineText
from myquant.monitor.tied import tied

COMMAND: Final = (sys.executable, "-P", "-m", "myquant.dashboard.log_worker")
SEARCHES_MAX: Final = 4  # at a time
LINES_MAX: Final = 2_000
BUDGET_S: Final = 8.0  # after it the process itself says how far it got
HARD_S: Final = 12.0  # after it it is killed: a single line holds it up
END_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 2**26
TOO_MANY: Final = f"{SEARCHES_MAX} searches are under way: close another page of logs, or try again"
TOO_SLOW: Final = "the search was ended, as one line took it too long: is the expression simple? Narrow it"
GONE: Final = "the process that searched has ended: search again"


class Searches:
    """The searches of all who look, so many at a time."""

    def __init__(self, command: Sequence[str] = COMMAND, hard_s: float = HARD_S) -> None:
        self._command, self._hard_s = tuple(command), hard_s
        self._open: set[OpenSearch] = set()

    def begin(self, request: Request) -> "OpenSearch | None":
        """Return a search; None: there are too many. It is to be closed."""
        if len(self._open) >= SEARCHES_MAX:
            return None
        search = OpenSearch(self._command, request, self._hard_s, self._open)
        self._open.add(search)
        return search

    async def close(self) -> None:
        """End all."""
        for each in list(self._open):
            await each.close()


class OpenSearch:
    """A search that is under way; see `log_worker`."""

    def __init__(self, command: Sequence[str], request: Request, hard_s: float, others: "set[OpenSearch]") -> None:
        self._command, self._request, self._hard_s, self._others = command, request, hard_s, others
        self._process: asyncio.subprocess.Process | None = None
        self._is_closed = False

    async def look(self) -> Found:
        """Return what is there, then what came since. Never raises for the search's sake; one that was refused is over."""
        if self._is_closed:
            return refusal(GONE)
        answer: Any = None
        why = GONE
        try:
            async with asyncio.timeout(self._hard_s):
                answer = await self._ask()
        except TimeoutError:
            why = TOO_SLOW
        except (OSError, ValueError) as error:
            why = f"{GONE} ({error})"
        found = _checked(answer) or refusal(why)
        if found["refused"] or found["until"]:
            await self.close()
        return found

    async def close(self) -> None:
        """End it, and its process."""
        self._is_closed = True
        self._others.discard(self)
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):  # one that hangs in the kernel can't be waited for
                await process.wait()
                if process.stdout is not None:
                    await process.stdout.read()  # to its end: then the pipe is closed

    async def _ask(self) -> Any:
        line = b"more"
        if self._process is None:
            self._process = await self._start()
            line = json.dumps(self._request).encode()
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("it has no pipes")
        if self._is_closed:  # while it was begun
            await self.close()
            return None
        stdin.write(line + b"\n")
        await stdin.drain()
        return json.loads(await stdout.readline() or b"null")

    async def _start(self) -> asyncio.subprocess.Process:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLE_PREFIX)}
        return await asyncio.create_subprocess_exec(
            *tied(self._command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environ,
            limit=ANSWER_BYTES_MAX,
            start_new_session=True,
        )


def _checked(answer: Any) -> Found | None:
    if not isinstance(answer, dict):
        return None
    answer["lines"] = [LineText._make((*texts, tuple(trace))) for *texts, trace in answer["lines"]]
    return cast("Found", answer)


def request_of(
    logs: dict[str, Path],
    *,
    since_ns: int,
    until_ns: int | None,
    level: str,
    text: str,
    is_pattern: bool,
    most: int,
    zone: str,
) -> Request:
    """Return what is to be searched, in bounds."""
    return Request(
        logs={name: str(folder) for name, folder in logs.items()},
        since_ns=since_ns,
        until_ns=until_ns,
        level=level,
        text=text,
        is_pattern=is_pattern,
        most=min(most, LINES_MAX),
        budget_s=BUDGET_S,
        zone=zone,
    )
