"""A session on a lab that is killed while it holds a position, and started again, again and again."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, rmtree
from threading import Thread
from typing import Any, Final, TypeVar

import numpy as np

from bench import jobs
from bench.session_recovery import BEHIND, EVENTS
from bench.standby import READY
from myquant.core import codes
from myquant.core.records import Event
from myquant.journal.disk import DISK
from myquant.journal.reader import JournalReader, inputs, notes
from myquant.journal.record import BODY, FEED, HOLDS, INPUT, NUMBER, STARTED
from myquant.journal.snapshot import FOLDER
from myquant.lab.angelone.account import ENVIRONMENT
from myquant.lab.angelone.orders import Order
from myquant.lab.angelone.server import AngelOneLab
from myquant.lab.market_day import DEFAULT_DAY, DEFAULT_SYMBOL, MarketDay, market_day
from myquant.session import archive
from myquant.session.clock import MachineClock
from myquant.session.recovery import Hashes, save
from myquant.session.replay import archived_engine
from myquant.session.runner import NoOrders
from myquant.session.taking_up import segment_records_of, take_up
from myquant.strategies.cache import cache_folder
from myquant.ticks.batch import InstrumentName

SECOND_NS: Final = 10**9
LOOK_S: Final = 0.005
LIMIT_S: Final = 120.0
LIVES_S: Final = (
    0.5,
    1.5,
)  # how long a session lives on once all is protected; drawn, so that kills come at any moment
OPENS_NS: Final = 1_759_479_300 * SECOND_NS  # 2025-10-03 13:45 in India
TICKS, TICKS_A_SECOND = 36_000, 10  # of the lab's day
CLIMB: Final = 40  # ticks, so that the session enters; prices stand still afterwards
PRICE: Final = 20_000  # paise
BROKER: Final = "angelone"
NAME: Final = "restarts"
CONNECTION: Final = 1  # of the feed
FIRST_BOOK: Final = "getOrderBook"
TIME: Final = Event._fields.index("time_ns")
SETTINGS: Final = {
    "strategy.use_ema_crossover": "false",
    "strategy.consecutive_green_bars": 1,
    "strategy.min_warmup_ticks": 5,
    "strategy.control_base_sl": "false",
    "execution.fill_model": "limit",
    "capital.initial_capital": 100_000,
    "risk.base_sl_points": 30,
    "risk.tp_points": "[150]",
    "risk.tp_percents": "[1]",
    "risk.trail_activation_points": 100,
    "results.report": "false",
}
Result = TypeVar("Result")


@dataclass(frozen=True)
class Restart:
    """A restart's moments, ns since the epoch: all by the same clock of this machine.

    `killed`; `asked_first`: of the new process, by the lab; `at_work`, `fed`, `told`: by its journal; `asked`, `placed`: by
    the lab.
    """

    killed: int
    asked_first: int
    at_work: int
    asked: int
    told: int
    placed: int
    fed: int

    @property
    def whole_s(self) -> float:
        return (self.placed - self.killed) / SECOND_NS

    def part_s(self, name: str) -> float:
        """Return how long one of `PARTS` took."""
        between = {
            "until": (self.killed, self.asked_first),
            "taken": (self.asked_first, self.at_work),
            "asked": (self.at_work, self.asked),
            "told": (self.asked, self.told),
            "placed": (self.told, self.placed),
            "fed": (self.at_work, self.fed),
        }
        begin, end = between[name]
        return (end - begin) / SECOND_NS


@dataclass
class Said:
    """What a journal says of a process, ns since the epoch; 0: nothing yet."""

    at_work: int = 0
    fed: int = 0
    told: int = 0

    @property
    def is_whole(self) -> bool:
        return bool(self.at_work and self.fed and self.told)


class Lab:
    """A lab in a thread of its own, its book to be looked into, and when it was asked for what."""

    def __init__(self, lab: AngelOneLab, loop: asyncio.AbstractEventLoop) -> None:
        self.lab, self._loop = lab, loop
        self.asked: list[tuple[int, str]] = []  # ns, path
        serve = lab.orders.handle

        def handle(method: str, path: str, *others: Any) -> None:
            self.asked.append((time.time_ns(), path))
            serve(method, path, *others)

        lab.orders.handle = handle  # type: ignore[assignment, method-assign]

    def within(self, look: Callable[[], Result]) -> Result:
        """Return what a call in the lab's own thread returns."""

        async def call() -> Result:
            return look()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(LIMIT_S)

    def held(self) -> int:
        """Return the units that are held."""
        return sum(each.net for each in self.lab.orders.book.positions.values())

    def stops(self) -> list[Order]:
        """Return the sells with a trigger that work."""
        return [each for each in self.lab.orders.book.orders if each.is_working and each.trigger and each.side < 0]

    def is_protected(self) -> bool:
        held = self.held()
        return held > 0 and sum(each.left for each in self.stops()) == held

    def cancel_stops(self) -> None:
        """Cancel what protects, as a person would at the broker's own screen."""
        for each in self.stops():
            self.lab.orders.book.cancel(each, time.time_ns())

    def environment(self) -> dict[str, str]:
        """Return what a session on this lab needs in its environment."""
        lab = self.lab
        urls = {"REST": lab.rest_url, "STREAM": lab.feed_url, "MASTER": lab.master_url, "UPDATE": lab.update_url}
        secrets = {variable: str(getattr(lab.credentials, name)) for name, variable in ENVIRONMENT.items()}
        return secrets | {f"MYQUANT_ANGELONE__{name}_URL": url for name, url in urls.items()}


