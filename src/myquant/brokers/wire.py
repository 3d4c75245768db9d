"""HTTP/1.1 for orders: connections kept open, requests that are bytes already, one under way on each.

What is known of a request is never more than what happened: it was not written (`send` says so at once), or it was and
an answer came, or it was and none did. Nothing is sent twice here. Answers are parsed strictly and are bounded; whatever
is not HTTP ends the connection, and its request is without an answer.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final, Protocol, cast
from urllib.parse import urlsplit

from myquant.brokers.addresses import checked_url, verifying
from myquant.brokers.backoff import Backoff
from myquant.brokers.http import Reply
from myquant.brokers.secrets import Redactor

HEAD_BYTES_MAX: Final = 2**14
BODY_BYTES_MAX: Final = 2**18
TICK_S: Final = 0.25
IDLE_S: Final = 20.0  # a connection that was not used for so long is made anew: the other side may be about to close it
SLOW_S: Final = 0.5  # when none is free and none was answered for so long, another connection is made
CONNECTIONS_MAX: Final = 8
BACKOFF_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
NOT_CONNECTED: Final = "not connected yet"
SECOND_NS: Final = 10**9

OnReply = Callable[[Reply | None, str], None]  # the answer, or None and why there is none


class Wire(Protocol):
    """What requests are sent over.

    Attributes:
        on_change: called when a connection becomes free, and when `is_open` changes; never from within `send`.
        reason: why it is not open.
    """

    on_change: Callable[[], None]
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether there is any connection."""

    @property
    def is_free(self) -> bool:
        """Whether a request can be written now."""

    def start(self) -> None:
        """Connect, and stay connected, in the running loop."""

    def send(self, request: bytes, on_reply: OnReply) -> bool:
        """Write a request; False: there is no free connection, and nothing was written.

        `on_reply` is called once, later: with the answer, or with None when it is not known what became of the request.
        """

    async def aclose(self) -> None:
        """End all connections; what has no answer yet gets none."""


class BadAnswerError(ValueError):
    """What came is no answer in HTTP/1.1."""


class AnswerReader:
    """Takes the bytes of one answer and gives it when it is whole. Raises BadAnswerError.

    `keep`: after an answer: whether the connection can be used again.
    """

    def __init__(self) -> None:
        self.keep = True
        self._bytes = bytearray()
        self._status = 0
        self._length = -1  # of the body; -1: the head is not there yet
        self._is_chunked = False

    def feed(self, data: bytes) -> Reply | None:
        """Take bytes; return the answer once it is whole."""
        self._bytes += data
        if self._length < 0 and not self._take_head():
            return None
        if self._is_chunked:
            body = self._unchunked()
            return None if body is None else Reply(self._status, body)
        if len(self._bytes) > self._length:
            raise BadAnswerError("bytes after the answer")
        return Reply(self._status, bytes(self._bytes)) if len(self._bytes) == self._length else None

    def _take_head(self) -> bool:
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0:
            if len(self._bytes) > HEAD_BYTES_MAX:
                raise BadAnswerError("a head without an end")
            return False
        lines = bytes(self._bytes[:end]).decode("latin-1").split("\r\n")
        del self._bytes[: end + 4]
        version, _, rest = lines[0].partition(" ")
        status = rest[:3]
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not (status.isascii() and status.isdigit()) or int(status) < 200:
            raise BadAnswerError("no status line")
        self._status, self.keep = int(status), version == "HTTP/1.1"
        self._take_headers(lines[1:])
        return True

    def _take_headers(self, lines: list[str]) -> None:
        lengths = set()
        for line in lines:
            name, colon, value = line.partition(":")
            name, value = name.lower(), value.strip().lower()
            if not colon or not name or name != name.strip():
                raise BadAnswerError("a header that is none")
            if name == "content-length":
                lengths.add(value)
            elif name == "transfer-encoding":
                self._is_chunked = value == "chunked"
                if not self._is_chunked:
                    raise BadAnswerError("a transfer encoding other than chunked")
            elif name == "connection" and "close" in value:
                self.keep = False
        if self._is_chunked:
            self._length = 0
            return
        text = lengths.pop() if len(lengths) == 1 else ""
        if lengths or not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > BODY_BYTES_MAX:
            raise BadAnswerError("no single length that we take")
        self._length = int(text)

    def _unchunked(self) -> bytes | None:
        """Return the body of chunks; None: some are missing."""
        body, at, content = bytearray(), 0, self._bytes
        if len(content) > 2 * BODY_BYTES_MAX:
            raise BadAnswerError("a body that is too long")
        while True:
            end = content.find(b"\r\n", at)
            if end < 0:
                return None
            digits = bytes(content[at:end]).partition(b";")[0].strip()
            if not 1 <= len(digits) <= 8 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
                raise BadAnswerError("a chunk without a size")
            size = int(digits, 16)
            after = end + 2 + size
            if size > BODY_BYTES_MAX or len(body) + size > BODY_BYTES_MAX:
                raise BadAnswerError("a body that is too long")
            if len(content) < after + 2:
                return None
            if content[after : after + 2] != b"\r\n":
                raise BadAnswerError("a chunk without an end" if size else "trailers, or a chunk without an end")
            if size == 0:
                if len(content) > after + 2:
                    raise BadAnswerError("bytes after the answer")
                return bytes(body)
            body += content[end + 2 : after]
            at = after + 2


