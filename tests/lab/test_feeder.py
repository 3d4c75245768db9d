"""The feeder as a process: the same bytes for everybody, by the schedule that it tells, and what it refuses."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from picows import WSHandshakeError, ws_connect

from lab.labs import OTHER, SYMBOL, Client, run, small_day, until
from lab.test_lab_tape import LEAP_MS, decoder_of, payloads
from myquant.brokers.angelone.feed import AngelOneFeed
from myquant.brokers.packets import FIRST_PACKETS, HEARTBEATS, QUOTES, TICKED, TICKS
from myquant.brokers.port import BrokerInstrument
from myquant.brokers.secrets import Redactor
from myquant.errors import ConfigError, DataError, MyquantError
from myquant.lab.angelone import feeding
from myquant.lab.angelone.feeder import Feeder, Instrument
from myquant.lab.angelone.feeding import Connection, Feeding, Refused, parse_sending, tape_of
from myquant.lab.angelone.subscription import Wish
from myquant.lab.angelone.tape import Tape
from myquant.lab.market_days import DaySource, generated_days

SEQUENCE = slice(27, 35)
SOURCE = DaySource(seed=3, ticks=40_000)  # two days


def sequences(client: Client) -> list[int]:
    return [int.from_bytes(packet[SEQUENCE], "little") for packet in client.packets]


def rows_of(client: Client) -> list[bytes]:
    """Return the packets of contracts."""
    return [packet for packet in client.packets if any(packet[SEQUENCE])]


def wishes(instruments: Sequence[Instrument], mode: int = 3) -> str:
    groups = [{"exchangeType": each.exchange_type, "tokens": [each.token]} for each in instruments]
    return json.dumps({"correlationID": "a1", "action": 1, "params": {"mode": mode, "tokenList": groups}})


async def subscribed(feeder: Feeder, mode: int = 3) -> Client:
    client = Client()
    await ws_connect(lambda: client, feeder.url)
    client.say(wishes((*feeder.indices, *feeder.contracts), mode))
    return client


def test_a_stretch_has_the_same_bytes_on_every_connection_and_comes_when_it_is_due() -> None:
    async def play() -> None:
        async with Feeder(SOURCE) as feeder:
            first, second = await subscribed(feeder), await subscribed(feeder)
            for client, number in ((first, 0), (second, 1)):
                before_ns = time.monotonic_ns()
                sent = await feeder.send(number, 100, 400, 10_000)
                await until(lambda client=client: len(client.packets) == 301)  # type: ignore[misc]
                assert before_ns < sent.due_ns < time.monotonic_ns()
                assert (sent.interval_ns, sent.sent) == (100_000, 300)
                assert sent.late_ns is not None
                assert 0 <= sent.late_ns[0] <= sent.late_ns[1] <= sent.late_ns[2]
            assert first.packets == second.packets
            assert sequences(first) == [0, *range(101, 401)]
            await asyncio.gather(feeder.send(0, 100, 400), feeder.send(1, 100, 400, 5_000))
            await until(lambda: len(first.packets) == len(second.packets) == 602)
            assert first.packets[301:] == second.packets[301:] == first.packets[:301]
            tape = Tape(SOURCE.days(), LEAP_MS)
            assert first.packets[1:301] == payloads(tape.stretch(100, 400, 3).content)
            assert (feeder.rows, feeder.digest, feeder.days) == (len(tape), tape.digest, tape.days)

    run(play())


class Watch(Client):
    """Notes when each packet of a contract came."""

    def __init__(self) -> None:
        super().__init__()
        self.came_ns: dict[int, int] = {}

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        super().on_ws_frame(transport, frame)
        if self.packets:
            self.came_ns.setdefault(int.from_bytes(self.packets[-1][SEQUENCE], "little") - 1, time.monotonic_ns())


@pytest.mark.parametrize("loop", [asyncio, uvloop])
def test_no_row_comes_before_its_time_under_either_loop(loop: Any) -> None:
    async def play() -> None:
        async with Feeder(DaySource(symbols=(SYMBOL, OTHER))) as feeder:
            assert [each.symbol for each in feeder.contracts] == [SYMBOL, OTHER]
            client = Watch()
            await ws_connect(lambda: client, feeder.url)
            client.say(wishes((*feeder.indices, *feeder.contracts), 2))
            sent = await feeder.send(0, 10, 210, 1_000)
            await until(lambda: 209 in client.came_ns)
            for row in range(10, 210):
                assert client.came_ns[row] >= sent.due_ns + (row - 10) * sent.interval_ns
            assert {len(packet) for packet in client.packets} == {123}  # the mode that was asked for

    loop.run(asyncio.wait_for(play(), 15))


def listed(instruments: Sequence[Instrument]) -> list[BrokerInstrument]:
    return [
        BrokerInstrument(each.symbol, each.segment, each.token, each.exchange_type, each.lot_size, each.tick_size_paise)
        for each in instruments
    ]


def feed_of(feeder: Feeder, take: Callable[[memoryview, int], None], states: list[bool]) -> AngelOneFeed:
    """Return a session's feed from the feeder."""
    client: Any = SimpleNamespace(
        endpoints=SimpleNamespace(stream=feeder.url), redactor=Redactor(()), tokens=None, socket_headers=dict
    )
    return AngelOneFeed(
        client,
        listed(feeder.contracts),
        listed(feeder.indices),
        mode="snap_quote",
        on_frame=lambda _, payload, arrived_ns: take(payload, arrived_ns),
        on_status=lambda _, healthy, __: states.append(healthy),
        on_text=lambda *_: None,
        on_slow=lambda _: None,
        expects_data=lambda: False,
    )


