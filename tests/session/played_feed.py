"""A feed that plays numbers for frames, to be opened in the session's loop, a thread or another process."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final

import myquant
from myquant.brokers.port import FeedCalls
from myquant.brokers.secrets import Redactor
from myquant.errors import BrokerError, ConfigError
from myquant.session.handoff import Handoff, Threaded, hand_off
from myquant.session.log_async import Place

TESTS: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = Path(myquant.__file__).resolve().parents[1]
ENVIRON: Final = {"PYTHONPATH": f"{TESTS}{os.pathsep}{SOURCES}"}  # so that a reader process finds this module
KINDS: Final = ("callback", "queue", "ring")
SECRET: Final = "s3cret-of-a-feed"  # noqa: S105  (a test's)
STALE_EVERY, TEXT_EVERY, REST_EVERY = 400, 150, 40


@dataclass(frozen=True)
class Played:
    """What is played: `count` frames, at the end what is told. `refusal`: why it can't be opened; "": it can. "hangs": as its login might."""

    count: int
    at_end: str = "all played"
    refusal: str = ""
    fails: bool = False  # gives up at the end
    breaks: bool = False  # has a defect there
    stays: bool = True  # else its process is gone at the end

    def here(self, calls: FeedCalls) -> "PlayedFeed":
        return PlayedFeed(self, calls)

    def redactor(self, environ: Mapping[str, str]) -> Redactor:
        assert environ["PYTHONPATH"] == ENVIRON["PYTHONPATH"]
        return Redactor((SECRET,))

    @asynccontextmanager
    async def open(self, calls: FeedCalls, environ: Mapping[str, str]) -> AsyncIterator["PlayedFeed"]:
        assert environ["PYTHONPATH"] == ENVIRON["PYTHONPATH"]
        if self.refusal == "hangs":
            await asyncio.sleep(600)
        if self.refusal == "defect":
            raise RuntimeError("what only a debugger should see")
        if self.refusal:
            raise ConfigError(self.refusal)
        yield PlayedFeed(self, calls)


class PlayedFeed:
    """A feed at play: what it says of itself changes now and then."""

    def __init__(self, played: Played, calls: FeedCalls) -> None:
        self._played, self._calls = played, calls
        self.failure: BrokerError | None = None

    def start(self) -> None:
        self._calls.on_status(1, False, "not connected yet")
        self._calls.on_status(1, True, "receiving")
        self._task = asyncio.ensure_future(self._play())

    async def _play(self) -> None:
        calls, played = self._calls, self._played
        for number in range(played.count):
            if number % STALE_EVERY == STALE_EVERY - 1:
                calls.on_status(1, False, f"dropped at {number}: ₹")
                calls.on_status(1, True, "receiving")
            if number % TEXT_EVERY == 0:
                calls.on_text(1, f"said at {number}")
            calls.on_frame(1, frame(number), monotonic_ns())
            if number % REST_EVERY == 0:
                await asyncio.sleep(0)
        calls.on_text(2, f"{played.at_end}; expects {calls.expects_data()}")
        if played.fails:
            self.failure = BrokerError("the feed has given up")
        if not played.stays:
            os._exit(9)

    async def aclose(self) -> None:
        self._task.cancel()
        self._calls.on_text(3, "closed")


def frame(number: int) -> memoryview:
    return memoryview(number.to_bytes(4, "little"))


@dataclass
class Heard:
    """What came of a feed, in order; `lost`: frames that it had no room for. `also`: is called with each frame."""

    said: list[tuple[Any, ...]] = field(default_factory=list)
    handed_ns: list[tuple[int, int]] = field(default_factory=list)
    lost: int = 0
    expects: bool = True
    also: Callable[[int, memoryview, int], None] = lambda *_: None
    handoff: Handoff | None = None

    def calls(self) -> FeedCalls:
        return FeedCalls(
            on_frame=self.on_frame,
            on_status=lambda *said: self.said.append(("status", *said)),
            on_text=lambda *said: self.said.append(("text", *said)),
            on_slow=lambda _: None,
            expects_data=lambda: self.expects,
        )

    def on_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        assert self.handoff is not None
        self.handed_ns.append((arrived_ns, self.handoff.handed_ns))
        self.said.append(("frame", connection, bytes(payload)))
        self.also(connection, payload, arrived_ns)

    def on_lost(self, frames: int) -> None:
        self.lost += frames

    def frames(self) -> list[int]:
        return [int.from_bytes(said[2], "little") for said in self.said if said[0] == "frame"]

    def statuses(self) -> list[tuple[bool, str]]:
        return [(said[2], said[3]) for said in self.said if said[0] == "status"]

    def texts(self) -> list[str]:
        return [said[2] for said in self.said if said[0] == "text"]


def handed(
    kind: str,
    played: Played,
    heard: Heard,
    calls: FeedCalls | None = None,
    stall_s: float = 3.0,
    place: Place | None = None,
) -> Handoff:
    """Return what is played behind a hand-off; it is not started."""
    heard.handoff = hand_off(
        kind, calls or heard.calls(), played.here, played, ENVIRON, on_lost=heard.on_lost, stall_s=stall_s, place=place
    )
    return heard.handoff


def reader_pid(handoff: Any) -> int:
    pid: int = handoff._process.pid
    return pid


def has_ended(handoff: Any) -> bool:
    """Return whether the thread or process that reads is gone."""
    if isinstance(handoff, Threaded):
        return not handoff._thread.is_alive()
    return handoff._process is not None and handoff._process.returncode is not None


async def until(true: Callable[[], Any], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110  (it is others that change what is looked at)
            await asyncio.sleep(0.005)
