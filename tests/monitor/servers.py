"""Real servers on loopback that misbehave as asked: SMTP (aiosmtpd, or by hand) and HTTP."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HOST = "127.0.0.1"
NEVER_S = 3600.0
DRIP_S = 0.05


class Mailbox:
    """What an SMTP server does with mail; `tempfails`: so many messages it asks to send later."""

    def __init__(self, *, recipient: str = "250 OK", tempfails: int = 0, slow_s: float = 0.0) -> None:
        self.recipient = recipient
        self.tempfails = tempfails
        self.slow_s = slow_s
        self.mails: list[str] = []

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: Any) -> str:  # noqa: N802
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(to)
        return self.recipient

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.slow_s)
        if self.tempfails:
            self.tempfails -= 1
            return "451 try again later"
        content = envelope.content
        self.mails.append(content.decode() if isinstance(content, bytes) else str(content))
        return "250 Message accepted"


@asynccontextmanager
async def smtp(mailbox: Mailbox, port: int = 0, *, password: bytes = b"") -> AsyncIterator[int]:
    """Run an SMTP server; yields its port. With a password it wants a login with it."""

    def login(_server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == password, handled=False)

    def protocol() -> SMTP:
        with warnings.catch_warnings(
            action="ignore", category=UserWarning
        ):  # of a login without TLS, as it is on loopback
            return SMTP(mailbox, authenticator=login, auth_required=bool(password), auth_require_tls=False)

    server = await asyncio.get_running_loop().create_server(protocol, HOST, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def tcp(handle: Handle, port: int = 0) -> AsyncIterator[int]:
    """Run a server that does what `handle` does with each connection; yields its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handled, HOST, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)  # whoever was let in last begins, so that it can close what it has
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what they have closed is let go


async def drips(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet without an end: no time-out between two bytes ever strikes."""
    while True:
        writer.write(b"2")
        await writer.drain()
        await asyncio.sleep(DRIP_S)


async def hangs(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Listen and say nothing."""
    while await reader.read(65_536):
        pass
    await asyncio.sleep(NEVER_S)


async def talks_nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say what is neither SMTP nor HTTP."""
    writer.write(b"\x00\xffwhat is it?\r\n" * 5)
    await writer.drain()


async def closes(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Hang up in the middle of what the other says."""
    with suppress(TimeoutError):  # one who speaks SMTP waits to be greeted
        await asyncio.wait_for(reader.read(10), DRIP_S)


async def mail_closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak SMTP up to the message, and hang up in it."""
    writer.write(b"220 hello\r\n")
    for answer in (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
        await reader.readline()
        writer.write(answer)
    await reader.readline()


class Sink:
    """An HTTP server's answers: `status` of the next ones, with `headers` (each ends with a line break)."""

    def __init__(self, status: str = "200 OK", headers: str = "", body: str = "fine", slow_s: float = 0.0) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.slow_s = slow_s
        self.requests: list[str] = []  # first lines
        self.bodies: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        self.requests.append(head.splitlines()[0])
        self.bodies.append(body.decode())
        await asyncio.sleep(self.slow_s)
        answer = (
            f"HTTP/1.1 {self.status}\r\n{self.headers}Content-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write((answer + self.body).encode())
        await writer.drain()
