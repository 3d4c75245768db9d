"""The feed on a fake broker's socket: subscriptions, silence, drops, refusals, and what it tells of them."""

import json
import time
from dataclasses import replace

import pytest
from picows import WSCloseCode

from brokers.fake_angelone import (
    CREDENTIALS,
    NIFTY,
    OPTION,
    PACKET,
    connected,
    fake_broker,
    run,
    until,
)
from brokers.fake_feed import QUICK, SHORT, Watcher, alternates, feeding, many
from myquant.brokers.angelone.feed import requests, shares
from myquant.errors import ConfigError


def test_the_request_is_that_of_the_protocol() -> None:
    other = many(1)[0]
    expected = (
        b'{"correlationID":"myquant1","action":1,"params":{"mode":3,"tokenList":[{"exchangeType":2,'
        b'"tokens":["35003","40000"]}]}}'
    )
    assert requests([OPTION, other], 3) == [expected]


def test_requests_hold_every_token_once_within_the_limit() -> None:
    sent = [json.loads(request) for request in requests([NIFTY, *many(999), OPTION, OPTION], 2)]
    tokens = [token for request in sent for each in request["params"]["tokenList"] for token in each["tokens"]]
    assert len(tokens) == len(set(tokens)) == 1001
    assert all(sum(len(each["tokens"]) for each in request["params"]["tokenList"]) <= 500 for request in sent)
    assert all(len(request["correlationID"]) <= 10 and request["correlationID"].isalnum() for request in sent)


def test_the_index_is_on_every_connection_and_nothing_is_left_out() -> None:
    instruments = many(2000)
    parts = shares(instruments, (NIFTY,))
    assert [len(part) for part in parts] == [1000, 1000, 3]
    assert all(part[0] == NIFTY for part in parts)
    assert [each for part in parts for each in part[1:]] == instruments


def test_more_than_the_connections_hold_is_refused() -> None:
    assert len(shares(many(2997), (NIFTY,))) == 3
    with pytest.raises(ConfigError, match="2998 instruments: 3 connections hold 2997"):
        shares(many(2998), (NIFTY,))
    with pytest.raises(ConfigError, match="index on every connection"):
        shares([OPTION], ())


def test_connects_with_its_headers_subscribes_and_hands_frames_on() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            before = time.monotonic_ns()
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                broker.sockets[0].send(b"another")
                await until(lambda: (1, b"another") in [frame[:2] for frame in watcher.frames])
                assert feed.states() == [(1, True, "receiving")]
                assert feed.failure is None
                counts = feed.counts()
        assert watcher.frames[0][:2] == (1, PACKET)
        arrivals = [arrived for _, _, arrived in watcher.frames]
        assert before < arrivals[0] <= arrivals[-1] < time.monotonic_ns()
        assert watcher.changes == [(1, False, "not connected yet"), (1, True, "receiving")]
        assert (
            broker.headers[0].items()
            >= {
                "authorization": f"Bearer {broker.jwt}",
                "x-api-key": CREDENTIALS.api_key,
                "x-client-code": CREDENTIALS.client_code,
                "x-feed-token": "feed-planted-1",
            }.items()
        )
        assert [each["params"]["tokenList"] for each in broker.sockets[0].subscriptions] == [
            [{"exchangeType": 1, "tokens": ["99926000"]}, {"exchangeType": 2, "tokens": ["35003"]}]
        ]
        assert (counts.connects, counts.ends) == (1, {})
        assert counts.frames >= 2
        assert counts.bytes >= len(PACKET) + len(b"another")

    run(scenario())


def raw(kind: int, payload: bytes) -> bytes:
    """Return a short frame as a server sends it."""
    return bytes((0x80 | kind, len(payload))) + payload


