"""The wire for orders over loopback: kept-open connections, strict answers, and never more claimed than happened."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from brokers.fake_angelone import until
from myquant.brokers.http import Reply
from myquant.brokers.secrets import Redactor
from myquant.brokers.wire import AnswerReader, BadAnswerError, HttpWire

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
CHUNKED = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
BAD = {
    "garbage": b"hello there\r\n\r\n",
    "a provisional answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\ngood",
    "a length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n",
    "a huge body": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
    "a huge head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
    "a bad header": b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
    "another encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    "more than one answer": OK + OK,
    "more after the chunks": CHUNKED + b"x",
}


@given(
    cuts=st.sets(st.integers(1, 90)), which=st.sampled_from([(OK, Reply(200, b"good")), (CHUNKED, Reply(403, b"abcd"))])
)
def test_an_answer_is_read_however_it_is_cut(cuts: set[int], which: tuple[bytes, Reply]) -> None:
    content, expected = which
    edges = [0, *sorted(cut for cut in cuts if cut < len(content)), len(content)]
    reader = AnswerReader()
    replies = [reader.feed(content[begin:end]) for begin, end in pairwise(edges)]
    assert replies[-1] == expected
    assert set(replies[:-1]) <= {None}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_is_refused(name: str) -> None:
    with pytest.raises(BadAnswerError):
        AnswerReader().feed(BAD[name])


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_a_part_of_one_or_refused(content: bytes) -> None:
    try:
        reply = AnswerReader().feed(b"HTTP/1.1 200 OK\r\n" + content)
    except BadAnswerError:
        return
    assert reply is None or isinstance(reply, Reply)


class Service:
    """Answers with what is scripted, else with `OK`; None: never, empty: it hangs up."""

    def __init__(self) -> None:
        self.script: list[bytes | None] = []
        self.requests = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readexactly(len(REQUEST))
                self.requests += 1
                answer = self.script.pop(0) if self.script else OK
                if answer == b"":
                    break
                if answer is not None:
                    writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


Heard = list[tuple[Reply | None, str]]


def play(scenario: Callable[[HttpWire, Service, Heard], Awaitable[None]], **options: Any) -> HttpWire:
    async def run() -> HttpWire:
        service, heard = Service(), Heard()
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wire = HttpWire(f"http://127.0.0.1:{port}", Redactor(), monotonic_ns=time.monotonic_ns, **options)
        wire.start()
        await until(lambda: wire.is_free)
        await asyncio.wait_for(scenario(wire, service, heard), 10)
        await wire.aclose()
        server.close()
        return wire

    return uvloop.run(run())


def test_requests_go_over_connections_that_stay_open() -> None:
    async def scenario(wire: HttpWire, service: Service, heard: Heard) -> None:
        for number in range(1, 21):
            assert wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
            assert len(heard) < number  # never from within send
            await until(lambda number=number: len(heard) == number)  # type: ignore[misc]
        assert heard == [(Reply(200, b"good"), "")] * 20
        assert service.connections == 1

    assert play(scenario, connections=1).counts["requests"] == 20


def test_a_connection_carries_one_request_at_a_time() -> None:
    async def scenario(wire: HttpWire, service: Service, heard: Heard) -> None:
        service.script = [None]
        assert wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
        assert not wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
        await asyncio.sleep(0.05)
        assert service.requests == 1

    play(scenario, connections=1)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Len", *BAD.values()])
def test_a_request_without_a_sound_answer_is_lost_and_the_wire_goes_on(answer: bytes) -> None:
    async def scenario(wire: HttpWire, service: Service, heard: Heard) -> None:
        service.script = [answer]
        wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
        await until(lambda: len(heard) == 1)
        if answer != BAD["more than one answer"]:
            assert heard[0][0] is None
            assert heard[0][1]
        await until(lambda: wire.is_free)
        wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
        await until(lambda: len(heard) == 2)
        assert heard[1] == (Reply(200, b"good"), "")
        assert service.requests == 2  # nothing was sent again

    play(scenario, connections=1, timeout_s=0.3)


def test_an_answer_that_does_not_come_is_given_up_and_another_connection_made_meanwhile() -> None:
    async def scenario(wire: HttpWire, service: Service, heard: Heard) -> None:
        service.script = [None]
        wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
        await until(lambda: wire.is_free)
        assert heard == []
        assert wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
        await until(lambda: len(heard) == 2)
        assert heard[1] == (None, "no answer within 2 s")

    play(scenario, connections=1, timeout_s=2.0)


def test_an_answer_that_says_close_ends_the_connection() -> None:
    async def scenario(wire: HttpWire, service: Service, heard: Heard) -> None:
        service.script = [OK.replace(b"Content", b"Connection: close\r\nContent", 1)]
        wire.send(REQUEST, lambda reply, why: heard.append((reply, why)))
        await until(lambda: len(heard) == 1)
        assert heard == [(Reply(200, b"good"), "")]
        await until(lambda: service.connections == 2)

    play(scenario, connections=1)
