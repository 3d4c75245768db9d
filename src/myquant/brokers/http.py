"""Requests to a broker's REST service: time-outs on everything, TLS verified, patience within limits."""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from myquant.brokers.addresses import is_loopback, verifying
from myquant.brokers.backoff import Backoff
from myquant.brokers.secrets import READ_MAX, Redactor
from myquant.errors import BrokerError

if TYPE_CHECKING:
    import aiohttp

JSON_BYTES_MAX: Final = 8 * 2**20
RATE_LIMITED: Final = "rate_limited"
SERVER_ERROR: Final = "server_error"
UNREACHABLE: Final = "unreachable"
NOT_TRUSTED: Final = "not_trusted"

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Patience:
    """How long to wait for an answer, and how often to ask again."""

    timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    attempts: int = 5
    backoff_s: float = 0.5
    backoff_max_s: float = 8.0


class NoAnswerError(BrokerError):
    """There was no answer that one could read: `kind` says why."""

    def __init__(self, kind: str, said: str) -> None:
        super().__init__(said)
        self.kind = kind


@dataclass(frozen=True)
class Reply:
    """An answer: its HTTP status, and its body."""

    status: int
    body: bytes

    def said(self, redactor: Redactor) -> str:
        """Return status and beginning of the body, redacted."""
        return f"HTTP {self.status} {redactor.line(self.body[:READ_MAX].decode('utf-8', 'replace'))!r}"


@dataclass
class Http:
    """An HTTP client, to be entered with `async with`. Redirects are not followed and no proxy of the environment is used.

    What it tells of answers and errors is redacted by `redactor`, which whoever uses it teaches the secrets.

    Attributes:
        counts: requests, and attempts that brought no answer, by kind.
    """

    redactor: Redactor
    patience: Patience = Patience()
    ssl_context: ssl.SSLContext | None = None
    sleep: Sleep = asyncio.sleep
    rng: Random = field(default_factory=Random)
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    counts: Counter[str] = field(default_factory=Counter)
    _session: "aiohttp.ClientSession | None" = None
    _errors: tuple[type[Exception], ...] = ()
    _free_ns: dict[str, int] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        import aiohttp  # noqa: PLC0415  (0.3 s, which only those who connect should wait for)

        self._errors = (aiohttp.ClientError, TimeoutError, OSError)
        timeout = aiohttp.ClientTimeout(total=None, connect=self.patience.connect_timeout_s)  # `once` bounds the rest
        connector = aiohttp.TCPConnector(ssl=verifying(self.ssl_context), limit=8)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def paced(self, name: str, interval_s: float) -> None:
        """Wait until `interval_s` has passed since the last call of this name; callers are let through one by one."""
        now = self.monotonic_ns()
        free = max(self._free_ns.get(name, now), now)
        self._free_ns[name] = free + round(interval_s * 1e9)
        if free > now:
            await self.sleep((free - now) / 1e9)

    async def once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        *,
        bytes_max: int = JSON_BYTES_MAX,
        timeout_s: float | None = None,
    ) -> Reply:
        """Ask once. Raises NoAnswerError where nothing came, or more than `bytes_max`."""
        if self._session is None:
            raise BrokerError("the HTTP client is not open: enter it with `async with`")
        self.counts["requests"] += 1
        content = None if body is None else json.dumps(body).encode()
        try:
            async with asyncio.timeout(timeout_s or self.patience.timeout_s):
                async with self._session.request(
                    method, url, data=content, headers=headers, allow_redirects=False
                ) as answer:
                    received = await _read(answer, bytes_max)
                    return Reply(answer.status, received)
        except self._errors as error:
            # Without the cause: an error of aiohttp's may hold the request's headers.
            kind = NOT_TRUSTED if isinstance(error, ssl.SSLCertVerificationError) else UNREACHABLE
            raise NoAnswerError(kind, self.redactor.line(_told(error))) from None

    async def patiently(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """Ask until there is an answer that says something, within `patience`; raises the last NoAnswerError.

        Asked again: no connection, 429, the 403 that is no JSON, 5xx, and a body that should be JSON and is not. Not asked
        again: a host whose certificate can't be trusted.
        """
        backoff = Backoff(self.patience.backoff_s, self.patience.backoff_max_s, self.rng)
        while True:
            try:
                reply = await ask()
                self._refuse_unreadable(reply)
            except NoAnswerError as error:
                self.counts[error.kind] += 1
                if error.kind == NOT_TRUSTED or backoff.attempts + 1 >= self.patience.attempts:
                    raise
                slow = self.patience.backoff_s if error.kind == RATE_LIMITED else 0.0
                await self.sleep(backoff.next_s(slow))
            else:
                return reply

    def _refuse_unreadable(self, reply: Reply) -> None:
        """Raise NoAnswerError for an answer that says nothing about the request but to ask again."""
        if reply.status == 429:
            raise NoAnswerError(RATE_LIMITED, reply.said(self.redactor))
        if reply.status >= 500:
            raise NoAnswerError(SERVER_ERROR, reply.said(self.redactor))
        try:
            json.loads(reply.body)
        except (UnicodeDecodeError, json.JSONDecodeError):
            if reply.status == 403:
                raise NoAnswerError(RATE_LIMITED, reply.said(self.redactor)) from None
            raise NoAnswerError(SERVER_ERROR, f"{reply.said(self.redactor)} is no JSON") from None


def unreachable(url: str, setting: str, error: NoAnswerError) -> str:
    """Return what an error says, with the address where nothing was reached, the setting that names it, and what to see to."""
    if error.kind != UNREACHABLE:
        return str(error)
    at_lab = is_loopback(urlsplit(url).hostname or "")
    see = "see that the lab runs, on this port" if at_lab else "see to the network and the setting"
    return f"{url} ({setting}) can't be reached ({error}): {see}"


async def _read(answer: "aiohttp.ClientResponse", bytes_max: int) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_chunked(2**16):
        size += len(part)
        if size > bytes_max:
            raise NoAnswerError(SERVER_ERROR, f"the answer has more than {bytes_max} bytes")
        parts.append(part)
    return b"".join(parts)


def _told(error: Exception) -> str:
    """Return what an error of the network says, or its name where it says nothing."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
