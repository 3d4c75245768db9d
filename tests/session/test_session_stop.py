"""Stopping a session and starting it again: signals, the operator, and what is not allowed."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from myquant.core import codes
from myquant.errors import MyquantError
from myquant.journal import record
from myquant.session.operator import ask_session
from session.forks import Child
from session.stage import SYMBOL, Lab, Stage, assert_sound, journal_keys, on_stage, source_keys, until

SPEED = 300.0  # the afternoon in 20 seconds


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as found:
        yield found


def reach(stage: Stage, child: Child, what: Any) -> dict[str, Any]:
    """Wait until what a session says of itself is as wished, and return it."""
    found: dict[str, Any] = {}

    def reached() -> bool:
        status = stage.status()
        if status is not None:
            found.update(status)
        return status is not None and what(status)

    until(reached, child, stage.folder / "s.said")
    return found


def has_position(status: dict[str, Any]) -> bool:
    return status["instruments"][0]["position"] is not None


def allows_entries(status: dict[str, Any]) -> bool:
    return bool(status["entries"]["allowed"])


def started(stage: Stage, **values: Any) -> tuple[Lab, Child, dict[str, Any]]:
    lab = stage.lab(speed=SPEED)
    child = stage.paper(lab, **values)
    return lab, child, reach(stage, child, has_position)


@pytest.mark.parametrize(("number", "on_stop"), [(signal.SIGTERM, "keep"), (signal.SIGINT, "flatten")])
def test_a_signal_stops_it_and_it_goes_on_later(stage: Stage, number: signal.Signals, on_stop: str) -> None:
    lab, child, _ = started(stage, execution__on_stop=on_stop)
    child.send(number)
    assert child.wait() == 0, stage.said()
    assert "The session is not over" in stage.said()
    journal = assert_sound(stage.session())
    (stopped,) = journal.notes_of(record.STOPPED)
    assert stopped["code"] == 0
    closed = journal.commands_of(codes.TRADE_CLOSED)
    entered = journal.commands_of(codes.POSITION_OPENED)["quantity"].sum()
    if on_stop == "flatten":
        assert closed["quantity"].sum() == entered
        assert codes.EXIT_NAMES[int(closed["reason"][-1])] == "operator"
    else:
        assert closed["quantity"].sum() < entered
    again = stage.paper(lab, execution__on_stop=on_stop)
    reach(stage, again, lambda status: allows_entries(status) and has_position(status))
    assert "goes on" in stage.said()
    again.send(signal.SIGTERM)
    assert again.wait() == 0
    journal = assert_sound(stage.session())
    assert len(journal.notes_of(record.STARTED)) == 2
    if on_stop == "flatten":  # what is open now was entered by the second process
        assert len(journal.commands_of(codes.POSITION_OPENED)) > 1


def test_a_stop_leaves_no_entry_behind_and_what_is_held_protected(stage: Stage) -> None:
    lab = stage.lab(speed=SPEED)
    slow: dict[str, Any] = {
        "execution__latency_ms": 4000,
        "execution__order_timeout_s": 60,
        "execution__order_life_s": 3600,
    }
    child = stage.paper(lab, execution__on_stop="keep", execution__fill_model="limit", **slow)
    reach(stage, child, lambda status: status["instruments"][0]["order"] is not None)  # it takes long to arrive
    child.send(signal.SIGTERM)
    assert child.wait() == 0, stage.said()
    journal = assert_sound(stage.session())
    buys = [row for row in journal.commands_of(codes.SUBMIT) if row["side"] == codes.BUY]
    assert buys
    ended = {
        int(event["order_id"])
        for event in journal.events
        if event["kind"] in (codes.CANCELLED, codes.ORDER_REJECT, codes.FILL)
    }
    assert int(buys[-1]["order_id"]) in ended
    assert "leaves with orders at work" not in stage.said()
    said = [json.loads(line)["event"] for line in (stage.session() / "log.jsonl").read_text().splitlines()]
    assert "halted" not in said  # the stop's own wish


def test_a_second_signal_does_not_wait_for_positions(stage: Stage) -> None:
    lab = stage.lab(speed=SPEED)
    child = stage.paper(lab, execution__on_stop="flatten", execution__fill_model="limit")
    reach(stage, child, has_position)
    lab.child.send(signal.SIGSTOP)  # no market, no fills
    reach(stage, child, lambda status: has_position(status) and not status["feed"]["healthy"])
    child.send(signal.SIGTERM)
    until(lambda: "signal" in stage.said(), child, stage.folder / "s.said")
    reach(stage, child, has_position)
    child.send(signal.SIGTERM)
    assert child.wait(5) == 0
    assert "hurry=True" in stage.said()
    assert re.search(rf"the session leaves with orders at work orders={SYMBOL}: .* waited_s=", stage.said())
    journal = assert_sound(stage.session())
    sides = dict(journal.commands_of(codes.SUBMIT)[["order_id", "side"]].tolist())
    fills = journal.events[journal.events["kind"] == codes.FILL]
    filled = dict(fills[["order_id", "quantity"]].tolist())  # totals: the last one of each order
    assert sum(sides[order_id] * units for order_id, units in filled.items()) > 0  # it stopped with a position


def test_the_operator_halts_resumes_flattens_and_stops(stage: Stage) -> None:
    _, child, status = started(stage)
    assert status["session"] == "s"
    assert status["kind"] == "paper"
    assert status["pid"] == child.pid
    assert status["feed"]["healthy"]
    assert status["entries"] == {"allowed": True, "reason": "", "broker_funds_paise": None}
    assert (status["errors"], status["last_error"]) == (0, None)
    (instrument,) = status["instruments"]
    assert instrument["symbol"] == SYMBOL
    assert instrument["ticks"] > 0
    assert instrument["position"]["stop_paise"] < instrument["position"]["entry_price_paise"]
    folder = stage.session()
    assert "no new entries; 1 open" in ask_session(folder, "halt", "a test")["message"]
    assert reach(stage, child, bool)["entries"]["reason"] == "halted: operator"
    assert ask_session(folder, "resume")["message"] == "entries are allowed again"
    assert reach(stage, child, bool)["entries"]["allowed"]
    reach(stage, child, has_position)
    assert ask_session(folder, "flatten")["message"] == "all positions are told to close; entries wait for resume"
    status = reach(stage, child, bool)
    assert not has_position(status)
    assert status["entries"]["reason"] == "flattened by the operator"
    assert ask_session(folder, "stop")["message"] == "the session stops"
    assert child.wait() == 0
    journal = assert_sound(folder)
    asked = journal.events[journal.events["kind"] == codes.OPERATOR]["code"].tolist()
    assert asked == [codes.ASK_HALT, codes.ASK_RESUME, codes.ASK_FLATTEN]
    with pytest.raises(MyquantError, match="no session runs here"):
        ask_session(folder, "status")


def test_a_second_process_and_another_configuration_are_refused(stage: Stage) -> None:
    lab, child, _ = started(stage)
    assert stage.paper(lab).wait() == 4, stage.said()
    assert f"process {child.pid} writes this journal: stop it first" in stage.said()
    assert_lives(stage, child)
    assert stage.paper(lab, risk__base_sl_points=7).wait() == 2
    assert "a session of another configuration is there: risk.base_sl_points was 15.0, is 7" in stage.said()
    assert_lives(stage, child)
    child.send(signal.SIGTERM)
    assert child.wait() == 0
    assert len(assert_sound(stage.session()).notes_of(record.STARTED)) == 1


def test_one_that_was_killed_goes_on_and_one_that_has_ended_does_not(stage: Stage) -> None:
    lab = stage.lab("mute=after:3000")  # of the first connection
    killed = stage.paper(lab, feed__stall_s=30)
    taken = -1

    def has_taken_all(status: dict[str, Any]) -> bool:
        """Return whether nothing came between two looks, each a turn of its loop and of the lab's, after the last packet."""
        nonlocal taken
        before, taken = taken, status["journal"]["records"]
        return lab.counts().get("mute") == 1 and before == taken > 0

    reach(stage, killed, has_taken_all)
    killed.send(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert stage.paper(lab, feed__stall_s=30).wait() == 0, stage.said()
    journal = assert_sound(stage.session())
    assert len(journal.notes_of(record.STARTED)) == 2
    assert set(journal_keys(journal)) <= source_keys(stage.ticks)
    counts = lab.counts()  # the lab's day goes on while it is mute, and when it is cut
    missed = counts["packets_withheld"] + counts.get("packets_unheard", 0)
    assert len(journal.ticks()) >= len(source_keys(stage.ticks)) - missed
    assert len(journal.ticks()) > 1000
    assert stage.paper(lab, feed__stall_s=30).wait() == 2
    assert "this session has ended" in stage.said()


def assert_lives(stage: Stage, child: Child) -> int:
    """Hold that a session takes ticks, and return how many it took."""
    before = stage.status()
    assert before is not None
    ticks = int(before["instruments"][0]["ticks"])
    after = reach(stage, child, lambda status: status["instruments"][0]["ticks"] > ticks)
    return int(after["instruments"][0]["ticks"])
