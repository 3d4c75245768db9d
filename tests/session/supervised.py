"""A session under its supervisor, without sockets: frames are numbers of inputs, and the clocks follow them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from myquant.brokers.packets import COUNTS, TICKED
from myquant.core import codes
from myquant.journal.disk import Disk
from myquant.journal.record import BODY_WORDS
from myquant.session.clock import Clock, ExchangeClock
from myquant.session.pipeline import Pipeline
from myquant.session.rules import SECOND_NS
from myquant.session.runner import Words
from myquant.session.supervisor import Supervisor
from session.sessions import Session, day_inputs, open_session

TIMER_EVERY = 10  # frames


def market_inputs(seed: int, count: int) -> Words:
    """Return the ticks and quotes of a lively day."""
    inputs = day_inputs(seed, count=count)
    return inputs[np.isin(inputs[:, 0], (codes.TICK, codes.QUOTE)) & (inputs[:, 3] > 0)]


class SetClock(Clock):
    """Clocks that stand where they are set."""

    now_ns = 0

    def wall_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns


class Tape(SetClock):
    """A decoder whose frames are numbers of inputs, and the clock that they make."""

    def __init__(self, inputs: Words) -> None:
        self.inputs = inputs
        self.words = np.zeros((1, BODY_WORDS), np.int64)
        self.counts = np.zeros(COUNTS, np.int64)
        self.now_ns = int(inputs[0, 3])

    def take(self, payload: memoryview, arrived_ns: int, wall_ns: int) -> int:
        assert arrived_ns <= wall_ns
        self.words[0] = self.inputs[int.from_bytes(payload, "little")]
        return TICKED

    def frame(self, number: int) -> tuple[memoryview, int]:
        """Return the frame of an input and when it arrives, which is now."""
        self.now_ns = max(self.now_ns, int(self.inputs[number, 3]))
        return memoryview(number.to_bytes(4, "little")), self.now_ns

    def connect(self, number: int) -> None:
        assert number > 0

    def clock(self) -> tuple[int, int]:
        return self.now_ns, self.now_ns


@dataclass
class Lines:
    """A log in memory."""

    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(("error", event, fields))

    def of(self, level: str) -> list[str]:
        return [f"{event} {fields}" for each, event, fields in self.lines if each == level]


@dataclass
class Supervised:
    """A session at work, `at`: the next frame."""

    session: Session
    supervisor: Supervisor
    tape: Tape
    log: Lines
    at: int = 0

    def take(self, count: int) -> None:
        """Take the next frames, and timers between them, unless the session leaves."""
        end = min(self.at + count, len(self.tape.inputs))
        while self.at < end and self.supervisor.stopping is None:
            self.supervisor.on_frame(1, *self.tape.frame(self.at))
            self.at += 1
            if self.at % TIMER_EVERY == 0:
                self.supervisor.on_timer()

    def take_until(self, true: Callable[[], bool]) -> None:
        """Take frames until something is true."""
        while not true():
            assert self.at < len(self.tape.inputs), "the inputs have come to their end"
            assert self.supervisor.stopping is None, self.log.of("error")
            self.take(1)

    def take_until_open(self) -> None:
        """Take frames until there is a position."""
        self.take_until(self.has_position)

    def take_until_flat(self) -> None:
        """Take frames until there is none."""
        self.take_until(lambda: not self.has_position())

    def has_position(self) -> bool:
        return bool(self.session.engine.instruments["core"]["position"]["quantity"].any())

    def is_halted(self) -> bool:
        """Return whether entries are halted, for the journal's sake."""
        halt = int(self.session.engine.desk[0]["account"]["halt"])
        assert halt in (codes.NOT_HALTED, codes.BY_JOURNAL)
        return halt == codes.BY_JOURNAL


def supervised(
    folder: Path,
    values: Mapping[str, Any],
    inputs: Words,
    disk: Disk,
    *,
    segment_records: int = 512,
    snapshot_interval_s: int = 3600,
    durable: bool = False,
    pipeline: Callable[[Path], Pipeline | None] = lambda _: None,
) -> Supervised:
    """Return a session that has begun, its feed healthy; `pipeline` makes one once the journal is there."""
    session = open_session(folder, values, segment_records=segment_records, disk=disk)
    tape, log = Tape(inputs), Lines()
    supervisor = Supervisor(
        session.runner,
        session.journal,
        [tape],
        tape,
        ExchangeClock(tape, tape.clock),
        log,
        save=session.save,
        snapshot_interval_ns=snapshot_interval_s * SECOND_NS,
        durable_orders=durable,
        pipeline=pipeline(folder),
    )
    supervisor.started(1)
    supervisor.start()
    supervisor.on_status(1, True, "receiving")
    return Supervised(session, supervisor, tape, log)
