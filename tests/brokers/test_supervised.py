"""A connection in virtual time: thousands of ends of every kind, each found in time, each mended, none told twice."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from brokers.fake_angelone import run
from myquant.brokers.port import Remedy, RequestError
from myquant.brokers.supervised import (
    Cause,
    Ended,
    LagMeter,
    NotConnectedError,
    SupervisedConnection,
    Timing,
)

TIMING = Timing()
SECOND_NS = 1_000_000_000
DISCONNECTS = 1000
PACKET_S = 0.5


@dataclass
class World:
    """Virtual time, and what is to happen in it."""

    rng: Random
    now_ns: int = SECOND_NS
    due: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    sockets: "list[FakeSocket]" = field(default_factory=list)
    changes: list[tuple[int, bool, str]] = field(default_factory=list)  # when, healthy, reason
    packets_ns: list[int] = field(default_factory=list)
    logins: list[int] = field(default_factory=list)
    obstacles: list[Cause] = field(default_factory=list)
    login_fails: list[Remedy] = field(default_factory=list)
    is_open: bool = True
    is_kind: bool = False  # whether the broker always lets us in again

    def at(self, wait_s: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self.due, (self.now_ns + round(wait_s * 1e9), next(self.numbers), happens))

    async def sleep(self, wait_s: float) -> None:
        end = self.now_ns + round(wait_s * 1e9)
        while self.due and self.due[0][0] <= end:
            self.now_ns, _, happens = heapq.heappop(self.due)
            happens()
            for _ in range(3):
                await asyncio.sleep(0)  # whoever waits for what has happened ends this sleep
        self.now_ns = end
        await asyncio.sleep(0)

    async def dial(self, connection: SupervisedConnection) -> "FakeSocket":
        await self.sleep(self.rng.uniform(0.001, 0.1))
        if self.obstacles:
            raise NotConnectedError(self.obstacles.pop(), "an obstacle")
        self.sockets.append(FakeSocket(self, connection))
        return self.sockets[-1]

    async def reauthorise(self, refusals: int) -> None:
        self.logins.append(refusals)
        if self.login_fails:
            raise RequestError("broker", "login", "no", self.login_fails.pop())

    def connection(self, timing: Timing = TIMING) -> SupervisedConnection:
        return SupervisedConnection(
            1,
            self.dial,
            subscriptions=[b"subscribe"],
            heartbeat=b"ping",
            heartbeat_answer="pong",
            judge=lambda text: text if text.startswith("error") else None,
            on_frame=lambda _number, _payload, now: self.packets_ns.append(now),
            on_status=lambda _number, healthy, reason: self.changes.append((self.now_ns, healthy, reason)),
            on_text=lambda _number, _text: None,
            expects_data=lambda: self.is_open,
            reauthorise=self.reauthorise,
            timing=timing,
            rng=self.rng,
            monotonic_ns=lambda: self.now_ns,
            sleep=self.sleep,
        )


class FakeSocket:
    """A socket that delivers a packet every half second from its subscription on, until something happens to it."""

    def __init__(self, world: World, connection: SupervisedConnection) -> None:
        self.world, self.connection = world, connection
        self.sent: list[bytes] = []
        self.mute = self.gone = False

    def send(self, text: bytes) -> None:
        self.sent.append(text)
        if text == b"subscribe":
            self.world.at(0.05, self.deliver)
        elif not self.mute:
            self.world.at(0.01, lambda: None if self.gone else self.connection.text("pong"))

    def deliver(self) -> None:
        if self.gone:
            return
        if not self.mute and self.world.is_open:
            self.connection.take(memoryview(b"packet"), self.world.now_ns)
        self.world.at(PACKET_S, self.deliver)

    def lose(self) -> None:
        if not self.gone:
            self.gone = True
            self.connection.end(Ended(Cause.DROPPED, "lost"))

    def abort(self) -> None:
        self.lose()


def disturb(world: World) -> None:
    """Let something happen to the latest socket, and perhaps to the next attempts."""
    socket, kind = world.sockets[-1], world.rng.randrange(8)
    if world.is_kind:
        socket.mute = kind < 4
        if not socket.mute:
            socket.lose()
        return
    if kind == 0:
        socket.mute = True
    elif kind == 1:
        socket.connection.text("error 1001")
    else:
        causes = (Cause.UNREACHABLE, Cause.TOO_MANY, Cause.UNAUTHORISED, Cause.REFUSED)
        world.obstacles = [world.rng.choice(causes) for _ in range(world.rng.choice((0, 0, 0, 1, 2)))]
        world.login_fails = [Remedy.RETRY] if world.rng.random() < 0.2 else []
        socket.lose()


async def while_(true: Callable[[], bool]) -> None:
    """Let virtual time go on while something is so."""
    while true():  # noqa: ASYNC110  (there is nothing to wait for: time goes as fast as it can)
        await asyncio.sleep(0)


async def storm(
    seed: int, disconnects: int = DISCONNECTS, *, is_kind: bool = False
) -> tuple[World, SupervisedConnection]:
    """Disturb a connection again and again, whenever it has been healthy for a while."""
    world = World(Random(seed), is_kind=is_kind)
    connection = world.connection()
    running = asyncio.ensure_future(connection.run())
    for ends in range(1, disconnects + 1):
        await while_(lambda: not (connection.healthy and len(world.changes) >= 2 * ends))  # noqa: B023  (at once)
        world.at(world.rng.choice((0.01, 1.0, 7.0)), lambda: disturb(world))
        await while_(lambda: len(world.changes) < 2 * ends + 1)  # noqa: B023  (at once)
    await while_(lambda: not connection.healthy)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return world, connection


@pytest.mark.parametrize("is_kind", [True, False])
def test_a_thousand_disconnects_are_found_in_time_and_mended(is_kind: bool) -> None:
    world, connection = run(storm(1, is_kind=is_kind))
    assert [healthy for _, healthy, _ in world.changes] == [bool(at % 2) for at in range(2 * DISCONNECTS + 2)]
    stale = {when: reason for when, healthy, reason in world.changes if not healthy}
    stalled = [when for when, reason in stale.items() if reason.startswith("no packet")]
    assert len(stalled) > 50
    packets = iter(world.packets_ns)
    last = following = 0
    for when in stalled:  # exactly so long after the last packet
        while following < when:
            last, following = following, next(packets)
        assert when - last == round(TIMING.stall_s * 1e9)
    took = sorted(connection.counts.reconnects_ns)
    assert len(took) == DISCONNECTS + 1
    assert took[round(0.99 * DISCONNECTS)] <= (5 if is_kind else 30) * SECOND_NS
    assert all(socket.sent[0] == b"subscribe" for socket in world.sockets)
    kinds = {Cause.STALLED, Cause.DROPPED}
    if not is_kind:
        kinds |= {Cause.ERROR_FRAME, Cause.UNREACHABLE, Cause.TOO_MANY, Cause.UNAUTHORISED, Cause.REFUSED}
    assert set(connection.counts.ends) == kinds
    assert connection.counts.connects == len(world.sockets)
    assert connection.failure is None


def test_the_same_seed_is_the_same_storm() -> None:
    first, second, other = (run(storm(seed, 200))[0].changes for seed in (2, 2, 3))
    assert first == second != other


def outcome(world: World, timing: Timing = TIMING, seconds: float = 600.0) -> SupervisedConnection:
    """Run a connection for so long, or until nothing more is tried."""

    async def scenario() -> SupervisedConnection:
        connection = world.connection(timing)
        running = asyncio.ensure_future(connection.run())
        end = world.now_ns + round(seconds * 1e9)
        await while_(lambda: world.now_ns < end and not running.done())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return connection

    connection: SupervisedConnection = run(scenario())
    return connection


def test_a_broker_that_is_away_is_asked_less_and_less_often() -> None:
    world = World(Random(1), obstacles=[Cause.UNREACHABLE] * 10_000)
    connection = outcome(world, seconds=3600)
    attempts = sum(connection.counts.ends.values())
    assert 3600 / 30 <= attempts < 3600 / 10
    assert len(world.changes) == 1


def test_too_many_connections_are_answered_by_waiting() -> None:
    world = World(Random(1), obstacles=[Cause.TOO_MANY] * 1000)
    connection = outcome(world, Timing(backoff_s=0.001, backoff_max_s=0.001, too_many_s=5.0), seconds=1000)
    assert connection.counts.ends[Cause.TOO_MANY] <= 1 + 1000 / 5


def test_a_session_is_renewed_once_and_then_with_pauses() -> None:
    world = World(Random(1), obstacles=[Cause.UNAUTHORISED] * 10_000)
    connection = outcome(world, seconds=3600)
    refused = connection.counts.ends[Cause.UNAUTHORISED]
    assert world.logins == list(range(1, len(world.logins) + 1))
    assert 0 <= refused - len(world.logins) <= 1
    assert len(world.logins) < 3600 / 10


@pytest.mark.parametrize("remedy", [Remedy.STOP, Remedy.CONFIG, Remedy.UNKNOWN, Remedy.BUG])
def test_a_login_that_a_person_must_mend_ends_it(remedy: Remedy) -> None:
    world = World(Random(1), obstacles=[Cause.UNAUTHORISED] * 9, login_fails=[remedy])
    connection = outcome(world)
    assert connection.failure is not None
    assert str(remedy) in str(connection.failure) == connection.reason
    assert world.logins == [1]
    assert connection.counts.ends == {Cause.UNAUTHORISED: 1}


def test_a_closed_market_is_silent_for_an_hour_without_an_end() -> None:
    world = World(Random(1))
    world.at(60, lambda: setattr(world, "is_open", False))
    connection = outcome(world, seconds=3600)
    assert [healthy for _, healthy, _ in world.changes] == [False, True]
    assert connection.counts.heartbeats >= 3600 / TIMING.ping_s - 1
    assert connection.counts.ends == {}


def test_a_half_open_connection_of_a_closed_market_is_found() -> None:
    world = World(Random(1))
    world.at(60, lambda: setattr(world, "is_open", False))
    world.at(100, lambda: setattr(world.sockets[-1], "mute", True))
    connection = outcome(world, seconds=200)
    assert connection.counts.ends == {Cause.SILENT: 1}
    assert (world.changes[2][0] - SECOND_NS) / SECOND_NS < 100 + TIMING.patience_s + 1


class Busy(World):
    """A world whose loop is so busy that packets are read only when someone lets it turn."""

    async def sleep(self, wait_s: float) -> None:
        if wait_s == 0 and self.sockets:
            self.sockets[-1].connection.take(memoryview(b"packet"), self.now_ns)
        await super().sleep(wait_s)


def test_what_waits_in_the_socket_is_read_before_a_connection_is_given_up() -> None:
    world = Busy(Random(1))
    world.at(1.0, lambda: setattr(world.sockets[-1], "mute", True))
    connection = outcome(world, seconds=60)
    assert connection.counts.ends == {}
    assert connection.counts.frames >= 60 / TIMING.stall_s - 1


def test_frames_of_a_connection_that_was_given_up_are_not_handed_on() -> None:
    world = World(Random(1))
    late = world.connection()
    late.take(memoryview(b"packet"), world.now_ns)
    late.text("error")
    assert (late.counts.late_frames, late.counts.frames, world.packets_ns) == (2, 0, [])


def test_the_lag_of_the_loop_is_measured() -> None:
    late_ns: list[int] = []
    clock = {"now": 0}
    lags = iter([0.0, 0.1, 0.6, 0.0, 1.5])

    async def sleep(wait_s: float) -> None:
        lag = next(lags, None)
        if lag is None:
            raise asyncio.CancelledError
        clock["now"] += round((wait_s + lag) * 1e9)

    async def scenario() -> LagMeter:
        meter = LagMeter(late_ns.append, monotonic_ns=lambda: clock["now"], sleep=sleep)
        await asyncio.gather(meter.run(), return_exceptions=True)
        return meter

    meter = run(scenario())
    assert late_ns == [600_000_000, 1_500_000_000]
    assert (meter.slow, meter.max_ns, meter.last_ns) == (2, 1_500_000_000, 1_500_000_000)
