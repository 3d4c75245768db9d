"""A channel's process with real servers: what they do wrong is told, and ends no other's work."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_string
from pathlib import Path

import pytest

from monitor.servers import HOST, Handle, Mailbox, Sink, closes, drips, hangs, mail_closes, smtp, talks_nonsense, tcp
from myquant.brokers.secrets import Redactor
from myquant.monitor.channels import Channel, secret_parts
from myquant.monitor.worker import Answer, Parcel, Worker

PASSWORD = "planted-Pass-4711"  # noqa: S105  (planted)
PLENTY_S = 60.0
SHORT_S = 3.0
PARCEL = Parcel(
    "id-1", "critical", "CRITICAL nifty: engine dead", "holds 75 <b>units</b> & *none* guards it\n\nMessage 1"
)


def mail_address(port: int, account: str = "") -> str:
    return f"mailto://{account}{HOST}:{port}?from=engine@example.com&to=me@example.com&mode=insecure&smtp={HOST}"


def hook_address(port: int) -> str:
    return f"json://me:{PASSWORD}@{HOST}:{port}/hook"


@asynccontextmanager
async def worker_of(address: str, attempt_s: float = PLENTY_S) -> AsyncIterator[Worker]:
    channel = Channel("mail", address)
    worker = Worker(channel, Redactor(secret_parts(address)), attempt_s, os.environ)
    try:
        yield worker
    finally:
        await worker.close()


async def sent(address: str, attempt_s: float = PLENTY_S) -> Answer:
    async with worker_of(address, attempt_s) as worker:
        assert await worker.ready() == ""
        return await worker.deliver(PARCEL)


def test_mail_arrives_as_plain_text() -> None:
    async def run() -> None:
        mailbox = Mailbox(slow_s=0.2)
        async with smtp(mailbox) as port:
            answer = await sent(mail_address(port))
        assert answer == Answer(delivered=True, said="Sent Email to me@example.com")
        mail = message_from_string(mailbox.mails[0])
        payload = mail.get_payload(decode=True)
        assert isinstance(payload, bytes)
        assert mail.get_content_type() == "text/plain"
        assert mail["Subject"] == PARCEL.title
        assert payload.decode().split() == PARCEL.body.split()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("mailbox", "account", "words"),
    [
        (Mailbox(recipient="550 no such user"), "", "no such user"),
        (Mailbox(tempfails=1), "", "try again later"),
        (Mailbox(), f"me:{PASSWORD}@", "535"),
    ],
    ids=("refuses the recipient", "fails for now", "refuses the login"),
)
def test_a_mail_server_that_refuses_is_quoted(mailbox: Mailbox, account: str, words: str) -> None:
    async def run() -> None:
        async with smtp(mailbox, password=b"another" if account else b"") as port:
            answer = await sent(mail_address(port, account))
        assert not answer.delivered
        assert words in answer.said
        assert PASSWORD not in answer.said
        assert mailbox.mails == []

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["mail", "hook"])
@pytest.mark.parametrize("handle", [talks_nonsense, closes, mail_closes])
def test_a_server_that_breaks_the_protocol_is_a_failure(scheme: str, handle: Handle) -> None:
    async def run() -> None:
        async with tcp(handle) as port:
            answer = await sent(mail_address(port) if scheme == "mail" else hook_address(port))
        assert not answer.delivered
        assert answer.said != ""

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["mail", "hook"])
@pytest.mark.parametrize("handle", [drips, hangs])
def test_a_server_that_takes_too_long_is_left_and_the_process_made_anew(scheme: str, handle: Handle) -> None:
    async def run() -> None:
        async with tcp(handle) as port:
            address = mail_address(port) if scheme == "mail" else hook_address(port)
            async with worker_of(address, SHORT_S) as worker:
                assert await worker.ready() == ""
                first = worker.pid
                assert await worker.deliver(PARCEL) == Answer(delivered=False, said=f"no answer within {SHORT_S:g} s")
                assert worker.pid is None
                assert await worker.ready() == ""
                assert worker.pid not in {None, first}

    asyncio.run(run())


def test_a_server_that_is_down_and_comes_back() -> None:
    async def run() -> None:
        mailbox = Mailbox()
        async with smtp(mailbox) as port:
            pass
        async with worker_of(mail_address(port)) as worker:
            assert "refused" in (await worker.deliver(PARCEL)).said
            first = worker.pid
            async with smtp(mailbox, port):
                assert (await worker.deliver(PARCEL)).delivered
            assert worker.pid == first
        assert len(mailbox.mails) == 1

    asyncio.run(run())


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "204 No Content"])
def test_a_webhook_takes_it(status: str) -> None:
    async def run() -> None:
        sink = Sink(status, body="")
        async with tcp(sink) as port:
            assert (await sent(hook_address(port))).delivered
        assert sink.requests == ["POST /hook HTTP/1.1"]
        body = json.loads(sink.bodies[0])
        assert (body["title"], body["message"], body["type"]) == (PARCEL.title, PARCEL.body, "failure")

    asyncio.run(run())


@pytest.mark.parametrize("status", ["500 Oh", "429 Too Many", "400 No", "302 Found", "307 There"])
def test_a_webhook_that_answers_otherwise_is_a_failure(status: str) -> None:
    """A redirection too: the request that follows it would have lost the message, and be answered well."""

    async def run() -> None:
        sink, other = Sink(status, body=f"no: {PASSWORD}"), Sink()
        async with tcp(other) as other_port, tcp(sink) as port:
            sink.headers = f"Location: http://{HOST}:{other_port}/\r\n"
            answer = await sent(hook_address(port))
        assert not answer.delivered
        assert answer.said.startswith(f"HTTP {status[:3]}")
        assert "***" in answer.said
        assert PASSWORD not in answer.said
        assert other.requests == []

    asyncio.run(run())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_process_that_is_killed_or_frozen_fails_once_and_is_made_anew(number: signal.Signals, when: str) -> None:
    async def run() -> None:
        sink = Sink(slow_s=0.0)
        async with tcp(sink) as port, worker_of(hook_address(port), SHORT_S) as worker:
            assert await worker.ready() == ""
            first = worker.pid
            assert first is not None
            sink.slow_s = 1.0 if when == "during" else 0.0
            if when == "before":
                os.kill(first, number)
            attempt = asyncio.create_task(worker.deliver(PARCEL))
            if when == "during":
                await wait_for_request(sink)
                os.kill(first, number)
            answer = await attempt
            if not answer.delivered:  # one that was dead already may have been made anew at once
                assert "its process ended" in answer.said or "no answer within" in answer.said
            sink.slow_s = 0.0
            assert (await worker.deliver(PARCEL)).delivered
            assert worker.pid != first

    async def wait_for_request(sink: Sink) -> None:
        async with asyncio.timeout(PLENTY_S):
            while not sink.requests:  # noqa: ASYNC110  (of another process)
                await asyncio.sleep(0.005)

    asyncio.run(run())


@pytest.mark.parametrize("address", ["nonsense://planted-4711", "json://", "planted", "tgram://planted-4711/", "["])
def test_an_address_that_is_none_is_named_by_its_variable(address: str) -> None:
    async def run() -> None:
        async with worker_of(address) as worker:
            problem = await worker.ready()
            assert problem.startswith("channel mail: the address in MYQUANT_ALERT_MAIL can't be used")
            assert "planted" not in problem
            assert worker.pid is None
            assert (await worker.deliver(PARCEL)).said == problem

    asyncio.run(run())


def test_a_command_that_fails_or_says_nonsense_is_told() -> None:
    async def run() -> None:
        for command, words in (
            (("false",), "its process"),
            (("echo", "what?"), "its process"),
            (("no-such-program",), "its process can't be started"),
        ):
            worker = Worker(Channel("mail", "json://h"), Redactor(), SHORT_S, os.environ, command)
            assert words in await worker.ready()

    asyncio.run(run())


def test_no_secret_is_in_the_process_command_line_or_environment() -> None:
    async def run() -> None:
        environ = {**os.environ, "MYQUANT_ALERT_MAIL": PASSWORD, "MYQUANT_ANGELONE_PIN": PASSWORD}
        worker = Worker(Channel("mail", hook_address(1)), Redactor(), SHORT_S, environ)
        assert await worker.ready() == ""
        place = Path(f"/proc/{worker.pid}")
        seen = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
        await worker.close()
        assert b"myquant.monitor.carrier" in seen
        assert PASSWORD.encode() not in seen
        assert b"MYQUANT_" not in seen

    asyncio.run(run())


def test_a_process_ends_when_the_monitor_is_gone() -> None:
    async def run() -> None:
        async with worker_of(hook_address(1)) as worker:
            assert await worker.ready() == ""
            process = worker._process
            assert process is not None
            assert process.stdin is not None
            process.stdin.close()  # which the system does for one that was killed
            assert await asyncio.wait_for(process.wait(), PLENTY_S) == 0

    asyncio.run(run())
