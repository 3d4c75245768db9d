"""Callback, queue and ring: what a feed says comes in its order, nothing of it is lost in silence, and it ends when told to."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myquant.brokers.packets import HANDOFF_FULL, REASON_NAMES
from myquant.brokers.port import FeedCalls
from myquant.core import codes
from myquant.journal.disk import DISK
from myquant.journal.reader import JournalReader, notes
from myquant.journal.record import COUNTS, NOTE_VALUES
from myquant.session import handoff as handoffs
from myquant.session.channels import FRAME, QueueChannel, RingChannel
from myquant.session.handoff import ENDED, GOES_ON, HANGS, NOT_BEGUN, POLL_S
from myquant.session.loop import SessionLoop
from myquant.session.quick_loop import run_loop
from myquant.session.reader import LOOK_S, Reader
from myquant.session.spsc import Ring
from session.played_feed import ENVIRON, KINDS, Heard, Played, handed, has_ended, reader_pid, until
from session.sessions import RICH, decisions
from session.supervised import market_inputs, supervised

READ: Any = ("queue", "ring")


def run(coroutine: Any) -> Any:
    return run_loop(asyncio.wait_for(coroutine, 60))


async def play(kind: str, played: Played, heard: Heard, calls: FeedCalls | None = None) -> None:
    """Play all, and close."""
    handoff = handed(kind, played, heard, calls)
    handoff.start()
    await until(lambda: any(said.startswith(played.at_end) for said in heard.texts()))
    await handoff.aclose()


@pytest.fixture(scope="module")
def straight() -> Heard:
    """What is heard of 1,500 frames without a hand-off."""
    heard = Heard()
    run(play("callback", Played(1500), heard))
    return heard


@pytest.mark.parametrize("kind", READ)
def test_all_that_a_feed_says_comes_in_its_order(kind: str, straight: Heard) -> None:
    heard = Heard()
    run(play(kind, Played(1500), heard))
    assert heard.frames() == list(range(1500))
    assert heard.said == straight.said
    assert len(heard.statuses()) > 6
    assert heard.texts()[-2:] == ["all played; expects True", "closed"]
    assert heard.lost == 0
    arrived, handed_ns = np.array(heard.handed_ns).T
    assert (arrived <= handed_ns).all()
    assert (np.diff(handed_ns) >= 0).all()
    counts = heard.handoff.counts()  # type: ignore[union-attr]  # it was set
    assert 0 < counts.high_water <= counts.capacity
    assert (counts.depth, counts.dropped) == (0, 0)


def test_straight_from_the_socket_nobody_hands_over(straight: Heard) -> None:
    assert {handed_ns for _, handed_ns in straight.handed_ns} == {0}
    assert straight.handoff.counts() == (0, 0, 0, 0)  # type: ignore[union-attr]  # it was set


def test_decisions_and_inputs_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    """The clocks follow the tape, so even the times of receipt are."""
    inputs = market_inputs(8, 1500)
    journals: dict[str, Any] = {}
    for kind in KINDS:
        stage = supervised(tmp_path / kind, RICH, inputs, DISK)

        def take(connection: int, payload: memoryview, _: int, stage: Any = stage) -> None:
            number = int.from_bytes(payload, "little")
            stage.supervisor.on_frame(connection, payload, stage.tape.frame(number)[1])
            if number % 10 == 9:
                stage.supervisor.on_timer()

        heard = Heard(also=take)
        calls = heard.calls()._replace(on_status=stage.supervisor.on_status)
        run(play(kind, Played(len(inputs)), heard, calls))
        stage.session.journal.close()
        journals[kind] = decisions(stage.session.folder)
    reference = journals["callback"]
    assert len(reference) > len(inputs)
    assert (reference[:, 1] == codes.FEED_STATUS).sum() > 5
    for kind in READ:
        assert journals[kind].tobytes() == reference.tobytes()


@pytest.mark.parametrize("kind", READ)
def test_closing_takes_what_was_handed_over_and_then_calls_nobody(kind: str) -> None:
    async def scenario() -> None:
        heard = Heard()
        handoff: Any = handed(kind, Played(3000), heard)
        handoff.start()
        for task in handoff._tasks:  # as if the session were busy: nothing is taken for a while
            task.cancel()
        await until(lambda: handoff.counts().depth)
        assert heard.said == []
        began = time.monotonic()
        await handoff.aclose()
        assert time.monotonic() - began < 10
        assert has_ended(handoff)
        assert heard.frames() == list(range(len(heard.frames()))) != []
        assert heard.texts()[-1] == "closed"
        assert handoff.failure is None
        said = len(heard.said)
        await asyncio.sleep(20 * POLL_S)
        assert len(heard.said) == said
        await handoff.aclose()

    run(scenario())


def test_a_reader_that_ends_because_it_was_told_to_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoffs, "WATCH_NS", 0)
    monkeypatch.setattr(handoffs, "ENDING_S", 0.1)  # so that others see first that it has ended

    async def scenario() -> None:
        heard = Heard()
        handoff = handed("queue", Played(10), heard)
        handoff.start()
        await until(lambda: len(heard.frames()) == 10)
        await handoff.aclose()
        assert handoff.failure is None
        assert heard.statuses()[-1] == (True, "receiving")

    run(scenario())


def test_one_that_was_never_started_can_be_closed() -> None:
    for kind in READ:
        handoff = handed(kind, Played(1), Heard())
        run(handoff.aclose())
        assert handoff.counts().dropped == 0


@pytest.mark.parametrize("kind", READ)
def test_what_finds_no_room_is_counted_and_no_change_of_state_is_lost(kind: str) -> None:
    """Nothing is taken while more is said than there is room for."""

    async def scenario() -> None:
        ring = Ring.create(4096)
        channel: Any = QueueChannel(100) if kind == "queue" else RingChannel(ring)
        reader = Reader(Played(1500), channel, ENVIRON)
        reading = asyncio.ensure_future(reader.run())
        await until(lambda: channel.lost)
        for _ in range(20):
            await asyncio.sleep(0)
        heard = []
        while "closed" not in heard:
            while (found := channel.get()) is not None:
                heard.append(bytes(found[4]) if found[0] == FRAME else str(found[4], "utf-8"))
            await asyncio.sleep(LOOK_S / 4)
            if any(str(each).startswith("all played") for each in heard):
                reader.stop()
        await reading
        numbers = [int.from_bytes(each, "little") for each in heard if isinstance(each, bytes)]
        assert len(numbers) + channel.lost == 1500
        assert channel.counts().dropped == channel.lost > 100
        assert numbers == sorted(set(numbers))
        texts = [each for each in heard if isinstance(each, str)]
        assert texts == [
            "not connected yet",
            "receiving",
            *[
                "said at 0",
                "said at 150",
                "said at 300",
                "dropped at 399: ₹",
                "receiving",
                "said at 450",
                "said at 600",
            ],
            *["said at 750", "dropped at 799: ₹", "receiving", "said at 900", "said at 1050", "dropped at 1199: ₹"],
            *["receiving", "said at 1200", "said at 1350", "all played; expects False", "closed"],
        ]
        ring.close()

    run(scenario())


def test_losses_reach_the_journal_and_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoffs, "QueueChannel", lambda: QueueChannel(100))
    stage = supervised(tmp_path / "s", RICH, market_inputs(8, 1500), DISK)
    loop = SessionLoop(stage.supervisor, tmp_path, "s", lambda _: None, flatten_on_stop=False, hide=lambda _: None)

    async def scenario() -> int:
        heard = Heard()
        handoff: Any = handed("queue", Played(1500), heard)
        handoff._on_lost = loop.on_lost
        handoff.start()
        time.sleep(0.5)  # noqa: ASYNC251  (the session is to be busy)
        await until(lambda: any(said.startswith("all played") for said in heard.texts()))
        await handoff.aclose()
        assert handoff.counts().dropped + len(heard.frames()) == 1500
        return int(handoff.counts().dropped)

    lost = run(scenario())
    assert lost > 0
    stage.supervisor.stopped(0)
    stage.session.journal.close()
    assert stage.supervisor.counts()[HANDOFF_FULL] == lost
    told = [fields["frames"] for level, event, fields in stage.log.lines if event == "the hand-off was full"]
    assert sum(told) == lost
    (block,) = JournalReader(stage.session.folder).blocks()
    noted = [note["body"] for note in notes(block) if note["body"]["kind"] == COUNTS]
    (last,) = [note["values"][HANDOFF_FULL - NOTE_VALUES] for note in noted if note["code"] == NOTE_VALUES][-1:]
    assert (REASON_NAMES[HANDOFF_FULL], last) == ("handoff_full", lost)


def test_a_reader_that_is_killed_is_a_failure_and_makes_the_feed_stale() -> None:
    async def scenario() -> None:
        heard = Heard()
        handoff = handed("ring", Played(100), heard)
        handoff.start()
        await until(lambda: len(heard.frames()) == 100)
        assert handoff.failure is None
        os.kill(reader_pid(handoff), signal.SIGKILL)
        await until(lambda: handoff.failure)
        assert str(handoff.failure) == "the feed: its reader has ended with code -9: start the session again"
        assert heard.statuses()[-2:] == [(True, "receiving"), (False, ENDED)]
        await asyncio.sleep(0.3)
        assert heard.statuses()[-2:] == [(True, "receiving"), (False, ENDED)]  # told once
        await handoff.aclose()

    run(scenario())


def test_what_a_reader_said_before_it_died_is_taken_first() -> None:
    async def scenario() -> None:
        heard = Heard()
        handoff = handed("ring", Played(2000, stays=False), heard)
        handoff.start()
        await until(lambda: handoff.failure)
        assert heard.frames() == list(range(2000))
        assert heard.said[-2:] == [("text", 2, "all played; expects True"), ("status", 1, False, ENDED)]
        await handoff.aclose()

    run(scenario())


def test_a_reader_that_hangs_makes_the_feed_stale_till_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoffs, "HANG_MIN_S", 0.3)

    async def scenario() -> None:
        heard = Heard()
        handoff = handed("ring", Played(100), heard, stall_s=0.0)
        handoff.start()
        await until(lambda: len(heard.frames()) == 100)
        os.kill(reader_pid(handoff), signal.SIGSTOP)
        await until(lambda: heard.statuses()[-1] == (False, HANGS))
        assert handoff.failure is None
        os.kill(reader_pid(handoff), signal.SIGCONT)
        await until(lambda: heard.statuses()[-1] == (True, GOES_ON))
        os.kill(reader_pid(handoff), signal.SIGSTOP)
        await handoff.aclose()  # it does not end by itself
        assert has_ended(handoff)

    run(scenario())


@pytest.mark.parametrize("kind", READ)
def test_a_reader_that_does_not_begin_is_named_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoffs, "START_MIN_S", 0.3)
    monkeypatch.setattr(handoffs, "HANG_MIN_S", 0.0)

    async def scenario() -> None:
        heard = Heard()
        handoff = handed(kind, Played(0, refusal="hangs"), heard, stall_s=0.0)
        began_ns = time.monotonic_ns()
        handoff.start()
        await until(heard.statuses)
        assert time.monotonic_ns() - began_ns > 300_000_000
        await asyncio.sleep(0.3)
        assert heard.said == [("status", 1, False, NOT_BEGUN)]
        assert handoff.failure is None
        await handoff.aclose()

    run(scenario())


def test_a_reader_that_begins_late_goes_on_as_any() -> None:
    async def scenario() -> None:
        heard = Heard()
        handoff: Any = handed("ring", Played(10), heard)
        handoff._start_ns = 0  # no start is quick enough
        handoff.start()
        await until(lambda: len(heard.frames()) == 10)
        await handoff.aclose()
        assert heard.statuses()[0] == (False, NOT_BEGUN)
        assert heard.statuses()[-1][0]

    run(scenario())


@pytest.mark.parametrize("kind", READ)
def test_why_a_feed_can_not_be_opened_is_told(kind: str) -> None:
    async def scenario(played: Played) -> str:
        handoff = handed(kind, played, Heard())
        handoff.start()
        await until(lambda: handoff.failure)
        await until(lambda: has_ended(handoff))
        await asyncio.sleep(0.2)
        await handoff.aclose()
        return str(handoff.failure)

    assert run(scenario(Played(0, refusal="the key: wrong; correct it"))) == "the key: wrong; correct it"
    defect = run(scenario(Played(0, refusal="defect")))
    assert defect.startswith("the feed's reader broke: RuntimeError in session.played_feed:")
    assert defect.endswith(": report it")


@pytest.mark.parametrize("kind", READ)
def test_a_feed_that_gives_up_says_so_and_its_reader_goes_on(kind: str) -> None:
    async def scenario() -> None:
        heard = Heard()
        handoff = handed(kind, Played(100, fails=True), heard)
        handoff.start()
        await until(lambda: handoff.failure)
        assert str(handoff.failure) == "the feed has given up"
        assert not has_ended(handoff)
        assert heard.frames() == list(range(100))
        await handoff.aclose()

    run(scenario())


def test_a_defect_in_what_takes_frames_is_a_failure() -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect")

    async def scenario() -> None:
        heard = Heard(also=broken)
        handoff = handed("queue", Played(100), heard)
        handoff.start()
        await until(lambda: handoff.failure)
        assert "ZeroDivisionError: a defect" in str(handoff.failure)
        assert heard.statuses()[-1] == (False, ENDED)
        heard.also = lambda *_: None
        await handoff.aclose()

    run(scenario())


CHILD = """
import asyncio, sys, time
from session.played_feed import Heard, Played, handed, reader_pid
async def main():
    handoff = handed("ring", Played(10), heard := Heard())
    handoff.start()
    while len(heard.frames()) < 10:
        await asyncio.sleep(0.01)
    print(reader_pid(handoff), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_reader_ends_with_its_session_however_that_ends() -> None:
    environ = os.environ | ENVIRON
    with subprocess.Popen([sys.executable, "-c", CHILD], env=environ, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        reader = Path("/proc") / session.stdout.readline().strip()
        command = (reader / "cmdline").read_bytes().split(b"\0")
        assert command[1:4] == [b"-P", b"-m", b"myquant.session.reader"]
        session.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 30
        while (reader / "stat").exists() and (reader / "stat").read_text().split()[2] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.01)
