"""The feed: handshake, subscriptions, heartbeats, and that everything comes, in order and in time."""

import asyncio
import json
import struct
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picows import WSHandshakeError

from lab.labs import (
    OPEN_NS,
    OTHER,
    SYMBOL,
    Client,
    connect,
    login,
    run,
    small_day,
    subscribed,
    until,
    wish,
)
from myquant.errors import ConfigError
from myquant.lab.angelone.disturb import NAMES
from myquant.lab.angelone.faults import parse_faults
from myquant.lab.angelone.packet import PACKET_BYTES
from myquant.lab.angelone.server import AngelOneLab, day_packets
from myquant.lab.angelone.subscription import BadRequest, parse_request

TICKS = small_day(400, (SYMBOL, OTHER))


def near_requests(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Make objects whose keys are those of a request."""
    keys = ("action", "params", "mode", "tokenList", "exchangeType", "tokens", "correlationID")
    return st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from(keys), parts, max_size=4)


def token_of(packet: bytes) -> str:
    return packet[2:27].rstrip(b"\0").decode()


def expected(lab: AngelOneLab, symbols: list[str], mode: int) -> list[bytes]:
    tokens = {lab.token_of(symbol)[1] for symbol in symbols}
    return [packet for packet in day_packets(TICKS, mode=mode) if token_of(packet) in tokens]


@pytest.mark.parametrize("mode", PACKET_BYTES)
def test_everything_comes_in_order_after_a_snapshot(mode: int) -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            client = await subscribed(lab, [SYMBOL, "NIFTY"], mode)
            await lab.finished()
            wanted = expected(lab, [SYMBOL, "NIFTY"], mode)
            await until(lambda: len(client.packets) >= len(wanted) + 2)
            assert client.packets[2:] == wanted
            snapshots = client.packets[:2]
            assert [token_of(packet) for packet in snapshots] == [lab.token_of(name)[1] for name in (SYMBOL, "NIFTY")]
            if mode > 1:
                assert [struct.unpack_from("<q", packet, 67)[0] for packet in snapshots] == [0, 0]

    run(play())


def test_a_client_that_reads_slowly_holds_the_day_back_and_loses_nothing() -> None:
    ticks = small_day(30_000)

    async def play() -> None:
        async with AngelOneLab(ticks) as lab:
            client = await subscribed(lab)
            assert client.transport is not None
            await until(lambda: len(client.packets) > 1000)
            client.transport.underlying_transport.pause_reading()
            await asyncio.sleep(0.3)
            stood = lab.counts["packets"]
            await asyncio.sleep(0.2)
            assert lab.counts["packets"] == stood < 30_000
            client.transport.underlying_transport.resume_reading()
            await until(lambda: len(client.packets) >= 30_001)
            sequences = [struct.unpack_from("<q", packet, 67)[0] for packet in client.packets]
            assert sequences == sorted(sequences)

    run(play())


def test_the_day_is_played_at_its_speed() -> None:
    """Never ahead of it; far behind, and the test's timeout ends it: at the exchange's own speed it would take 25 s."""

    async def play() -> None:
        async with AngelOneLab(TICKS, speed=20.0) as lab:
            client = await subscribed(lab, ["NIFTY"], 1)
            loop = asyncio.get_running_loop()
            await until(lambda: len(client.packets) > 5)
            started, first = loop.time(), len(client.packets)
            await until(lambda: len(client.packets) > 25)
            spent_s, seconds = loop.time() - started, len(client.packets) - first
            assert seconds - 1 <= spent_s * 20.0

    run(play())


def test_a_client_that_comes_back_gets_the_present_state_and_goes_on() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS, speed=20.0) as lab:
            tokens = await login(lab)
            first = await connect(lab, tokens)
            first.say(wish(lab, ["NIFTY"], 1))
            await until(lambda: len(first.packets) > 3)
            lab.drop()
            await until(lambda: not first.is_open)
            await asyncio.sleep(0.3)
            second = await connect(lab, tokens)
            second.say(wish(lab, ["NIFTY"], 1))
            await until(lambda: len(second.packets) > 3)
            last, snapshot, following = (
                struct.unpack_from("<q", packet, 35)[0] for packet in (first.packets[-1], *second.packets[:2])
            )
            assert last + 2000 < snapshot
            assert following == snapshot + 1000

    run(play())


def test_handshakes_are_refused_with_their_reason() -> None:
    async def play() -> list[tuple[int, str]]:
        seen = []

        async def refused(lab: AngelOneLab, tokens: dict[str, str]) -> tuple[int, str]:
            with pytest.raises(WSHandshakeError) as caught:
                await connect(lab, tokens)
            answer: Any = caught.value.response
            return answer.status.value, answer.headers["x-error-message"]

        async with AngelOneLab(TICKS) as lab:
            tokens = await login(lab)
            seen.append(await refused(lab, {**tokens, "jwtToken": "x"}))
            seen.append(await refused(lab, {**tokens, "feedToken": "x"}))
            clients = [await connect(lab, tokens) for _ in range(3)]
            seen.append(await refused(lab, tokens))
            lab.drop()
            await until(lambda: not any(client.is_open for client in clients))
            assert (await connect(lab, tokens)).is_open
            assert (lab.counts["handshakes_refused"], lab.counts["handshakes_too_many"]) == (2, 1)
        return seen

    assert run(play()) == [(401, "Invalid Auth Token"), (401, "Invalid Feed Token"), (429, "Connection Limit Exceeded")]


def test_text_and_protocol_pings_are_answered() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            client = await connect(lab, await login(lab))
            client.say("ping")
            await until(lambda: client.texts == ["pong"])
            assert client.transport is not None
            assert len(await client.transport.measure_roundtrip_time(2)) == 2

    run(play())


def test_what_is_not_subscribed_does_not_come() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            client = await connect(lab, await login(lab))
            token = lab.token_of(OTHER)[1]
            wrong = {"action": 1, "params": {"mode": 3, "tokenList": [{"exchangeType": 1, "tokens": [token, "nope"]}]}}
            client.say(json.dumps(wrong))
            client.say(wish(lab, ["NIFTY", OTHER], 1))
            client.say(wish(lab, ["NIFTY"], 1))  # a repeat, which is ignored
            client.say(wish(lab, [OTHER], 1, action=0))
            client.say(wish(lab, [SYMBOL], 2))
            await lab.finished()
            wanted = len(expected(lab, ["NIFTY", SYMBOL], 1)) + 3
            await until(lambda: len(client.packets) >= wanted)
            assert len(client.packets) == wanted
            assert client.texts == []
            assert {(packet[0], token_of(packet)) for packet in client.packets[3:]} == {
                (1, lab.token_of("NIFTY")[1]),
                (2, lab.token_of(SYMBOL)[1]),
            }

    run(play())


def test_a_token_in_two_modes_comes_in_both() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            client = await subscribed(lab, [SYMBOL], 3)
            client.say(wish(lab, [SYMBOL], 1))
            await lab.finished()
            wanted = 2 * (len(expected(lab, [SYMBOL], 1)) + 1)
            await until(lambda: len(client.packets) >= wanted)
            assert sorted(packet[0] for packet in client.packets) == [1] * (wanted // 2) + [3] * (wanted // 2)

    run(play())


def test_a_thousand_tokens_by_modes_and_no_more() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            client = await connect(lab, await login(lab))

            def say(mode: int, tokens: range) -> None:
                params = {"mode": mode, "tokenList": [{"exchangeType": 2, "tokens": [str(each) for each in tokens]}]}
                client.say(json.dumps({"action": 1, "params": params}))

            say(1, range(500))
            say(2, range(500))
            say(2, range(500))  # again: not counted
            client.say("ping")
            client.say(wish(lab, [SYMBOL], 3))
            await until(lambda: len(client.texts) == 2)
            assert client.texts[0] == "pong"
            answer = json.loads(client.texts[1])
            assert (answer["errorCode"], answer["correlationID"]) == ("E1002", "abc123")
            await asyncio.sleep(0.2)
            assert client.packets == []  # nothing of it was taken

    run(play())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"action": 2, "params": {"mode": 1, "tokenList": [{"exchangeType": 1, "tokens": ["1"]}]}}',
        '{"action": 1, "params": {"mode": 4, "tokenList": [{"exchangeType": 1, "tokens": ["1"]}]}}',
        '{"action": 1, "params": {"mode": 1, "tokenList": []}}',
        '{"action": 1, "params": {"mode": 1, "tokenList": [{"exchangeType": "1", "tokens": ["1"]}]}}',
        '{"action": 1, "params": {"mode": 1, "tokenList": [{"exchangeType": 1, "tokens": [1]}]}}',
        '{"action": 1, "params": {"mode": [], "tokenList": [{"exchangeType": 1, "tokens": ["1"]}]}}',
        '{"action": 1}',
        '{"correlationID": "longer than ten", "action": 1}',
    ],
)
def test_a_bad_request_is_answered_with_e1001(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_request(text)
    assert json.loads(caught.value.answer)["errorCode"] == "E1001"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), near_requests, max_leaves=12))
def test_any_json_is_a_request_or_a_bad_one(body: Any) -> None:
    assert code_of(json.dumps(body)) in {"", "E1001"}


def code_of(text: str) -> str:
    """Return the code that a text is answered with; empty: it is a request."""
    try:
        parse_request(text)
    except BadRequest as bad:
        return bad.code
    return ""


def test_an_error_names_the_request() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_request('{"correlationID": "abc123", "action": 9}')
    assert json.loads(caught.value.answer)["correlationID"] == "abc123"


def test_two_clients_get_the_same_day() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            tokens = await login(lab)
            clients: list[Client] = [await connect(lab, tokens) for _ in range(2)]
            for client in clients:
                client.say(wish(lab, [SYMBOL, OTHER]))
            await lab.finished()
            await until(lambda: all(len(client.packets) == 402 for client in clients))
            assert clients[0].packets == clients[1].packets

    run(play())


def test_another_address_is_not_found() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            tokens = await login(lab)
            lab.feed_url += "er"
            with pytest.raises(WSHandshakeError):
                await connect(lab, tokens)

    run(play())


def test_only_loopback_is_served() -> None:
    with pytest.raises(ConfigError, match="loopback"):
        AngelOneLab(TICKS, host="0.0.0.0")  # noqa: S104  (refused)


def test_a_port_that_is_taken_is_said() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS) as lab:
            port = int(lab.rest_url.rpartition(":")[2])
            with pytest.raises(ConfigError, match=f"port {port}"):
                await AngelOneLab(TICKS, port=port).start()
            with pytest.raises(ConfigError, match=f"port {port}"):
                await AngelOneLab(TICKS, feed_port=port).start()

    run(play())


def test_the_day_begins_with_the_first_tick() -> None:
    assert struct.unpack_from("<q", day_packets(TICKS)[0], 35)[0] * 10**6 == OPEN_NS


def test_faults_of_the_stream_come_through_and_are_counted() -> None:
    names = ("duplicate", "out_of_order", "corrupt", "truncate", "wrong_token", "wrong_exchange", "crossed", "spike")
    faults = parse_faults(
        [*(f"{name}=0.05" for name in names), "gap=after:300,seconds:5", "clock_jump=200", "burst=80,seconds:5"], 5
    )

    async def play() -> None:
        async with AngelOneLab(TICKS, faults=faults) as lab:
            client = await subscribed(lab, [SYMBOL, OTHER, "NIFTY"])
            await lab.finished()
            wanted = day_packets(TICKS, faults=faults)
            await until(lambda: len(client.packets) >= len(wanted) + 3)
            assert client.packets[3:] == wanted
            made = Counter(NAMES[code] for code in lab.day.rows["fault"].tolist() if code)
            assert set(made) == {*names, "gap", "clock_jump", "burst"}
            assert {name: lab.counts[name] for name in made} == made

    run(play())
