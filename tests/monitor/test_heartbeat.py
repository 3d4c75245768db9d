"""The dead-man switch, with a real HTTP server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from monitor.posts import Clock, Lines, until
from monitor.servers import HOST, Handle, Sink, closes, drips, hangs, talks_nonsense, tcp
from myquant.errors import ConfigError
from myquant.monitor.heartbeat import Heartbeat, read_heartbeat

PATH = "/ping/planted-4711"


class NoRing:
    """A keyring that holds nothing."""

    def why_not(self) -> str:
        return ""

    def get_password(self, _service: str, _name: str) -> str | None:
        return None


@asynccontextmanager
async def beating(
    port: int, is_at_work: Callable[[], bool] = lambda: True, timeout_s: float = 30.0
) -> AsyncIterator[Heartbeat]:
    heart = Heartbeat(f"http://{HOST}:{port}{PATH}", 0.01, is_at_work, Lines(), clock_ns=Clock(), timeout_s=timeout_s)
    running = asyncio.create_task(heart.run())
    try:
        yield heart
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_it_beats_at_once_and_again() -> None:
    async def run() -> None:
        sink = Sink()
        async with tcp(sink) as port, beating(port) as heart:
            await until(lambda: heart.counts["sent"] >= 3)
            assert heart.failing() is None
        assert set(sink.requests) == {f"GET {PATH} HTTP/1.1"}

    asyncio.run(run())


def test_it_is_silent_while_looks_are_late_or_nobody_can_be_told() -> None:
    async def run() -> None:
        sink, at_work = Sink(), False
        async with tcp(sink) as port, beating(port, lambda: at_work) as heart:
            await until(lambda: heart.counts["skipped"] >= 3)
            assert sink.requests == []
            assert heart.failing() is None
            at_work = True
            await until(lambda: heart.counts["sent"])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (Sink("500 Oh"), "the answer was HTTP 500"),
        (Sink("302 Found", f"Location: http://{HOST}/\r\n"), "the answer was HTTP 302"),
        (hangs, "no answer within 0.2 s"),
        (drips, "no answer within 0.2 s"),
        (closes, "ServerDisconnectedError"),
        (talks_nonsense, "BadStatusLine"),
    ],
    ids=("error", "redirection", "hangs", "drips", "closes", "nonsense"),
)
def test_a_service_that_does_not_take_it_is_told(handle: Handle, words: str) -> None:
    async def run() -> None:
        async with tcp(handle) as port, beating(port, timeout_s=0.2) as heart:
            await until(heart.failing)
            failing = heart.failing()
            assert failing is not None
            assert words in failing[1] or "ResponseError" in failing[1]
            assert "planted" not in failing[1]
            assert heart.counts["failed"] >= 2

    asyncio.run(run())


def test_one_that_is_down_and_comes_back() -> None:
    async def run() -> None:
        sink = Sink("500 Oh")
        async with tcp(sink) as port, beating(port) as heart:
            await until(lambda: heart.counts["failed"] == 1)
            assert heart.failing() is None  # a single one happens
            await until(heart.failing)
            sink.status = "200 OK"
            await until(lambda: heart.failing() is None)
            assert isinstance(heart._log, Lines)
            assert heart._log.events() == ["heartbeat fails", "heartbeat sent again"]
            assert "planted" not in str(heart._log.lines)

    asyncio.run(run())


def test_it_is_optional_and_its_address_is_never_shown() -> None:
    assert read_heartbeat({}, NoRing()) == ""
    assert read_heartbeat({"MYQUANT_MONITOR_HEARTBEAT": "https://h.example/p"}, NoRing()) == "https://h.example/p"
    for bad in (
        "planted",
        "ftp://planted/",
        "https://",
        "https://planted:99999/",
        "https://plan ted/",
        "http://[planted",
    ):
        with pytest.raises(ConfigError, match="MYQUANT_MONITOR_HEARTBEAT") as raised:
            read_heartbeat({"MYQUANT_MONITOR_HEARTBEAT": bad}, NoRing())
        assert "plan" not in str(raised.value)
