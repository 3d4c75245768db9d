"""Whole sessions: what they tell a service manager, and what their journals say of them, second after second."""

import gc
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from laws import wired
from myquant.core import codes
from myquant.journal.record import BEAT, LEDGER, TELEMETRY, Ledger, Telemetry
from myquant.session.channels import QUEUE_MAX
from myquant.session.handoff import RING_BYTES
from session.stage import Journal, Stage, assert_sound, journal_of, on_stage, until

SPEED = 300.0  # the afternoon in twenty seconds
LONG = {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "9000000"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as found:
        yield found


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind("")  # a name of the kernel's choice
        yield sock


def told(manager: socket.socket, so_far: list[str]) -> list[str]:
    """Return all that a manager was told so far."""
    while True:
        try:
            so_far.append(manager.recv(4096).decode())
        except BlockingIOError:
            return so_far


def environments_of_children(pid: int) -> list[bytes]:
    children = [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return [Path(f"/proc/{child}/environ").read_bytes() for child in children]


def telemetry_of(journal: Journal) -> list[Telemetry]:
    return [Telemetry(*note["values"].tolist()) for note in journal.notes_of(TELEMETRY)]


def ledgers_of(journal: Journal) -> list[Ledger]:
    return [Ledger(*note["values"].tolist()) for note in journal.notes_of(LEDGER)]


def test_a_session_under_a_service_manager(stage: Stage, manager: socket.socket) -> None:
    lab = stage.lab(speed=SPEED)
    lab.environ |= LONG | {"NOTIFY_SOCKET": "@" + manager.getsockname()[1:].decode()}
    session = stage.paper(lab, pipeline__handoff="ring", pipeline__logging="async")
    so_far: list[str] = []
    until(lambda: told(manager, so_far).count("WATCHDOG=1") >= 3, session, stage.folder / "s.said")
    children = environments_of_children(session.pid)
    assert len(children) == 2  # the log's writer, and the feed's reader
    assert [each for each in children if b"NOTIFY_SOCKET" in each or b"WATCHDOG" in each] == []
    assert "STOPPING=1" not in so_far
    os.kill(session.pid, signal.SIGTERM)
    assert session.wait() == 0, stage.said()
    said = [line for line in told(manager, so_far) if not line.startswith("EXTEND") and "compiling" not in line]
    assert (said[0], said[1], said[-1]) == ("READY=1", "WATCHDOG=1", "STOPPING=1")
    assert any(line.startswith("STATUS=") and "entries are allowed" in line for line in said)
    journal = assert_sound(stage.session())
    assert (
        len(journal.notes_of(BEAT)) == len(telemetry_of(journal)) == len(ledgers_of(journal)) - 1 >= 3
    )  # and one at its end


def _hands_over(journal: Journal, room: int) -> None:
    found = telemetry_of(journal)
    assert {each.queue_room for each in found} == {room}
    assert all(0 <= each.queue_depth <= room for each in found)
    assert any(each.queue_depth > 0 for each in found) == (room > 0)


@pytest.mark.parametrize(("kind", "room"), [("callback", 0), ("queue", QUEUE_MAX), ("ring", RING_BYTES)])
def test_what_a_journal_says_of_its_session(stage: Stage, kind: str, room: int) -> None:
    session = stage.paper(stage.lab(speed=4 * SPEED), pipeline__handoff=kind)
    assert session.wait() == 0, stage.said()
    journal = assert_sound(stage.session())
    _hands_over(journal, room)
    found, ledgers = telemetry_of(journal), ledgers_of(journal)
    assert [each.channel_down_ns or each.looked_ns or each.bare_ns for each in found] == [0] * len(found)
    assert ledgers[-1].trades == len(journal.commands_of(codes.TRADE_CLOSED))
    assert ledgers[-1].cash == int(journal.commands_of(codes.TRADE_CLOSED)[-1]["cash"])  # all is closed at the end
    assert ledgers[-1].equity == ledgers[-1].cash
    _stamps_are_sound(journal, found)


def _stamps_are_sound(journal: Journal, found: list[Telemetry]) -> None:
    kinds, origins = journal.events["kind"], journal.origins
    packets = np.isin(kinds, (codes.TICK, codes.QUOTE))
    assert (origins["decoded_ns"] >= origins["arrived_ns"]).all()
    assert (origins["decoded_ns"][packets] > 0).all()
    assert not origins["decoded_ns"][~packets].any()
    spent: Any = origins["spent_ns"][origins["spent_ns"] != 0]
    assert len(spent) in (packets.sum() - 1, packets.sum())  # each tells once; the last may have had nobody to tell it
    assert spent.max() <= max(each.spent_max_ns for each in found)


def test_a_session_leaves_no_listener_to_the_collector() -> None:
    before = list(gc.callbacks)
    assert wired.session({}).lines
    assert gc.callbacks == before


def test_at_a_broker_the_books_are_told_of(stage: Stage) -> None:
    session = stage.at_broker(stage.lab(speed=4 * SPEED))
    until(lambda: stage.status() is not None, session, stage.folder / "s.said")
    until(lambda: len(telemetry_of(journal_of(stage.session()))) > 1, session, stage.folder / "s.said")
    os.kill(session.pid, signal.SIGTERM)
    session.wait()
    found = telemetry_of(assert_sound(stage.session()))
    assert found[-1].looked_ns > 0
    assert (found[-1].channel_down_ns, found[-1].differences) == (0, 0)