def test_frames_of_one_read_arrived_together_and_a_ping_among_them_is_answered() -> None:
    """Each frame takes a while, which is no part of when the next one arrived; the last of the read is one unseen."""
    binary, ping = 2, 9

    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, timing=replace(QUICK, ping_s=60.0)):
                await until(watcher.healthy)
                broker.sockets[0].mute = True  # it says nothing but what follows
                watcher.frames.clear()
                watcher.busy_s = 0.002
                transport = broker.sockets[0].transport
                assert transport is not None
                together = b"".join((raw(binary, b"a"), raw(binary, b"b"), raw(binary, b"c"), raw(ping, b"there?")))
                transport.underlying_transport.write(together)
                await until(lambda: len(watcher.frames) == 3 and "there?" in broker.sockets[0].texts)
                sent_ns = time.monotonic_ns()
                transport.underlying_transport.write(raw(binary, b"d"))
                await until(lambda: len(watcher.frames) == 4)
        assert [payload for _, payload, _ in watcher.frames] == [b"a", b"b", b"c", b"d"]
        first, second, third, later = (arrived_ns for _, _, arrived_ns in watcher.frames)
        assert first == second == third < sent_ns <= later

    run(scenario())


def test_pings_and_takes_the_answer_for_no_news() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher) as feed:
                await until(lambda: feed.counts().heartbeats >= 3)
        assert broker.sockets[0].texts.count("ping") >= 3
        assert watcher.texts == []

    run(scenario())


def test_twelve_hundred_tokens_go_over_two_connections() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, *many(1200)):
                await until(lambda: watcher.healthy(1) and watcher.healthy(2))
        assert len(broker.sockets) == 2
        subscribed = [
            [token for each in server.subscriptions for part in each["params"]["tokenList"] for token in part["tokens"]]
            for server in broker.sockets
        ]
        assert sorted(len(tokens) for tokens in subscribed) == [202, 1000]
        assert all("99926000" in tokens for tokens in subscribed)
        assert watcher.changes[:2] == [(1, False, "not connected yet"), (2, False, "not connected yet")]
        assert alternates(watcher, 1)
        assert alternates(watcher, 2)

    run(scenario())


def test_a_dropped_connection_is_made_anew_and_subscribed_again() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher) as feed:
                await until(watcher.healthy)
                broker.sockets[0].drop()
                await until(lambda: len(watcher.changes) == 4)
                counts = feed.counts()
        assert [(healthy, reason) for _, healthy, reason in watcher.changes[2:]] == [
            (False, "connection lost"),
            (True, "receiving"),
        ]
        assert broker.sockets[1].subscriptions == broker.sockets[0].subscriptions
        assert (counts.connects, counts.ends, len(counts.reconnects_ns)) == (2, {"dropped": 1}, 2)

    run(scenario())


def test_a_close_frame_is_told_with_its_words_but_without_secrets() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher):
                await until(watcher.healthy)
                transport = broker.sockets[0].transport
                assert transport is not None
                transport.send_close(WSCloseCode.GOING_AWAY, f"going {CREDENTIALS.client_code}".encode())
                await until(lambda: len(watcher.changes) == 4)
        assert "going ***" in watcher.changes[2][2]
        assert "1001" in watcher.changes[2][2]

    run(scenario())


def test_a_mute_connection_is_stale_in_time_and_made_anew() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            async with feeding(client, watcher, timing=SHORT):
                await until(watcher.healthy)
                broker.sockets[0].mute = True
                await until(lambda: not watcher.healthy())
                silent_s = (time.monotonic_ns() - watcher.frames[-1][2]) / 1e9
                await until(watcher.healthy)
        assert SHORT.stall_s <= silent_s < SHORT.stall_s + 1.0
        assert watcher.changes[2][2].startswith("no packet for 0.3")
        await until(lambda: broker.sockets[0].gone)

    run(scenario())


def test_a_connection_mute_from_the_start_never_counts_as_healthy() -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            broker.mute = True
            async with feeding(client, watcher, timing=SHORT) as feed:
                await until(lambda: feed.counts().ends.get("stalled", 0) >= 2)
                assert watcher.changes == [(1, False, "not connected yet")]
                broker.mute = False
                await until(watcher.healthy)
        assert len(broker.sockets) >= 3

    run(scenario())
