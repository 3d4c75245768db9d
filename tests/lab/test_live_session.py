"""A whole session with orders, as a user runs it, on a lab that fails: laws of orders held against the lab's own book.

All sessions run at once, beside each other: they mostly wait.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from myquant.brokers.port import order_of_tag
from myquant.core import codes
from myquant.journal import record
from myquant.journal.record import Holding, Sent
from myquant.session.operator import HALT, RESUME, ask_session
from myquant.session.replay import replay
from session import book_laws
from session.forks import Child
from session.stage import Journal, Lab, Stage, journal_of, on_stage, until, write_dense_day


@dataclass(frozen=True)
class Case:
    """Faults of the lab, which of them it must have made, and whether positions are sold by others."""

    faults: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    killed: bool = False
    drops: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return (
            "-".join((*self.faults, *self.words, *self.drops, *self.values, *(["killed"] if self.killed else [])))
            or "sound"
        )


def of(*faults: str, **other: Any) -> Case:
    return Case(faults, tuple(fault.partition("=")[0] for fault in faults), **other)


CASES = [
    Case(),
    Case(killed=True),
    Case(drops=("drop", "drop_updates")),
    Case(values={"journal.durability": "power"}),
    of("order_timeout=0.1"),
    of("order_late=share:0.1,seconds:2"),
    of("order_lost=0.1"),
    of("ack_lost=0.2"),
    of("ack_lost=0.2", words=("--dedupe",)),
    of("order_429=0.1"),
    of("order_5xx=0.2"),
    of("order_garbage=0.2"),
    of("reject_late=0.2"),
    of("fill_then_silence=0.3"),
    of("update_duplicate=0.3", "update_reorder=0.3", "update_delay=share:0.3,seconds:1"),
    of("book_5xx=0.4"),
    of("square_off=after:7", values={"risk.max_rejects": 2}),
    of("manual_trade=after:7", values={"risk.max_rejects": 2}),
]
BY_OTHERS = {"square_off", "manual_trade"}  # after seven fills something is held
ORDERS = 12  # least that a session has to come to
AT_WORK_S = 20.0
QUIET_S = 30.0
# A position may be without a stop order while one that got lost is not given up yet: a second till it counts as unknown, the
# settle wait of 4 s and a look at the books each 2 s, then a second to the next try; twice, and a busy machine.
BARE_MAX_S = 2 * (1 + 4 + 2 + 1) + 4


@dataclass
class Play:
    """A session at work on its lab."""

    case: Case
    stage: Stage
    lab: Lab
    session: Child
    disturbed: bool = False

    def orders(self) -> int:
        return self.lab.counts().get("orders", 0)

    def go_on(self) -> None:
        """Do what a person does meanwhile: allow entries again; and what the case has to disturb."""
        status = self.stage.status()
        if status is not None and not status["entries"]["allowed"] and status["feed"]["healthy"]:
            ask_session(self.stage.session(), RESUME, "test")
        if self.disturbed or self.orders() < ORDERS // 2:
            return
        self.disturbed = True
        for each in self.case.drops:
            self.lab.post(each)
        if self.case.killed:
            self.session.send(signal.SIGKILL)
            assert self.session.wait() == -signal.SIGKILL
            self.session = self.stage.at_broker(self.lab, **_words(self.case))

    def is_quiet(self) -> bool:
        status = self.stage.status()
        if status is None:
            return False
        orders = status["orders"]
        is_idle = not any(each["position"] or each["order"] for each in status["instruments"])
        return is_idle and not orders["working"] and not orders["unknown"] and book_laws.is_flat(self.lab.orders())


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Play]]:
    with ExitStack() as stages:
        found = []
        for case in CASES:
            stage = stages.enter_context(on_stage(tmp_path_factory.mktemp("play"), write_dense_day))
            lab = stage.lab(*case.faults, speed=1.0, words=case.words)
            found.append(Play(case, stage, lab, stage.at_broker(lab, **_words(case))))
        work(found)
        yield {play.case.name: play for play in found}


def work(plays: list[Play]) -> None:
    """Let all of them work till each has made its orders and its faults."""
    deadline = time.monotonic() + AT_WORK_S
    waiting = list(plays)
    while waiting and time.monotonic() < deadline:
        time.sleep(0.3)
        for play in waiting:
            play.go_on()
        waiting = [play for play in waiting if not is_done(play)]


def is_done(play: Play) -> bool:
    counts = play.lab.counts()
    return counts.get("orders", 0) >= ORDERS and all(counts.get(name) for name in play.case.made)


def _words(case: Case) -> dict[str, Any]:
    return {name.replace(".", "__"): value for name, value in case.values.items()}


def sent_is_noted(journal: Journal, oracle: dict[str, Any], key: int, *, killed: bool) -> None:
    """Hold the notes of what was sent against the lab's book: all that came there was noted, after it was decided."""
    decided = {int(each["order_id"]): int(each["event_sequence"]) for each in journal.commands_of(codes.SUBMIT)}
    arrived = dict(zip(journal.events["sequence"].tolist(), journal.origins["arrived_ns"].tolist(), strict=True))
    noted: set[int] = set()
    for note in journal.notes_of(record.SENT):
        sent = Sent._make(note["values"][: len(Sent._fields)].tolist())
        assert note["instrument"] == 0
        assert sent.written_monotonic_ns > max(arrived[decided[sent.order_id]], 0)
        assert 0 <= sent.waited_ns < 5 * 10**9
        assert 1 <= sent.part <= sent.parts
        if note["code"] == record.SENT_SUBMIT:
            noted.add(sent.order_id)
    came = [order_of_tag(each["tag"], key) for each in oracle["orders"] if each["tag"]]
    assert {named[0] for named in came if named} <= noted or killed  # between a write and its note
    assert noted <= decided.keys()
    held = [Holding._make(each) for each in journal.notes_of(record.POSITION)["values"].tolist()]
    assert held
    assert all(0 <= each.rests <= each.bought and each.quantity > 0 and each.stop <= each.floor for each in held)


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_a_session_at_the_broker_keeps_the_laws(plays: dict[str, Play], name: str) -> None:
    play = plays[name]
    stage, folder, said = play.stage, play.stage.session(), play.stage.folder / "s.said"
    assert is_done(play), (play.lab.counts(), stage.said())
    ask_session(folder, HALT, "test")
    until(play.is_quiet, play.session, said, QUIET_S)
    play.session.send(signal.SIGTERM)
    assert play.session.wait() == 0, stage.said()
    found, engine = replay(folder)
    assert found.difference is None, found.difference
    held = book_laws.hold(play.lab.orders(), folder, engine, book_laws.key_of(folder), stage.said())
    assert held.filled >= 3, held
    assert held.bare_s <= BARE_MAX_S, held
    sent_is_noted(journal_of(folder), play.lab.orders(), book_laws.key_of(folder), killed=play.case.killed)
    if set(play.case.made) & BY_OTHERS:
        reasons = {codes.HALT_NAMES[int(reason)] for reason in journal_of(folder).commands_of(codes.HALTED)["reason"]}
        assert "foreign_trade" in reasons, reasons
        assert not reasons & {"margin", "rejects_in_a_row"}, reasons
    assert (folder / "shadow.json").exists()
