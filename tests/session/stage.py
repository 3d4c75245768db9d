"""A lab and the sessions on it, each a process of its own, and what a session's journal must hold whatever went wrong."""

import json
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from myquant.brokers.packets import COUNTS, REASON_NAMES
from myquant.core import codes
from myquant.errors import MyquantError
from myquant.journal import record
from myquant.journal.reader import JournalReader, commands, inputs, notes
from myquant.journal.record import COMMAND, INPUT, NOTE_VALUES
from myquant.session.operator import STATUS, ask_session
from myquant.session.replay import replay
from myquant.strategies.cache import cache_folder
from myquant.ticks.batch import TickBatch
from myquant.ticks.write import write_ticks
from session.forks import Child, Forks, forks

SYMBOL: Final = "NIFTY07OCT2524900CE"
DAY: Final = date(2025, 10, 3)
ZONE: Final = "Asia/Kolkata"
SECOND_NS: Final = 10**9
OPENS_NS: Final = int(datetime(2025, 10, 3, 13, 45, tzinfo=ZoneInfo(ZONE)).timestamp()) * SECOND_NS  # of the ticks
COMMAND_LINE: Final = "session.forks:command"
LIVELY: Final = {
    "capital.initial_capital": 1_000_000,
    "strategy.min_warmup_ticks": 5,
    "strategy.use_ema_crossover": "false",
    "strategy.consecutive_green_bars": 1,
    "results.report": "false",
    "journal.segment_mib": 1,
    "feed.stall_s": "0.5",
    "feed.reconnect_max_s": "0.2",
}

AT_BROKER: Final = LIVELY | {
    "capital.initial_capital": 100_000,
    "strategy.control_base_sl": "false",
    "risk.max_positions_per_day": 10_000,
    "risk.max_rejects": 1000,
    "risk.base_sl_points": 3,
    "risk.tp_points": "[2, 4]",
    "risk.tp_percents": "[0.5, 0.5]",
    "execution.fill_model": "limit",
    "execution.order_timeout_s": 1,
    "broker.reconcile_s": 2,
    "broker.settle_s": 4,
}


