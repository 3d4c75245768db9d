"""A session as `compose` wires it, on recorded prices, and the packets that it is fed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import numpy as np

from bench import jobs
from bench.measure import interleaved, quiet_collector
from bench.session_sender import BEGIN_MS, LOT
from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.tokens import NO_INSTRUMENT, Token, TokenTable
from myquant.brokers.port import BrokerInstrument
from myquant.brokers.secrets import Redactor
from myquant.core import codes
from myquant.core.records import Event
from myquant.journal.disk import DISK
from myquant.journal.record import BODY_WORDS, RECORD_BYTES
from myquant.journal.writer import JournalWriter
from myquant.lab.angelone.packet import SNAP_QUOTE, Bytes, Packets, empty_packets, frames, in_mode
from myquant.session.clock import ExchangeClock, MachineClock
from myquant.session.engine import Engine
from myquant.session.log import SessionLog, open_log
from myquant.session.log_files import NO_BOUNDS
from myquant.session.recovery import Hashes, save
from myquant.session.runner import Runner, Words
from myquant.session.simulated import SimulatedOrders
from myquant.session.supervisor import Supervisor
from myquant.session.taking_up import segment_records_of, take_up
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName

SECOND_NS: Final = 10**9
ROUND: Final = 34_000  # packets after which prices begin again
BEGIN_NS: Final = BEGIN_MS * 10**6
DAY_S: Final = 5 * 3600  # from then on the strategy may enter
ZONE_OFFSET_NS: Final = 19_800 * SECOND_NS
ANY_JUMP_NS: Final = 10**15  # the exchange's time may run ahead of ours: packets are sent faster than they were made
EXCHANGE_TYPE: Final = 2
FIRST_TOKEN: Final = 40_000
INDEX: Final = BrokerInstrument("NIFTY", "NSE", "26000", 1, 0, 0)
HASHES: Final = Hashes("engine", "config")
SPREAD: Final = 5  # paise to either side
SAVE_S: Final = 60
QUICK_ROUNDS: Final = 3

Side = TypeVar("Side")


class Nowhere(StringIO):
    """A terminal that nobody looks at."""

    def write(self, text: str) -> int:
        return len(text)


@dataclass(frozen=True)
class Session:
    folder: Path
    engine: Engine
    orders: SimulatedOrders
    runner: Runner
    journal: JournalWriter
    decoder: FrameDecoder
    supervisor: Supervisor
    log: SessionLog
    save: Callable[[], None]

    def close(self) -> None:
        self.journal.close()
        self.log.close()


@contextmanager
def fresh_session(instruments: int = 1, changes: Mapping[str, Any] | None = None) -> Iterator[Session]:
    """Begin a session in a folder of its own, on the disk of this checkout, and remove it at the end."""
    with scratch_folder() as folder:
        session = open_session(folder / "session", instruments, changes)
        try:
            yield session
        finally:
            session.close()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    jobs.OUT.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=jobs.OUT) as folder:
        yield Path(folder)


def open_session(folder: Path, instruments: int, changes: Mapping[str, Any] | None = None) -> Session:
    """Begin a session, or go on with it."""
    engine = new_engine(instruments, changes)
    orders = SimulatedOrders(engine)
    records = segment_records_of(engine.loaded.config.journal.segment_mib)
    taken = take_up(folder, engine, orders, HASHES, key=1, segment_records=records, disk=DISK)
    tokens = [Token(EXCHANGE_TYPE, str(FIRST_TOKEN + who), who) for who in range(instruments)]
    index = Token(INDEX.exchange_type, INDEX.token, NO_INSTRUMENT)
    decoder = FrameDecoder(TokenTable([index, *tokens]), ZONE_OFFSET_NS, ANY_JUMP_NS)
    clock = MachineClock()
    log = open_log(folder, Redactor(()).text, session="bench", clock=clock.wall_ns, bounds=NO_BOUNDS, stderr=Nowhere())
    put = partial(save, engine, orders, taken.journal, folder, HASHES, clock, DISK)
    supervisor = Supervisor(
        taken.runner,
        taken.journal,
        [decoder],
        clock,
        ExchangeClock(clock, decoder.clock),
        log,
        save=put,
        snapshot_interval_ns=SAVE_S * SECOND_NS,
        durable_orders=engine.loaded.config.journal.durability == "power",
    )
    return Session(folder, engine, orders, taken.runner, taken.journal, decoder, supervisor, log, put)


def new_engine(instruments: int, changes: Mapping[str, Any] | None = None) -> Engine:
    """Return an engine of the default strategy, hours and charges as in the other sections."""
    return Engine(jobs.load(dict(changes or {})), default_strategy(), (InstrumentName("NIFTY"),) * instruments)


def listed(instruments: int) -> list[BrokerInstrument]:
    """Return the instruments as the feed subscribes to them."""
    names = [f"{FIRST_TOKEN + who}" for who in range(instruments)]
    return [BrokerInstrument(f"NIFTY{name}", "NFO", name, EXCHANGE_TYPE, LOT, 5) for name in names]


def market_packets(count: int, rate: float, instruments: int = 1) -> Packets:
    """Return SnapQuote packets numbered from 1, the tokens in turn: recorded prices, each packet a trade.

    Exchange time goes from `BEGIN_MS` in steps of 1 / `rate` s. Each instrument goes through the recorded prices to and
    fro, in one piece and from a place of its own.
    """
    day = jobs.ticks(ROUND)
    number = np.arange(count, dtype=np.int64)
    who, turn = number % instruments, number // instruments
    place = (turn + 37 * who) % (2 * ROUND - 2)
    place = np.minimum(place, 2 * ROUND - 2 - place)  # to and fro
    packets = empty_packets(count)
    packets["exchange_type"] = EXCHANGE_TYPE
    packets["token"] = np.char.encode((FIRST_TOKEN + who).astype("U"), "ascii")
    packets["sequence"] = number + 1
    packets["price"] = day.price_paise[place]
    time_ns = BEGIN_NS + (number * (SECOND_NS / rate)).astype(np.int64)
    packets["exchange_ms"] = time_ns // 10**6
    packets["traded_s"] = time_ns // SECOND_NS
    packets["volume"] = LOT * (turn + 1)
    for side, away in (("buys", -SPREAD), ("sells", SPREAD)):
        packets[side]["price"][:, 0] = packets["price"] + away
        packets[side]["quantity"][:, 0] = LOT
    return packets


def template(folder: Path, instruments: int, rate: float) -> Path:
    """Write the frames that `session_sender` sends again and again."""
    path = folder / f"{instruments}.npy"
    whole = b"".join(frames(market_packets(2 * ROUND, rate, instruments), SNAP_QUOTE))
    np.save(path, np.frombuffer(whole, np.uint8).reshape(2 * ROUND, -1))
    return path


def payloads(packets: Packets) -> list[memoryview]:
    """Return each packet as the decoder gets it."""
    content: Bytes = in_mode(packets, SNAP_QUOTE)
    return [memoryview(row.tobytes()) for row in content]


def day_words(count: int) -> Words:
    """Return `count` ticks of one day as journal inputs: the recorded prices again and again, evenly spread in time."""
    words = np.zeros((count, BODY_WORDS), np.int64)
    day = jobs.ticks(ROUND)
    columns = dict(zip(Event._fields, words.T[: len(Event._fields)], strict=True))
    place = np.arange(count) % (2 * ROUND - 2)
    place = np.minimum(place, 2 * ROUND - 2 - place)
    columns["kind"][:] = codes.TICK
    columns["time_ns"][:] = BEGIN_NS + (np.arange(count) * (DAY_S * SECOND_NS / count)).astype(np.int64)
    columns["receive_ns"][:] = columns["time_ns"]
    columns["price"][:], columns["volume"][:] = day.price_paise[place], day.volume[place]
    columns["bid"][:], columns["ask"][:] = columns["price"] - SPREAD, columns["price"] + SPREAD
    return words


def refuse_small_disk(records: int) -> None:
    """Raise OSError where the disk has no room for a journal of so many records."""
    jobs.OUT.mkdir(parents=True, exist_ok=True)
    needed = 2 * records * RECORD_BYTES
    if disk_usage(jobs.OUT).free < needed:
        raise OSError(f"{jobs.OUT}: {needed >> 20} MiB of the disk are needed")


def in_turn(sides: Mapping[str, Callable[[], Side]], rounds: int, *, quick: bool) -> dict[str, list[Side]]:
    """Measure the sides in turn as `interleaved` does; in a hurry few rounds, and no waiting for quiet ones."""
    if not quick:
        return interleaved(sides, rounds)
    found: dict[str, list[Side]] = {name: [] for name in sides}
    for _ in range(QUICK_ROUNDS):
        for name, side in sides.items():
            with quiet_collector():
                found[name].append(side())
    return found
