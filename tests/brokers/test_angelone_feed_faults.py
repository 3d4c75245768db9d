"""The feed when silence is no fault, and when the broker refuses, breaks and drops."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from random import Random

import pytest
import uvloop

from brokers.fake_angelone import (
    CREDENTIALS,
    LIMIT_S,
    PACKET,
    FakeBroker,
    connected,
    fake_broker,
    refusal,
    run,
    until,
)
from brokers.fake_feed import QUICK, SHORT, Watcher, alternates, feeding, many
from myquant.brokers.angelone import settings

DISCONNECTS = 60
Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
HASTY = replace(SHORT, stall_s=0.1, backoff_s=0.001, backoff_max_s=0.01, too_many_s=0.002)


def test_before_the_open_silence_is_no_fault_while_pongs_come() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        is_open = False
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, timing=SHORT, expects_data=lambda: is_open) as feed:
                await until(watcher.healthy)
                server = broker.sockets[0]
                server.mute = True
                assert server.transport is not None
                for _ in range(10):  # longer than both patience and stall limit
                    await asyncio.sleep(0.08)
                    server.say("pong")
                assert len(watcher.changes) == 2
                is_open = True  # from now on, not from the last packet
                opened = time.monotonic()
                while len(watcher.changes) == 2 and time.monotonic() < opened + 5:
                    server.say("pong")
                    await asyncio.sleep(0.02)
                assert time.monotonic() - opened >= SHORT.stall_s * 0.9
                assert feed.counts().ends == {"stalled": 1}

    run(scenario())


def test_before_the_open_a_half_open_connection_is_found_out() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, timing=SHORT, expects_data=lambda: False) as feed:
                await until(watcher.healthy)
                broker.sockets[0].mute = True
                await until(lambda: len(watcher.changes) == 4)
                assert feed.counts().ends == {"silent": 1}
        assert watcher.changes[2][2].startswith("silent for 0.4")

    run(scenario())


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        silent = socket.create_server(("127.0.0.1", 0))
        async with fake_broker() as broker:
            stream = f"ws://127.0.0.1:{silent.getsockname()[1]}/smart-stream"
            endpoints = replace(broker.endpoints, stream=stream)
            async with connected(broker, endpoints=endpoints) as client:
                await client.login()
                async with feeding(client, watcher, timing=replace(QUICK, connect_s=0.1)) as feed:
                    await until(lambda: feed.counts().ends.get("unreachable", 0) >= 2)
                    began = time.monotonic()
                assert time.monotonic() - began < 1.0
        silent.close()
        assert watcher.changes == [(1, False, "not connected yet")]

    run(scenario())


def test_a_handshake_that_nobody_waits_for_any_more_is_cut_off() -> None:
    async def scenario() -> None:
        silent = socket.create_server(("127.0.0.1", 0))
        silent.setblocking(False)
        loop = asyncio.get_running_loop()
        async with fake_broker() as broker:
            stream = f"ws://127.0.0.1:{silent.getsockname()[1]}/smart-stream"
            endpoints = replace(broker.endpoints, stream=stream)
            async with connected(broker, endpoints=endpoints) as client:
                await client.login()
                async with feeding(client, Watcher(), timing=replace(QUICK, connect_s=60.0)):
                    peer, _ = await loop.sock_accept(silent)
                    assert b"GET /smart-stream" in await loop.sock_recv(peer, 65_536)
                async with asyncio.timeout(1.0):
                    assert await loop.sock_recv(peer, 1) == b""
        peer.close()
        silent.close()

    run(scenario())


def test_a_redirect_is_not_followed_with_the_tokens() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            broker.handshakes = [302]
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                assert feed.counts().ends == {"refused": 1}
        assert broker.paths == ["/smart-stream", "/smart-stream"]

    run(scenario())


def test_a_refused_session_is_renewed_and_the_connection_made() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, *many(1200)) as feed:
                await until(lambda: watcher.healthy(1) and watcher.healthy(2))
                broker.jwt = "rolled"  # the broker ends all sessions
                for server in list(broker.sockets):
                    server.drop()
                await until(lambda: feed.counts().connects == 4 and watcher.healthy(1) and watcher.healthy(2))
        assert client.logins == 2  # once for both: the refresh token's bearer is of no use, so by a login
        assert broker.headers[-1]["authorization"] == f"Bearer {broker.jwt}"

    run(scenario())


def test_a_session_refused_twice_is_replaced_by_a_login_after_a_pause() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            broker.handshakes = [401, 401, 401, 200]
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                assert feed.counts().ends == {"unauthorised": 3}
        assert (client.renewals, client.logins) == (1, 3)
        assert not any(broker.jwt in reason for _, _, reason in watcher.changes)

    run(scenario())


def test_a_login_that_a_person_has_to_mend_is_tried_once() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            broker.jwt = "rolled"
            broker.scripted[settings.LOGIN] = [refusal("AB1007", f"Invalid PIN {CREDENTIALS.pin}")] * 5
            async with feeding(client, watcher) as feed:
                await until(lambda: feed.failure is not None)
                await asyncio.sleep(0.2)
                assert "AB1007 (Invalid PIN ***)" in str(feed.failure)
                assert broker.calls[settings.LOGIN] == 2
                assert feed.states()[0].reason == str(feed.failure)

    run(scenario())


def test_too_many_connections_is_a_reason_to_wait() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            broker.handshakes = [429, 429, 200]
            began = time.monotonic()
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                assert feed.counts().ends == {"too_many": 2}
                assert time.monotonic() - began >= 2 * QUICK.too_many_s
        assert client.logins == 1

    run(scenario())


@pytest.mark.parametrize("code", ["E1001", "E1002", "E9999"])
def test_an_error_frame_makes_the_connection_stale_and_new(code: str) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                broker.sockets[0].say(json.dumps({"correlationID": "x", "errorCode": code, "errorMessage": broker.jwt}))
                await until(lambda: len(watcher.changes) == 4)
                assert feed.counts().ends == {"error_frame": 1}
        assert code in watcher.changes[2][2]
        assert code in watcher.texts[0][1]
        assert broker.jwt not in watcher.changes[2][2] + watcher.texts[0][1]

    run(scenario())


def test_other_texts_are_handed_on_and_change_nothing() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                for said in ("hello", "[1]", '{"note": 1}'):
                    broker.sockets[0].say(said)
                await until(lambda: feed.counts().texts == 3)
        assert watcher.texts == [(1, "hello"), (1, "[1]"), (1, '{"note": 1}')]
        assert len(watcher.changes) == 2

    run(scenario())


def test_a_callback_that_raises_ends_the_feed_for_all_to_see() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                watcher.fault = ArithmeticError(f"with {broker.jwt}")
                broker.sockets[0].send(b"a" * 51)
                broker.sockets[0].send(b"b" * 51)
                await until(lambda: feed.failure is not None)
                assert "raised ArithmeticError: with ***" in str(feed.failure)
                assert watcher.changes[-1][1] is False
                assert feed.counts().ends == {"handler": 1}
                assert watcher.raised == 1
                assert feed.counts().late_frames >= 1

    run(scenario())


def run_in(loop: Loop, coroutine: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(coroutine, LIMIT_S))


def test_a_busy_loop_is_counted_and_takes_no_connection_for_stale() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, timing=replace(QUICK, stall_s=1.0)) as feed:
                await until(watcher.healthy)
                await asyncio.sleep(0.3)
                broker.sockets[0].send(PACKET)  # lies in the socket while the loop is busy
                time.sleep(1.2)  # noqa: ASYNC251  (the loop is to be busy)
                await until(lambda: bool(watcher.lags))
                assert len(watcher.changes) == 2
                assert feed.counts().slow_ticks == len(watcher.lags) == 1
                assert feed.counts().lag_max_ns == watcher.lags[0] > 250_000_000

    run_in(uvloop.new_event_loop, scenario())


def test_ends_within_a_second_and_is_silent_then() -> None:
    async def scenario(broker: FakeBroker) -> None:
        watcher = Watcher()
        async with connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, *many(1200)) as feed:
                await until(lambda: watcher.healthy(1) and watcher.healthy(2))
                changes, began = len(watcher.changes), time.monotonic()
                await feed.aclose()
                assert time.monotonic() - began < 1.0
                frames = len(watcher.frames)
                await until(lambda: all(server.gone for server in broker.sockets))
                assert (len(watcher.changes), len(watcher.frames)) == (changes, frames)

    async def main() -> None:
        async with fake_broker() as broker:
            await scenario(broker)

    run(main())


@LOOPS
def test_a_hundred_random_disconnects_end_healthy(loop: Loop) -> None:
    rng = Random(5)

    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, timing=HASTY) as feed:
                for changes in range(2, 2 + 2 * DISCONNECTS, 2):
                    await until(lambda: len(watcher.changes) >= changes and watcher.healthy())  # noqa: B023  (at once)
                    disturb(broker, rng)
                await until(lambda: len(watcher.changes) >= 2 + 2 * DISCONNECTS and watcher.healthy())
                counts = feed.counts()
        assert sum(counts.ends.values()) >= DISCONNECTS
        assert set(counts.ends) >= {"dropped", "stalled", "error_frame", "too_many"}
        assert len(counts.reconnects_ns) == len(watcher.changes) / 2 >= 1 + DISCONNECTS
        assert alternates(watcher)
        assert watcher.changes[-1][1]

    run_in(loop, scenario())


def disturb(broker: FakeBroker, rng: Random) -> None:
    """End the latest connection in some way."""
    server, kind = broker.sockets[-1], rng.randrange(10)
    if kind == 0:
        server.mute = True
    elif kind == 1:
        server.say('{"errorCode": "E1001", "errorMessage": "no"}')
    else:
        broker.handshakes = [429] if kind == 2 else []
        server.drop()
