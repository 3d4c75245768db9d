"""What a connection may take, by https too: from the moment that it is there, before anything was said."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trustme

from dashboard.doors import HASH
from monitor.made_views import loaded
from myquant.dashboard import connections
from myquant.dashboard.connections import ADDRESS_CONNECTIONS_MAX, CONNECTIONS_MAX, Shaking, are_too_many, is_crowded
from myquant.dashboard.opening import listen, server_config, tls_of
from myquant.dashboard.serving import Server

WAIT_S = 30.0
LOOPS = ("uvicorn's", "asyncio's")
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return settings of https."""
    folder, made = tmp_path_factory.mktemp("tls"), trustme.CA().issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(folder / "key")
    made.cert_chain_pems[0].write_to_path(folder / "certificate")
    return {"dashboard__tls_certificate": str(folder / "certificate"), "dashboard__tls_key": str(folder / "key")}


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Serve the scheme that a request came by."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['scheme']} {scope['client'][0]}".encode()})


def serve(tls: dict[str, str], loop: str, look: Callable[[int, Server], Awaitable[None]]) -> None:
    """Serve by https while somebody looks; `look` gets the port and the server."""
    settings = loaded(dashboard__port=0, dashboard__password_hash=HASH, **tls).config.dashboard
    config = server_config(answer)
    server = Server(config, lambda: None, tls=tls_of(settings))

    async def run() -> None:
        listening = listen(settings)
        serving = asyncio.create_task(server._serve([listening]))
        try:
            await asyncio.wait_for(look(listening.getsockname()[1], server), WAIT_S)
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, WAIT_S)

    with asyncio.Runner(loop_factory=config.get_loop_factory() if loop == LOOPS[0] else None) as runner:
        runner.run(run())


async def asked(port: int) -> bytes:
    """Return what is answered to a request by https."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(REQUEST)
    found = await reader.read()
    writer.close()
    return found


async def ended(port: int, sent: bytes = b"") -> bool:
    """Return whether a connection that says no more than this is ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    with suppress(ConnectionError):
        await reader.read()
    writer.close()
    return True


@pytest.mark.parametrize("loop", LOOPS)
def test_by_https_requests_are_answered(tls: dict[str, str], loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def look(port: int, server: Server) -> None:
        answers = await asyncio.gather(*(asked(port) for _ in range(20)))
        assert all(b"200 OK" in each and b"https 127.0.0.1" in each for each in answers)
        assert not any(isinstance(each, Shaking) for each in server.server_state.connections)

    serve(tls, loop, look)
    assert caplog.records == []


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02"])
def test_by_https_what_shakes_no_hands_is_ended_in_time(
    tls: dict[str, str], loop: str, sent: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.1)

    async def look(port: int, _: Server) -> None:
        assert all(await asyncio.gather(*(ended(port, sent) for _ in range(3))))

    serve(tls, loop, look)
    assert caplog.records == []  # strangers fill no log


@pytest.mark.parametrize("loop", LOOPS)
def test_by_https_too_many_that_say_nothing_are_not_taken(
    tls: dict[str, str], loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)

    async def look(port: int, server: Server) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await ended(port)  # as it is the fourth
        assert len(server.server_state.connections) == 3
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()
        while server.server_state.connections:  # noqa: ASYNC110  (nothing tells)
            await asyncio.sleep(0.001)
        assert b"200 OK" in await asked(port)

    serve(tls, loop, look)


@pytest.mark.parametrize("loop", LOOPS)
def test_by_https_what_shakes_hands_ends_with_the_server(tls: dict[str, str], loop: str) -> None:
    async def look(port: int, server: Server) -> None:
        ends = asyncio.create_task(ended(port))
        while not server.server_state.connections:  # noqa: ASYNC110  (nothing tells)
            await asyncio.sleep(0.001)
        server.should_exit = True
        assert await ends

    serve(tls, loop, look)


def test_one_whose_handshake_is_under_way_counts_for_its_address() -> None:
    shaking: set[Any] = {Shaking(("10.0.0.1", port)) for port in range(ADDRESS_CONNECTIONS_MAX)}
    for address, is_full in (("10.0.0.1", True), ("10.0.0.2", False)):
        own = Shaking((address, 1))
        assert are_too_many({*shaking, own}, own) is is_full


@pytest.mark.parametrize(
    ("address", "others", "is_full"),
    [
        ("10.0.0.1", ["10.0.0.1"] * ADDRESS_CONNECTIONS_MAX, True),
        ("10.0.0.1", ["10.0.0.1"] * (ADDRESS_CONNECTIONS_MAX - 1) + ["10.0.0.2"] * 9, False),
        ("10.0.0.2", ["10.0.0.1"] * CONNECTIONS_MAX, False),
        ("2001:db8::1", [f"2001:db8::{number + 2:x}" for number in range(ADDRESS_CONNECTIONS_MAX)], True),
        ("2001:db8:0:1::1", [f"2001:db8::{number + 2:x}" for number in range(ADDRESS_CONNECTIONS_MAX)], False),
        ("127.0.0.1", ["127.0.0.1"] * ADDRESS_CONNECTIONS_MAX, False),
        ("::1", ["::1"] * ADDRESS_CONNECTIONS_MAX, False),
    ],
)
def test_one_address_keeps_no_other_out(address: str, others: list[str], *, is_full: bool) -> None:
    assert is_crowded(address, others) is is_full