def test_a_session_s_feed_takes_every_row_of_two_days_flat_out() -> None:
    decoder = decoder_of(Tape(SOURCE.days(), LEAP_MS))
    became: list[int] = []
    states: list[bool] = []

    def take(payload: memoryview, arrived_ns: int) -> None:
        became.append(decoder.take(payload, arrived_ns, time.time_ns()))

    async def play() -> None:
        async with Feeder(SOURCE) as feeder:
            feed = feed_of(feeder, take, states)
            feed.start()
            try:
                begin = feeder.days[1][1] - 5_000
                for first in range(begin, begin + 10_000, 2_500):
                    await feeder.send(0, first, first + 2_500)
                await until(lambda: became.count(TICKED) >= 9_999)
            finally:
                await feed.aclose()

    run(play())
    counts = decoder.counts
    assert (counts[TICKS], counts[QUOTES], counts[FIRST_PACKETS]) == (9_999, 1, 1)
    assert counts.sum() == 10_001 + counts[HEARTBEATS]
    assert states == [False, True]


def test_a_client_that_reads_slowly_gets_everything() -> None:
    async def play() -> None:
        async with Feeder(SOURCE) as feeder:
            client = await subscribed(feeder)
            assert client.transport is not None
            client.transport.underlying_transport.pause_reading()
            sending = asyncio.ensure_future(feeder.send(0, 0, 60_000))
            await asyncio.sleep(0.3)
            assert not sending.done()
            client.transport.underlying_transport.resume_reading()
            assert (await sending).sent == 60_000
            await until(lambda: len(rows_of(client)) == 60_000)
            assert [number for number in sequences(client) if number] == list(range(1, 60_001))

    run(play())