@contextmanager
def _lab() -> Iterator[Lab]:
    """Serve a day that climbs and then stands still."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(LIMIT_S)

    async def start() -> AngelOneLab:
        lab = AngelOneLab(_day(), speed=1.0)
        await lab.start()
        return lab

    lab = wait(start())
    try:
        yield Lab(lab, loop)
    finally:
        wait(lab.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _day() -> MarketDay:
    number = np.arange(TICKS, dtype=np.int64)
    price = PRICE + 5 * np.minimum(number, CLIMB)
    time_ns = OPENS_NS + number * (SECOND_NS // TICKS_A_SECOND)
    volume = np.full(TICKS, 75 * 40, np.int64)
    return market_day(
        DEFAULT_DAY, [InstrumentName(DEFAULT_SYMBOL)], time_ns, price, volume, price - 5, price + 5, 0 * number
    )


class Stage:
    """A session on a lab that is killed and started again and again."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self._lab, self._folder = lab, folder
        self.session, self.cache = folder / "runs" / NAME, folder / "cache"
        self._snapshots, self._said = folder / "snapshots", folder / "said"
        path = os.pathsep.join(filter(None, (str(jobs.ROOT), os.environ.get("PYTHONPATH"))))
        places = {"MYQUANT_CACHE": str(self.cache), "MYQUANT_STATE": str(folder / "state"), "PYTHONPATH": path}
        self._environ = {**os.environ, **lab.environment(), **places}
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as what is installed has its bytecode
        self._process: subprocess.Popen[str] | None = None
        self._read_to = 1
        self._rng = random.Random(1)  # noqa: S311  (a repeatable choice of moments)
        self.cache.mkdir()
        for each in cache_folder().glob("myquant_*"):
            (self.cache / each.name).symlink_to(each)

    def begin(self) -> None:
        """Let a session come to a position under a stop order, and give it a journal as of a whole day."""
        self._process = self._start(["-m", "myquant", *_words()])
        self._wait_protected()
        self._kill()
        _lengthen(self.session)
        copytree(self.session / FOLDER, self._snapshots)
        self._read_to = JournalReader(self.session).end().last
        self._process = self._start(["-m", "myquant", *_words()])
        time.sleep(LIVES_S[1])
        self._wait_protected()

    def restart(self, *, waits: bool = False, lose: Callable[[], None] | None = None) -> Restart:
        """Kill the session and start it again; return when it was protected again. `waits`: the next process is loaded before."""
        following = self._start(["-m", "bench.standby"]) if waits else None
        self._wait_for(lambda: READY in self._said.read_text(), following) if waits else None
        time.sleep(self._rng.uniform(*LIVES_S))
        self._wait_protected()
        killed = time.time_ns()
        self._kill()
        self._lab.within(self._lab.cancel_stops)
        if lose is not None:
            lose()
        if following is None:
            self._process = self._start(["-m", "myquant", *_words()])
        else:
            self._process = following
            _say(following, json.dumps(_words()))
        self._wait_protected()
        said = Said()
        self._wait_for(lambda: self._journaled(killed, said).is_whole, self._process)
        if not (self.session / FOLDER).exists():
            copytree(self._snapshots, self.session / FOLDER)
        return self._moments(killed, said)

    def lose_snapshots(self) -> None:
        """Take the snapshots away; they come back after the restart."""
        rmtree(self.session / FOLDER)

    def lose_account(self) -> None:
        """Take away what is kept of the account for the day: tokens, and the list of instruments."""
        rmtree(self.cache / BROKER)

    def end(self) -> None:
        """End what runs."""
        self._kill()

    def _moments(self, killed: int, said: "Said") -> Restart:
        asked = [(at_ns, path) for at_ns, path in list(self._lab.asked) if at_ns > killed]
        placed = max(each.timeline[0][0] for each in self._lab.within(self._lab.stops))
        return Restart(
            killed=killed,
            asked_first=asked[0][0],
            at_work=said.at_work,
            asked=next(at_ns for at_ns, path in asked if path.endswith(FIRST_BOOK)),
            told=said.told,
            placed=placed,
            fed=said.fed,
        )

    def _journaled(self, killed: int, found: "Said") -> "Said":
        """Take up what the journal says, from where it was last read to, of the process that runs."""
        for block in JournalReader(self.session).blocks(self._read_to):
            for note in notes(block)["body"]:
                if note["wall_ns"] > killed and note["kind"] == STARTED:
                    found.at_work = int(note["wall_ns"])
                elif found.at_work and note["kind"] == FEED and not note["code"] and note["instrument"] == CONNECTION:
                    found.fed = found.fed or int(note["wall_ns"])
            events = inputs(block)["body"]["event"]
            for event in events[(events["kind"] == codes.CANCELLED) & (events["receive_ns"] > killed)]:
                found.told = found.told or int(event["receive_ns"])
            self._read_to = int(block[-1, NUMBER]) + 1
        return found

    def _start(self, words: list[str]) -> "subprocess.Popen[str]":
        with self._said.open("w") as said:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                text=True,
            )

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _wait_protected(self) -> None:
        self._wait_for(lambda: self._lab.within(self._lab.is_protected), self._process)

    def _wait_for(self, true: Callable[[], bool], process: "subprocess.Popen[str] | None") -> None:
        ends = time.monotonic() + LIMIT_S
        while not true():
            if time.monotonic() > ends or (process is not None and process.poll() is not None):
                raise RuntimeError(f"the session did not come that far: {self._said.read_text()[-2000:]}")
            time.sleep(LOOK_S)