def write_day(path: Path, *, count: int = 4000, seconds: int = 6300) -> Path:
    """Write a lively afternoon: ticks to the close, which rise and fall in turns; few have the time of another."""
    rng = np.random.default_rng(7)
    steps = rng.integers(-3, 4, count) + np.where(np.arange(count) // 200 % 2, -1, 1)
    price = 20_000 + 5 * np.cumsum(steps)
    volume = 75 * rng.integers(1, 9, count)
    time_ns = OPENS_NS + np.sort(rng.integers(0, seconds * 1000, count)) * (SECOND_NS // 1000)
    batch = TickBatch(time_ns=time_ns, price=price, volume=volume, bid=price - 5, ask=price + 5)
    write_ticks(path, [batch], time_zone=ZONE)
    return path


def write_dense_day(path: Path, *, count: int = 4000, seconds: int = 100) -> Path:
    """Write a lively while, at the speed of the exchange: forty ticks a second, in waves as wide as stops and targets."""
    rng = np.random.default_rng(7)
    price = 20_000 + 5 * np.cumsum(rng.integers(-3, 4, count) + np.where(np.arange(count) // 60 % 2, -3, 3))
    volume = 75 * rng.integers(20, 90, count)
    time_ns = OPENS_NS + np.sort(rng.integers(0, seconds * 1000, count)) * (SECOND_NS // 1000)
    batch = TickBatch(time_ns=time_ns, price=price, volume=volume, bid=price - 5, ask=price + 5)
    write_ticks(path, [batch], time_zone=ZONE)
    return path


class Place(Protocol):
    """Where a session trades. `environ` is what it needs for that."""

    environ: dict[str, str]


@dataclass
class Lab:
    """A lab at work. `environ` is what a session on it needs."""

    child: Child
    said: Path
    environ: dict[str, str]

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.environ['MYQUANT_ANGELONE__REST_URL']}/lab/counts", timeout=5) as reply:  # noqa: S310  (the lab's own address)
            found: dict[str, int] = json.load(reply)
        return found

    def orders(self) -> dict[str, Any]:
        """Return all orders, positions and funds as they truly are."""
        with urllib.request.urlopen(f"{self.environ['MYQUANT_ANGELONE__REST_URL']}/lab/orders", timeout=5) as reply:  # noqa: S310  (likewise)
            found: dict[str, Any] = json.load(reply)
        return found

    def post(self, what: str) -> None:
        address = f"{self.environ['MYQUANT_ANGELONE__REST_URL']}/lab/{what}"
        urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=5).close()  # noqa: S310  (likewise)


@dataclass
class Stage:
    """Where one test plays: a folder with a cache of its own for tokens, and the machine code of everybody."""

    forks: Forks
    folder: Path
    ticks: Path
    children: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        cache = self.folder / "cache"
        cache.mkdir()
        for each in cache_folder().glob("myquant_*"):
            (cache / each.name).symlink_to(each)

    def start(self, said: str, *words: str, environ: Mapping[str, str] | None = None) -> Child:
        whole = {"MYQUANT_CACHE": str(self.folder / "cache"), **(environ or {})}
        child = self.forks.start(COMMAND_LINE, *words, said=self.folder / said, environ=whole, folder=self.folder)
        self.children.append(child)
        return child

    def lab(
        self,
        *faults: str,
        speed: float | None = None,
        environ: Mapping[str, str] | None = None,
        words: Sequence[str] = (),
    ) -> Lab:
        """Start a lab, and wait until it is ready; `speed` None: as fast as it is taken; `words`: other options."""
        pace = ("--asap",) if speed is None else ("--speed", str(speed))
        options = [part for fault in faults for part in ("--fault", fault)]
        said = self.folder / f"lab{len(self.children)}.said"
        ports = ("--port", "0", "--feed-port", "0")
        child = self.start(
            said.name,
            "lab",
            "--broker",
            "angelone",
            "--ticks",
            str(self.ticks),
            *pace,
            *ports,
            *options,
            *words,
            environ=environ,
        )
        until(lambda: "lab: ready" in read(said), child, said)
        found = dict(re.findall(r"^export (\w+)=(.*)$", read(said), re.MULTILINE))
        return Lab(child, said, {**(environ or {}), **found})

    def paper(self, lab: Place, *words: str, name: str = "s", **values: Any) -> Child:
        """Start a session on a lab; values: `feed__stall_s=1` is the setting feed.stall_s."""
        chosen = LIVELY | {key.replace("__", "."): value for key, value in values.items()}
        options = [part for key, value in chosen.items() for part in ("--set", f"{key}={value}")]
        command = ("--debug", "paper", "--broker", "angelone", SYMBOL, "--session", name, *options, *words)
        return self.start(f"{name}.said", *command, environ=lab.environ)

    def at_broker(self, lab: Place, *words: str, name: str = "s", **values: Any) -> Child:
        """Start a session whose orders go to a lab, or go on with it; values as of `paper`."""
        chosen = AT_BROKER | {key.replace("__", "."): value for key, value in values.items()}
        options = [part for key, value in chosen.items() for part in ("--set", f"{key}={value}")]
        knowing = ("--i-understand", "--without-paper", "a test")
        command = ("--debug", "live", "--broker", "angelone", SYMBOL, *knowing, "--session", name, *options, *words)
        return self.start(f"{name}.said", *command, environ=lab.environ)

    def session(self, name: str = "s") -> Path:
        return self.folder / "runs" / name

    def said(self, name: str = "s") -> str:
        return read(self.folder / f"{name}.said")

    def status(self, name: str = "s") -> dict[str, Any] | None:
        """Return how a session stands, as it says itself; None: it does not listen."""
        try:
            return ask_session(self.session(name), STATUS)
        except MyquantError:
            return None

    def end(self) -> None:
        for child in self.children:
            child.send(signal.SIGKILL)


@contextmanager
def on_stage(folder: Path, write: Callable[[Path], Path] = write_day) -> Iterator[Stage]:
    stage = Stage(forks(), folder, write(folder / f"{SYMBOL}.csv"))
    try:
        yield stage
    finally:
        stage.end()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def until(true: Callable[[], bool], child: Child, said: Path, timeout_s: float = 30.0) -> None:
    """Wait until something is true, while a child runs."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert child.poll() is None, f"it ended with {child.code}: {read(said)}"
        assert time.monotonic() < deadline, f"not true within {timeout_s} s: {read(said)}"
        time.sleep(0.01)


@dataclass(frozen=True)
class Journal:
    """A session's journal as a test looks at it: all sound records, and each kind of them."""

    rows: Any
    events: Any
    origins: Any
    commands: Any
    notes: Any

    def notes_of(self, kind: int) -> Any:
        return self.notes[self.notes["kind"] == kind]

    def feed_notes(self) -> list[bool]:
        """Return what became of the connections: healthy or not."""
        return [code == 0 for code in self.notes_of(record.FEED)["code"].tolist()]

    def counted(self) -> dict[str, int]:
        """Return what the feed did not use, by reason, as last noted by each process of the session."""
        counts = np.zeros(2 * NOTE_VALUES, np.int64)
        for note in self.notes_of(record.COUNTS):
            counts[note["code"] : note["code"] + NOTE_VALUES] = note["values"]
        assert len(counts) >= COUNTS
        return {name: int(counts[reason]) for reason, name in REASON_NAMES.items() if counts[reason]}

    def commands_of(self, kind: int) -> Any:
        return self.commands[self.commands["kind"] == kind]

    def ticks(self) -> Any:
        return self.events[self.events["kind"] == codes.TICK]


def journal_of(folder: Path) -> Journal:
    blocks = list(JournalReader(folder).blocks())
    rows = np.concatenate(blocks)
    bodies = inputs(rows)["body"]
    return Journal(rows, bodies["event"], bodies["origin"], commands(rows)["body"], notes(rows)["body"])


def assert_sound(folder: Path) -> Journal:
    """Hold a journal against what holds whatever went wrong, and return it."""
    found, _ = replay(folder)
    assert found.difference is None, found.difference
    assert not found.behind
    assert not found.unwritten
    assert JournalReader(folder).end().what == "nothing"
    journal = journal_of(folder)
    assert_forwards(journal)
    assert_no_entry_while_stale(journal)
    return journal


def assert_forwards(journal: Journal) -> None:
    """No tick goes back or comes twice."""
    is_tick = journal.events["kind"] == codes.TICK
    events, origins = journal.events[is_tick], journal.origins[is_tick]
    names = (events["time_ns"], origins["total_volume"], origins["traded_ns"])
    keys = list(zip(*(column.tolist() for column in names), strict=True))
    assert all(before < after for before, after in pairwise(keys))


def assert_no_entry_while_stale(journal: Journal) -> None:
    stale = True
    for row in journal.rows:
        body = row[record.BODY :]
        if row[record.HOLDS] == INPUT and body[0] == codes.FEED_STATUS:
            stale = bool(body[_CODE] == codes.FEED_IS_STALE)
        elif row[record.HOLDS] == COMMAND:
            command = row.view(record.record_dtype(COMMAND))[0]["body"]
            assert not (stale and command["kind"] == codes.SUBMIT and command["side"] == codes.BUY)


_CODE: Final = 12  # place of `code` in an event


def source_keys(ticks: Path) -> set[tuple[int, int, int]]:
    """Return time (ms), price (paise) and volume of the day so far, of each tick of a file that `write_day` wrote."""
    lines = ticks.read_text().splitlines()
    names = lines[0].split(",")
    total, found = 0, set()
    for line in lines[1:]:
        row = dict(zip(names, line.split(","), strict=True))
        total += int(row["volume"])
        moment = datetime.fromisoformat(row["timestamp"])
        found.add((round(moment.timestamp() * 1000), round(float(row["price"]) * 100), total))
    return found


def journal_keys(journal: Journal) -> list[tuple[int, int, int]]:
    is_tick = journal.events["kind"] == codes.TICK
    events, origins = journal.events[is_tick], journal.origins[is_tick]
    columns: Sequence[Any] = (events["time_ns"] // 10**6, events["price"], origins["total_volume"])
    return list(zip(*(column.tolist() for column in columns), strict=True))