def test_what_can_not_be_sent_is_said_and_the_feeder_goes_on() -> None:
    async def play() -> None:
        async with Feeder(DaySource()) as feeder:
            client = await subscribed(feeder)
            with pytest.raises(ConfigError, match="rows 0 to 0: must be a stretch of the"):
                await feeder.send(0, 0, 0)
            with pytest.raises(ConfigError, match="must be above 0"):
                await feeder.send(0, 0, 10, 0)
            first, second = await asyncio.gather(feeder.send(0, 0, 10), feeder.send(0, 10, 20), return_exceptions=True)
            assert not isinstance(first, BaseException)
            assert isinstance(second, ConfigError)
            assert "connection 0 is being sent to" in str(second)
            with pytest.raises(WSHandshakeError, match="404"):
                await ws_connect(Client, feeder.url + "er")
            client.say("ping")
            client.say("nonsense")
            await until(lambda: len(client.texts) == 2)
            assert client.texts[0] == "pong"
            assert "E1001" in client.texts[1]
            assert client.transport is not None
            sending = asyncio.ensure_future(feeder.send(0, 0, 1_000, 10))
            await until(lambda: len(rows_of(client)) > 10)
            client.transport.disconnect(graceful=False)
            with pytest.raises(MyquantError, match=r"the connection ended after \d+ of 1,000 rows"):
                await sending
            with pytest.raises(MyquantError, match="the connection ended after 0 of 10 rows"):
                await feeder.send(0, 0, 10)
            assert (await subscribed(feeder)).is_open
            assert (await feeder.send(1, 0, 10)).sent == 10

    run(play())


def test_a_feeder_that_is_killed_is_told_of_at_once_and_later() -> None:
    async def play() -> None:
        async with Feeder(DaySource()) as feeder:
            await subscribed(feeder)
            sending = asyncio.ensure_future(feeder.send(0, 0, 1_000, 10))
            await asyncio.sleep(0.1)
            feeder._process.kill()
            for each in (sending, feeder.send(0, 0, 10)):
                with pytest.raises(MyquantError, match="the feeder ended, code -9"):
                    await each

    uvloop.run(asyncio.wait_for(play(), 15))


class Said:
    """A feeder that says what a test wants, once it is asked for a stretch."""

    CHILD = "import sys; input(); sys.stdout.write(sys.argv[1]); sys.stdout.flush(); sys.stdin.read()"

    def __init__(self, text: str) -> None:
        self.feeder = Feeder(DaySource())
        self._text = text

    async def __aenter__(self) -> Feeder:
        pipe = asyncio.subprocess.PIPE
        self.feeder._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", self.CHILD, self._text), stdin=pipe, stdout=pipe, stderr=pipe, limit=1000
        )
        self.feeder._complaint = asyncio.ensure_future(asyncio.sleep(0, b""))
        self.feeder._listening = asyncio.ensure_future(self.feeder._listen())
        return self.feeder

    async def __aexit__(self, *_: object) -> None:
        await self.feeder._stop()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense\n", r"can't be read \(Expecting value"),
        ("x" * 2000 + "\n", "can't be read"),
        ("{}\n", "is none to any request"),
        ("[1]\n", "is none to any request"),
    ],
)
def test_an_answer_that_is_none_ends_all_waiting(text: str, said: str) -> None:
    async def play() -> None:
        async with Said(text) as feeder:
            ended = await asyncio.gather(feeder.send(0, 0, 1), feeder.send(0, 1, 2), return_exceptions=True)
            assert [type(error) for error in ended] == [MyquantError] * 2
            with pytest.raises(MyquantError, match=said):
                await feeder.send(0, 0, 1)

    run(play())


def test_who_waits_when_it_is_stopped_waits_no_longer() -> None:
    async def play() -> None:
        async with Said("") as feeder:
            sending = asyncio.ensure_future(feeder.send(0, 0, 1))
            await asyncio.sleep(0)
        with pytest.raises(MyquantError, match="the feeder"):
            await sending

    run(play())


def test_a_cancellation_while_it_stops_is_the_callers() -> None:
    async def play() -> None:
        async with Said("") as feeder:
            feeder._process.send_signal(signal.SIGSTOP)
            stopping = asyncio.ensure_future(feeder._stop())
            await asyncio.sleep(0.05)
            stopping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stopping
            assert await feeder._process.wait() == -signal.SIGKILL

    run(play())