class _Connection(asyncio.Protocol):
    """One connection; `on_reply`: of the request that is under way, None: it is free."""

    def __init__(self, wire: "HttpWire") -> None:
        self.transport: asyncio.Transport | None = None
        self.on_reply: OnReply | None = None
        self.since_ns = wire.monotonic_ns()  # of the request, or since it is free
        self._wire = wire
        self._reader = AnswerReader()
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = cast("asyncio.Transport", transport)  # of a stream; uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        """Take bytes of an answer."""
        if self.on_reply is None:
            self.cut("bytes that nobody asked for")
            return
        try:
            reply = self._reader.feed(data)
        except BadAnswerError as error:
            self._wire.counts["bad_answers"] += 1
            self.cut(f"the answer is no HTTP: {error}")
            return
        if reply is None:
            return
        on_reply, self.on_reply = self.on_reply, None
        self.since_ns = self._wire.monotonic_ns()
        keep, self._reader = self._reader.keep, AnswerReader()
        if not keep:
            self.cut("closed after its answer")
        on_reply(reply, "")
        self._wire.on_change()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take it that the connection is gone."""
        said = f"the connection was lost: {exc}" if exc is not None else "the connection was closed"
        self._lose(self._wire.redactor.line(said))
        if not self.gone.done():
            self.gone.set_result(None)

    def is_free(self) -> bool:
        """Whether a request can be written."""
        return self.on_reply is None and self.transport is not None and not self.transport.is_closing()

    def write(self, request: bytes, on_reply: OnReply) -> None:
        """Write a request."""
        assert self.transport is not None  # noqa: S101  (who calls has asked `is_free`)
        self.on_reply = on_reply
        self.transport.write(request)
        self.since_ns = self._wire.monotonic_ns()

    def cut(self, why: str) -> None:
        """End the connection; a request under way has no answer."""
        if self.transport is not None:
            self.transport.abort()
        self._lose(why)

    def _lose(self, why: str) -> None:
        on_reply, self.on_reply = self.on_reply, None
        if on_reply is not None:
            self._wire.counts["lost"] += 1
            on_reply(None, why)


class HttpWire:
    """A few connections to one service; see `Wire`. `url`: scheme, host and port. TLS is verified.

    Attributes:
        counts: connections made and failed, requests, answers that were none, requests without an answer.
    """

    def __init__(
        self,
        url: str,
        redactor: Redactor,
        *,
        monotonic_ns: Callable[[], int],
        connections: int = 3,
        timeout_s: float = 5.0,
        connect_timeout_s: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        rng: Random | None = None,
    ) -> None:
        parts = urlsplit(checked_url(url, schemes=("https", "http")))
        is_secure = parts.scheme == "https"
        self.on_change: Callable[[], None] = _nothing
        self.reason = NOT_CONNECTED
        self.redactor = redactor
        self.monotonic_ns = monotonic_ns
        self.counts: Counter[str] = Counter()
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if is_secure else 80)
        self._ssl = verifying(ssl_context) if is_secure else None
        self._timeout_ns = round(timeout_s * SECOND_NS)
        self._connect_timeout_s = connect_timeout_s
        self._connections = connections
        self._rng = rng or Random()  # noqa: S311  (spreads attempts in time)
        self._open: list[_Connection] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_open(self) -> bool:
        """Whether there is any connection."""
        return bool(self._open)

    @property
    def is_free(self) -> bool:
        """Whether a request can be written now."""
        return any(connection.is_free() for connection in self._open)

    def start(self) -> None:
        """Connect, and stay connected, in the running loop."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep()) for _ in range(self._connections)]
        self._tasks.append(loop.create_task(self._watch()))

    def send(self, request: bytes, on_reply: OnReply) -> bool:
        """Write a request to a free connection; False: there is none, and nothing was written."""
        for connection in self._open:
            if connection.is_free():
                connection.write(request, on_reply)
                self.counts["requests"] += 1
                return True
        return False

    async def aclose(self) -> None:
        """End all connections; what has no answer yet gets none."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self) -> None:
        """Keep one connection open until cancelled."""
        backoff = Backoff(BACKOFF_S, BACKOFF_MAX_S, self._rng)
        while True:
            try:
                connection = await self._connect()
            except (OSError, TimeoutError) as error:  # a certificate that can't be trusted is an OSError too
                self.counts["failed"] += 1
                self.reason = self.redactor.line(f"{type(error).__name__}: {error}")
            else:
                self.counts["connects"] += 1
                self._open.append(connection)
                self.on_change()
                try:
                    await connection.gone
                finally:
                    self._open.remove(connection)
                    connection.cut("closed by us")
                if self.monotonic_ns() - connection.since_ns > SECOND_NS:
                    backoff.reset()
                self.reason = "the connection was lost"
                self.on_change()
            await asyncio.sleep(backoff.next_s())

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._connect_timeout_s):
            _, connection = await loop.create_connection(
                lambda: _Connection(self),
                self._host,
                self._port,
                ssl=self._ssl,
                server_hostname=self._host if self._ssl is not None else None,
            )
        return connection

    async def _watch(self) -> None:
        """Give up requests that have no answer for too long, and connections that nobody used."""
        while True:
            await asyncio.sleep(TICK_S)
            now = self.monotonic_ns()
            free = [each for each in self._open if each.is_free()]
            all_wait = bool(self._open) and all(now - each.since_ns >= SLOW_S * SECOND_NS for each in self._open)
            if all_wait and not free and len(self._tasks) <= CONNECTIONS_MAX:
                self._tasks.append(asyncio.get_running_loop().create_task(self._keep()))
            for connection in self._open:
                if connection.on_reply is not None and now - connection.since_ns >= self._timeout_ns:
                    connection.cut(f"no answer within {self._timeout_ns / SECOND_NS:g} s")
            if len(free) > 1:
                oldest = min(free, key=lambda each: each.since_ns)
                if now - oldest.since_ns >= IDLE_S * SECOND_NS:
                    oldest.cut("not used for long")


def _nothing() -> None:
    """Tell nobody."""