@contextmanager
def on_stage(folder: Path) -> Iterator[Stage]:
    """Give a session that is at work in a folder, on a lab of its own."""
    with _lab() as lab, ExitStack() as closing:
        stage = Stage(folder, lab)
        closing.callback(stage.end)
        stage.begin()
        yield stage


def _say(process: "subprocess.Popen[str]", line: str) -> None:
    """Give a process a line of its input, which stays open."""
    if process.stdin is not None:
        process.stdin.write(line + "\n")
        process.stdin.flush()


def _words() -> list[str]:
    options = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    knowing = ("--i-understand", "--without-paper", "a benchmark")
    return ["live", "--broker", BROKER, DEFAULT_SYMBOL, *knowing, "--session", NAME, *options]


def _lengthen(session: Path) -> None:
    """Journal a day's worth of ticks at the last price, with a snapshot a minute before their end."""
    engine, facts = archived_engine(session), archive.read(session)
    hashes, config = Hashes(facts.engine_hash, facts.config_hash), engine.loaded.config
    records = segment_records_of(config.journal.segment_mib)
    taken = take_up(session, engine, NoOrders(), hashes, key=facts.key, segment_records=records, disk=DISK)
    tail = np.concatenate(list(JournalReader(session).blocks()))
    ticks = tail[(tail[:, HOLDS] == INPUT) & (tail[:, BODY] == codes.TICK)]
    words = np.repeat(ticks[-1:, BODY:], EVENTS, axis=0)
    words[:, TIME] += np.arange(EVENTS)  # ns
    taken.runner.take(words, EVENTS - BEHIND)
    save(engine, NoOrders(), taken.journal, session, hashes, MachineClock(), DISK)
    taken.runner.take(words[EVENTS - BEHIND :])
    taken.journal.close()
