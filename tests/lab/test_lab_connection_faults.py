"""The faults of a connection, each as a client meets it."""

import asyncio
import ssl

import pytest
import trustme
from picows import WSHandshakeError

from lab.labs import OTHER, SYMBOL, Client, Hasty, connect, login, run, small_day, subscribed, until, wish
from myquant.lab.angelone.faults import Drop, Faults, Gap, HalfOpen, Mute, SlowHandshake, TokenRoll
from myquant.lab.angelone.server import AngelOneLab

TICKS = small_day(400, (SYMBOL, OTHER))
BOTH = [SYMBOL, OTHER]
QUIET_S = 0.2  # for so long nothing came: it will not


async def comes_no_more(client: Client) -> int:
    """Return how many packets came, after a while in which none did."""
    count = -1
    while count != len(client.packets):
        count = len(client.packets)
        await asyncio.sleep(QUIET_S)
    return count


def test_a_mute_socket_is_open_answers_pings_and_sends_nothing() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS, faults=Faults(mute=Mute(after=50))) as lab:
            client = await subscribed(lab, BOTH)
            await until(lambda: len(client.packets) >= 50)
            assert await comes_no_more(client) == 50
            client.say("ping")
            await until(lambda: client.texts == ["pong"])
            assert client.is_open
            assert lab.counts["mute"] == 1

    run(play())


def test_a_mute_socket_may_speak_again() -> None:
    async def play() -> None:
        faults = Faults(mute=Mute(after=50, seconds=0.5))
        async with AngelOneLab(TICKS, faults=faults) as lab:
            client = await subscribed(lab, BOTH)
            await until(lambda: len(client.packets) >= 50)
            await asyncio.sleep(0.2)
            assert len(client.packets) == 50
            await lab.finished()
            # The rows that were on their way are lost, and counted.
            await until(lambda: len(client.packets) + lab.counts["packets_withheld"] == 402)
            assert 0 < lab.counts["packets_withheld"] < 200

    run(play())


@pytest.mark.parametrize(("which", "dropped"), [(1, [True, False]), (2, [False, True]), (0, [True, True])])
def test_a_connection_is_dropped_after_so_many_packets(which: int, dropped: list[bool]) -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS, speed=20.0, faults=Faults(drop=Drop(connection=which, after=20))) as lab:
            tokens = await login(lab)
            for is_dropped in dropped:
                client = await connect(lab, tokens)
                client.say(wish(lab, BOTH))
                await until(lambda client=client: len(client.packets) >= 20)  # type: ignore[misc]
                await asyncio.sleep(QUIET_S)
                assert client.is_open is not is_dropped
                assert (len(client.packets) == 20) is is_dropped
            assert lab.counts["drop"] == sum(dropped)

    run(play())


def test_each_packet_of_a_contract_is_sent_withheld_or_unheard() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS, faults=Faults(drop=Drop(connection=1, after=50))) as lab:
            tokens = await login(lab)
            first, second = await connect(lab, tokens), await connect(lab, tokens)
            first.say(wish(lab, BOTH))
            await until(lambda: not first.is_open)
            second.say(wish(lab, [OTHER]))
            await lab.finished()
            lost = lab.counts["packets_withheld"] + lab.counts["packets_unheard"]
            await until(lambda: len(first.packets) - 2 + len(second.packets) - 1 + lost == 400)
            assert len(first.packets) == 50
            assert lab.counts["packets_withheld"] > 0

    run(play())


def test_what_nobody_subscribed_to_is_unheard_but_not_indices_and_gaps() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS, faults=Faults(gap=Gap(after=300, seconds=5))) as lab:
            client = await subscribed(lab, ["NIFTY"])
            await lab.finished()
            assert lab.counts["gap"] == 20
            assert lab.counts["packets_unheard"] == 400 - 20
            assert await comes_no_more(client) == lab.counts["packets"]
            assert lab.counts["packets_withheld"] == 0

    run(play())


def test_a_half_open_socket_neither_reads_nor_writes() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS, faults=Faults(half_open=HalfOpen(after=50)), clock=Hasty()) as lab:
            client = await subscribed(lab, BOTH)
            await until(lambda: len(client.packets) >= 50)
            client.say("ping")
            assert client.transport is not None
            client.transport.send_ping()
            assert await comes_no_more(client) == 50
            assert client.texts == []
            assert client.is_open
            second = await connect(lab, await login(lab))
            second.say(wish(lab, BOTH))
            await until(lambda: len(second.packets) > 50)

    run(play())


def test_a_roll_closes_all_sockets_until_new_tokens_are_had() -> None:
    async def play() -> None:
        async with AngelOneLab(TICKS, speed=20.0, faults=Faults(token_roll=TokenRoll(after=60)), clock=Hasty()) as lab:
            tokens = await login(lab)
            first, idle = await connect(lab, tokens), await connect(lab, tokens)
            first.say(wish(lab, BOTH))
            await until(lambda: not first.is_open and not idle.is_open)
            assert len(first.packets) == 60
            with pytest.raises(WSHandshakeError, match="401"):
                await connect(lab, tokens)
            second = await connect(lab, await login(lab))
            second.say(wish(lab, BOTH))
            await until(lambda: len(second.packets) > 70)  # it happens once
            assert lab.counts["token_roll"] == 1

    run(play())


def test_a_slow_handshake_is_late_and_then_works() -> None:
    async def play() -> None:
        faults = Faults(slow_handshake=SlowHandshake(seconds=0.4, connection=1))
        async with AngelOneLab(TICKS, faults=faults) as lab:
            tokens = await login(lab)
            loop = asyncio.get_running_loop()
            started = loop.time()
            client = await connect(lab, tokens)
            assert loop.time() - started >= 0.4
            client.say(wish(lab, BOTH))
            await until(lambda: len(client.packets) == 402)
            assert (await connect(lab, tokens)).is_open
            assert lab.counts["slow_handshake"] == 1

    run(play())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the certificates' maker
def test_it_serves_https_and_wss() -> None:
    authority = trustme.CA()
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.configure_trust(trusting)

    async def play() -> None:
        async with AngelOneLab(TICKS, ssl_context=served) as lab:
            assert (lab.rest_url[:8], lab.feed_url[:6]) == ("https://", "wss://")
            tokens = await login(lab, trusting)
            client = await connect(lab, tokens, ssl_context=trusting)
            client.say(wish(lab, BOTH))
            await until(lambda: len(client.packets) == 402)
            with pytest.raises(ssl.SSLError):
                await connect(lab, tokens, ssl_context=ssl.create_default_context())

    run(play())