def test_ticks_that_can_not_be_had_are_told_in_one_line() -> None:
    async def play() -> None:
        async with Feeder(DaySource(files=("nowhere.csv",))):
            pass

    with pytest.raises(DataError, match=r"^nowhere\.csv: no such file"):
        run(play())


def test_the_process_ends_with_a_line_and_a_code_when_it_is_asked_for_nonsense() -> None:
    command = [sys.executable, "-m", "myquant.lab.angelone.feeder"]
    ended = subprocess.run(command, input=b"nonsense\n", capture_output=True, check=False, timeout=30)
    assert (ended.returncode, ended.stderr) == (ConfigError.exit_code, b"")
    (said,) = ended.stdout.decode().splitlines()
    assert json.loads(said).keys() == {"error", "exit_code"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "must be an object of JSON, with leap_s"),
        (b"{}", "with leap_s"),
        (b"[1]", "with leap_s"),
        (b'{"leap_s": 0.5}', r"leap_s = 0\.5: must be from 1 to"),
        (b'{"leap_s": NaN}', "leap_s = nan"),
        (b'{"leap_s": Infinity}', "leap_s = inf"),
        (b'{"leap_s": "1"}', "leap_s = '1'"),
        (b'{"leap_s": 100, "tick": 3}', "tick: a source of ticks has no such value"),
        (b'{"leap_s": 100, "ticks": 0}', "ticks = 0"),
    ],
)
def test_a_bad_first_line_is_refused(line: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tape_of(line)


def request(**changes: Any) -> bytes:
    return json.dumps({"send": {"connection": 0, "begin": 0, "end": 10, "rate": None, "id": 7} | changes}).encode()


@pytest.mark.parametrize(
    ("line", "number", "said"),
    [
        (b"x", None, "is no request"),
        (b"[]", None, "is no request"),
        (b'{"send": {}}', None, "is no request"),
        (request(more=1), 7, "must have begin, connection, end, id, rate"),
        (request(begin=-1), 7, "begin = -1: must be a whole number"),
        (request(begin="0"), 7, "begin = '0'"),
        (request(connection=True), 7, "connection = True"),
        (request(begin=10), 7, "rows 10 to 10"),
        (request(end=4_000_001), 7, "rows 0 to 4000001: must be a stretch of the 4,000,000 rows"),
        (request(end=2_000_000), 7, "must be at most 1,000,000"),
        (request(rate=-3), 7, "rate = -3"),
        (request(rate=1e7), 7, "at most 1,000,000 rows a second"),
        (request(rate=False), 7, "rate = False"),
        (request(rate="quick"), 7, "rate = 'quick'"),
    ],
)
def test_a_request_that_can_not_be_is_refused(line: bytes, number: int | None, said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        parse_sending(line, 4_000_000)
    assert caught.value.number == number


def test_who_does_not_come_or_does_not_subscribe_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "PATIENCE_S", 0.05)

    async def play() -> None:
        waiting = Feeding(Tape([small_day(20, (SYMBOL, OTHER))], LEAP_MS))
        with pytest.raises(Refused, match="connection 0 was not made, there are 0"):
            await waiting.prepare(request())
        connection = Connection(waiting)
        connection._transport = SimpleNamespace()  # type: ignore[assignment]  # open
        waiting.connections.append(connection)
        with pytest.raises(Refused, match="connection 0 has not subscribed to all 2 contracts in one mode"):
            await waiting.prepare(request())

    run(play())


def test_the_mode_is_the_richest_in_which_all_is_subscribed() -> None:
    tape = Tape(generated_days([SYMBOL, OTHER]), LEAP_MS)
    connection = Connection(Feeding(tape))
    listed = tape.contracts
    seen = []
    for mode, each in ((3, listed[0]), (1, listed[0]), (1, listed[1]), (3, listed[1])):
        connection._wishes.add(Wish(mode, each.exchange_type, each.token))
        seen.append(connection.mode(listed))
    assert seen == [None, None, 1, 3]
