"""What a packet's way is made of, in the session's own process: no socket, the recorded prices, a journal on disk.

Times come from `perf_counter_ns` around each call; what the pair of clock reads itself takes is taken off.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import numpy as np

from bench.measure import Goal, Row, Section, spread, timed
from bench.session_jobs import (
    DAY_S,
    ROUND,
    Session,
    day_words,
    fresh_session,
    in_turn,
    market_packets,
    new_engine,
    open_session,
    payloads,
    scratch_folder,
)
from myquant.journal.reader import JournalReader
from myquant.journal.record import INPUT
from myquant.session.playback import Playback
from myquant.session.runner import NoOrders

GOALS: Final = {"p50": Goal(1.5, at_least=False)}
PERCENTILES: Final = {"p50": 50.0, "p99": 99.0}
MANY: Final = 500  # instruments
APPENDED: Final = 50_000  # records a round
REPLAYED: Final = 300_000  # events
WARM: Final = 2_000  # packets
TIMER_EVERY: Final = 500  # packets
NS_PER_US: Final = 1e3

Ints = np.ndarray[Any, np.dtype[np.int64]]


def measure(rounds: int, *, quick: bool) -> Section:
    section = Section("session-steps: what a packet's way is made of")
    packets = payloads(market_packets(ROUND, ROUND / DAY_S))
    steps: dict[str, Callable[[], Ints]] = {
        "decode": partial(_decode, packets),
        "take": partial(_take, packets),
        "frame": partial(_frame, packets),
        "orders": partial(_frame, packets, orders=True),
        "clock": _clock,
    }
    _frame(packets[:WARM])  # finds its machine code
    found = in_turn(steps, rounds, quick=quick)
    clock_ns = float(np.median([np.median(times) for times in found["clock"]]))
    section.rows += _rows("decode", found["decode"], clock_ns)
    section.rows += _rows("journal and decide (Runner.take)", found["take"], clock_ns)
    section.rows += _rows("all of it (Supervisor.on_frame)", found["frame"], clock_ns, GOALS)
    section.rows += _rows("all of it, with an order, its fill and the log", found["orders"], clock_ns)
    section.rows += _other_rows(rounds, quick=quick)
    section.notes.append(f"{ROUND - WARM:,} packets a round; {clock_ns:.0f} ns, a pair of clock reads, are off")
    return section


def _rows(name: str, rounds: list[Ints], clock_ns: float, goals: dict[str, Goal] | None = None) -> list[Row]:
    """Return a row per percentile: the spread of the rounds' percentiles."""
    rows = []
    for label, percent in PERCENTILES.items():
        values = [(float(np.percentile(times, percent)) - clock_ns) / NS_PER_US for times in rounds]
        rows.append(Row(f"{name}, {label}", "us", spread(values), goal=(goals or {}).get(label)))
    return rows


def _decode(packets: list[memoryview]) -> Ints:
    with fresh_session() as session:
        take, taken = session.decoder.take, np.zeros(len(packets), np.int64)
        for number, packet in enumerate(packets):
            began = perf_counter_ns()
            take(packet, began, began)
            taken[number] = perf_counter_ns() - began
    return taken[WARM:]


def _take(packets: list[memoryview]) -> Ints:
    """Time the taking of what the decoder makes of each packet, without the decoding."""
    with fresh_session() as session:
        decode, take, words = session.decoder.take, session.runner.take, session.decoder.words
        taken = np.zeros(len(packets), np.int64)
        for number, packet in enumerate(packets):
            decode(packet, number, number)
            began = perf_counter_ns()
            take(words, 1)
            taken[number] = perf_counter_ns() - began
            _every_second(session, number)
    return taken[WARM:]


def _frame(packets: list[memoryview], *, orders: bool = False) -> Ints:
    """Time the taking of each packet; with `orders`, only of those that led to one."""
    with fresh_session() as session:
        take, taken = session.supervisor.on_frame, np.zeros(len(packets), np.int64)
        commands, emitted = session.engine.desk["account"]["commands"], np.zeros(len(packets), np.int64)
        session.supervisor.start()
        session.supervisor.on_status(1, healthy=True, reason="")
        for number, packet in enumerate(packets):
            began = perf_counter_ns()
            take(1, packet, began)
            taken[number] = perf_counter_ns() - began
            emitted[number] = commands[0]
            _every_second(session, number)
    led = np.diff(emitted, prepend=0) > 0
    return taken[WARM:][led[WARM:]] if orders else taken[WARM:]


def _every_second(session: Session, number: int) -> None:
    """Let the journal allocate its next segment, as the session's timer does."""
    if number % TIMER_EVERY == 0:
        session.journal.reserve()


def _clock() -> Ints:
    """Return what a pair of clock reads by itself shows."""
    taken = np.zeros(ROUND, np.int64)
    for number in range(ROUND):
        began = perf_counter_ns()
        taken[number] = perf_counter_ns() - began
    return taken


def _other_rows(rounds: int, *, quick: bool) -> list[Row]:
    with scratch_folder() as folder, fresh_session() as one, fresh_session(MANY) as many:
        recorded = _recorded(folder)
        sides: dict[str, Callable[[], float]] = {
            "append": partial(timed, partial(one.journal.append_words, INPUT, day_words(APPENDED), 0, APPENDED)),
            "replay": partial(timed, partial(_replay, recorded)),
            "one": partial(timed, one.save),
            "many": partial(timed, many.save),
        }
        found = in_turn(sides, rounds, quick=quick)
    rates = [REPLAYED / seconds for seconds in found["replay"]]
    return [
        Row("a record appended, many at once", "ns", spread(found["append"]).scaled(1e9 / APPENDED)),
        Row("replay, every decision compared", "events/s", spread(rates)),
        Row("snapshot of 1 instrument, on the disk", "ms", spread(found["one"]).scaled(1e3)),
        Row(f"snapshot of {MANY} instruments, on the disk", "ms", spread(found["many"]).scaled(1e3)),
    ]


def _recorded(folder: Path) -> Path:
    """Write the journal of a session."""
    place = folder / "recorded"
    session = open_session(place, 1)
    session.runner.take(day_words(REPLAYED))
    session.close()
    return place


def _replay(folder: Path) -> None:
    playback = Playback(new_engine(1), NoOrders(), asks_again=False)
    for block in JournalReader(folder).blocks():
        playback.feed(block)
    playback.end()
    if playback.inputs < REPLAYED:
        raise RuntimeError(f"{playback.inputs} inputs played back")
