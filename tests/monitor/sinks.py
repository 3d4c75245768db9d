"""Channels of alerts that a test breaks and mends: real SMTP and HTTP servers in a thread, and what arrived there, and when."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from email import message_from_string
from email.policy import default
from threading import Thread
from typing import Final, NamedTuple, Self, TypeVar

from aiosmtpd.smtp import SMTP, Envelope, Session

from monitor.servers import HOST, Mailbox, Sink, hangs, smtp, tcp

WAIT_S: Final = 30.0
# What goes wrong with a sink, besides that nobody listens (`Sinks.close`).
REFUSES: Final = "refuses"  # HTTP 500, SMTP 451
HANGS: Final = "hangs"
_NOTICE: Final = re.compile(r"^(\S+)(?: \(\w+\))?: (\w+) \((\w+)\) ([a-z ]+) at (.+?), alert (\d+)$", re.MULTILINE)
_MESSAGE: Final = re.compile(r"^Message (\w+)$", re.MULTILINE)

Result = TypeVar("Result")


class Notice(NamedTuple):
    """What a message tells of one alert. `session`: `monitor` where it is of none."""

    session: str
    rule: str
    severity: str
    what: str  # raised, resolved...
    number: int


class Arrival(NamedTuple):
    """A message as it arrived: when (the machine's clock, ns), and what it says."""

    wall_ns: int
    title: str
    body: str

    def notices(self) -> list[Notice]:
        found = _NOTICE.findall(self.body)
        return [
            Notice(session, rule, severity, what, int(number)) for session, rule, severity, what, _, number in found
        ]

    @property
    def message_id(self) -> str:
        """What a message has that is sent twice, and no other."""
        (found,) = _MESSAGE.findall(self.body)
        return str(found)


class WebSink(Sink):
    """A webhook. `trouble`: "", or what is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble = ""
        self.arrivals: list[Arrival] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.trouble == HANGS:
            await hangs(reader, writer)
        self.status = "500 Broken" if self.trouble else "200 OK"
        before = len(self.bodies)
        await super().__call__(reader, writer)
        if self.status.startswith("200"):
            for body in self.bodies[before:]:
                told = json.loads(body)
                self.arrivals.append(Arrival(time.time_ns(), told["title"], told["message"]))

    @staticmethod
    def address(port: int) -> str:
        return f"json://{HOST}:{port}/inbox"


class MailSink(Mailbox):
    """A mailbox. `trouble`: "", or what is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble = ""
        self.arrivals: list[Arrival] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.trouble == HANGS:
            await asyncio.sleep(WAIT_S)
        self.tempfails = 1 if self.trouble else 0
        answer = await super().handle_DATA(server, session, envelope)
        if answer.startswith("250"):
            mail = message_from_string(self.mails[-1], policy=default)
            part = mail.get_body(("plain",))
            assert part is not None
            self.arrivals.append(
                Arrival(time.time_ns(), str(mail["Subject"]), part.get_content().replace("\r\n", "\n"))
            )
        return answer

    @staticmethod
    def address(port: int) -> str:
        return f"mailto://{HOST}:{port}?from=a@example.com&to=b@example.com&mode=insecure&smtp={HOST}"


class Sinks:
    """Channels by name, each with a server of its own; `with` ends them. Those whose name begins with mail speak SMTP."""

    def __init__(self, *names: str) -> None:
        self.of: dict[str, WebSink | MailSink] = {
            name: MailSink() if name.startswith("mail") else WebSink() for name in names
        }
        self._ports = dict.fromkeys(names, 0)
        self._servers: dict[str, AsyncExitStack] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="sinks", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for name in self.of:
            self.open(name)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._servers):
            self.close(name)
        self._wait(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self, name: str) -> None:
        """Listen, where it listened before."""
        self._wait(self._open(name))

    def close(self, name: str) -> None:
        """Listen no more."""
        self._wait(self._servers.pop(name).aclose())

    def environ(self) -> dict[str, str]:
        """Return the addresses, as the monitor takes them."""
        return {f"MYQUANT_ALERT_{name.upper()}": sink.address(self._ports[name]) for name, sink in self.of.items()}

    def settings(self) -> dict[str, str]:
        """Return the settings that have all channels told of everything."""
        return {f"alerts.{severity}": json.dumps(list(self.of)) for severity in ("warning", "critical")}

    def arrivals(self, name: str) -> list[Arrival]:
        return list(self.of[name].arrivals)

    def told(self, name: str, number: int, what: str) -> Arrival | None:
        """Return the first message on a channel that tells something (`what`) of an alert; None: none did so far."""
        for each in self.arrivals(name):
            if any((one.number, one.what) == (number, what) for one in each.notices()):
                return each
        return None

    async def _open(self, name: str) -> None:
        stack, sink = AsyncExitStack(), self.of[name]
        port = self._ports[name]
        server = smtp(sink, port) if isinstance(sink, MailSink) else tcp(sink, port)
        self._ports[name] = await stack.enter_async_context(server)
        self._servers[name] = stack

    def _wait(self, work: Awaitable[Result]) -> Result:
        async def waited() -> Result:
            return await work

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result(WAIT_S)


async def _end_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
