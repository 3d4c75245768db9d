"""Drills: a fault is raised, told on every channel, resolved, and its end is told.

Bounds are what docs/monitoring.md promises, and `SLACK_S` besides: the machine of a test has much else to do.
"""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.drill import FLAT, HOLDING, QUICK, Drill, Report, kill, on_drill, stopped, wait
from monitor.loose_lab import loose_lab
from monitor.mishaps import a_victim, fill, small_disk
from monitor.sinks import HANGS, REFUSES
from monitor.watched import note
from myquant.journal import record
from myquant.journal.record import NOTE
from myquant.journal.writer import JournalWriter
from myquant.lab.angelone.faults import Faults
from myquant.lab.angelone.order_faults import OrderLost, RejectLate
from myquant.monitor.alert import RAISED, RESOLVED
from myquant.monitor.finding import CRITICAL, WARNING
from myquant.session.operator import RESUME, ask_session
from session.stage import SYMBOL, write_day

SLACK_S = 10.0
DEAD_S = 2.0
FROZEN_S = float(QUICK["monitor.silence_s"]) + 1
# `session.stage.LIVELY` has a feed.stall_s of half a second
FEED_S = max(0.5 + float(QUICK["monitor.feed_stale_s"]), float(QUICK["monitor.feed_age_s"])) + 1
LOOKS_S = 2.0  # what is looked at once a second
BEAT_S = 1.0  # a session notes how it stands so often
LOOKS = 5

pytestmark = pytest.mark.xdist_group("drills")


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    with on_drill(tmp_path) as found:
        yield found


def assert_in_time(report: Report, fault_ns: int, promised_s: float) -> None:
    for what, after_s in report.after_s(fault_ns).items():
        assert -0.1 < after_s < promised_s + SLACK_S, (what, after_s)


def assert_told_once(drill: Drill) -> None:
    """Hold that no message has come twice."""
    for name in drill.sinks.of:
        told = Counter(each.message_id for each in drill.sinks.arrivals(name))
        assert set(told.values()) <= {1}, (name, drill.sinks.arrivals(name))


def test_a_session_that_freezes_is_cut_off_and_dies(drill: Drill) -> None:
    stage = drill.stage
    lab = stage.lab(speed=4)
    sessions = {"held": stage.at_broker(lab, name="held", **HOLDING), "flat": stage.paper(lab, name="flat", **FLAT)}
    drill.watch()
    drill.holds("held")
    drill.is_fed("flat")
    with stopped(sessions["flat"]) as fault_ns:
        frozen = drill.raised("engine_frozen", "flat")
        assert_in_time(frozen, fault_ns, FROZEN_S)
    drill.resolved(frozen)

    with stopped(lab.child) as fault_ns:
        cut = {name: drill.raised("feed_stale", name) for name in sessions}
    for name, severity in (("held", CRITICAL), ("flat", WARNING)):
        assert cut[name].alert.severity == severity
        assert_in_time(cut[name], fault_ns, FEED_S)
        drill.resolved(cut[name])

    dead = {}
    for name, session in sessions.items():
        fault_ns = kill(session)
        dead[name] = drill.raised("engine_dead", name)
        assert_in_time(dead[name], fault_ns, DEAD_S)
        assert dead[name].arrivals["hook"].title == dead[name].arrivals["mail"].title
    assert (
        dead["held"]
        .arrivals["mail"]
        .title.startswith(
            f"CRITICAL held (live): engine_dead: ITS PROCESS IS GONE AND IT HOLDS 75 {SYMBOL}: IT IS PROTECTED BY STOP ORDER"
        )
    )
    assert dead["flat"].arrivals["mail"].title.endswith("is gone without a word; it held nothing")
    stage.at_broker(lab, name="held", **HOLDING)
    stage.paper(lab, name="flat", **FLAT)
    for each in dead.values():
        drill.resolved(each)
    assert {(each.rule, each.session) for each in drill.alerts()} == {
        ("engine_frozen", "flat"),
        *((rule, name) for rule in ("feed_stale", "engine_dead") for name in sessions),
    }
    assert_told_once(drill)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    def long_day(path: Path) -> Path:
        return write_day(path, count=40_000)

    with small_disk(tmp_path / "runs", mib=6) as is_there, on_drill(tmp_path, write=long_day) as drill:
        if not is_there:
            pytest.skip("only a superuser who may mount can make a small disk")
        lab = drill.stage.lab(speed=120)  # 760 ticks a second, for 52 seconds
        session = drill.stage.paper(lab)
        drill.watch()
        drill.is_fed("s")
        fault_ns = fill(filler := tmp_path / "runs" / "filler")
        low = drill.raised("disk_low", "s", subject="disk")
        assert low.alert.severity == CRITICAL
        assert_in_time(low, fault_ns, LOOKS_S)
        assert session.wait() == 4
        halted = drill.raised("halted", "s")
        assert halted.alert.severity == CRITICAL
        failed = drill.raised("session_failed", "s")
        assert "EXIT CODE 4" in failed.arrivals["mail"].title.upper()
        assert {"disk_low", "session_failed"} <= {each.rule for each in drill.firing()}
        filler.unlink()
        drill.resolved(low)
        drill.stage.paper(lab)
        drill.resolved(failed)
        wait("the halt goes on", lambda: [each.rule for each in drill.firing()] == ["halted"])
        ask_session(drill.stage.session(), RESUME, "test")
        lost = {"ticks_dropped"}  # lines of the log that a full disk cost are told for a minute
        wait("nothing else is wrong any more", lambda: {each.rule for each in drill.firing()} <= lost)
        drill.resolved(halted)
        assert_told_once(drill)


def counts_anew(drill: Drill) -> bool:
    """Resume; what was refused before may count later, once the broker's books have been looked at: then once more."""
    ask_session(drill.stage.session("held"), RESUME, "test")
    time.sleep(2 * BEAT_S)
    return not drill.is_firing("rejects_in_a_row", "held", WARNING)


def test_orders_that_are_refused_lost_or_not_ours(drill: Drill) -> None:
    bare_s, unknown_s = (float(QUICK[f"monitor.{name}"]) for name in ("bare_s", "unknown_s"))
    with loose_lab() as lab:
        session = drill.stage.at_broker(lab, name="held", **HOLDING, broker__settle_s=2, broker__reconcile_s=1)
        drill.watch()
        wait("it is protected", lambda: lab.is_protected() or session.poll())

        lab.make(Faults(reject_late=RejectLate(1.0)))
        fault_ns = lab.cancel_stops()
        bare = drill.raised("position_bare", "held", subject=SYMBOL)
        assert_in_time(bare, fault_ns, bare_s + LOOKS_S)
        rejects = drill.raised("rejects_in_a_row", "held")
        lab.make()
        drill.resolved(bare)
        wait("none refused counts", lambda: counts_anew(drill))
        drill.resolved(rejects)
        wait("it is protected again", lab.is_protected)

        lab.make(Faults(order_lost=OrderLost(1.0)))
        fault_ns = lab.cancel_stops()
        unknown = drill.raised("order_unknown", "held")
        assert_in_time(unknown, fault_ns, unknown_s + LOOKS_S)
        lab.make()
        drill.resolved(unknown)
        wait("it is protected again", lab.is_protected)

        fault_ns = lab.trade(75)
        differ = drill.raised("halted", "held")  # it may have been halted before, for the order without an answer
        wait("it has halted for that", lambda: drill.is_firing("halted", "held", CRITICAL))
        assert time.time_ns() - fault_ns < (1 + LOOKS_S + SLACK_S) * 1e9
        ask_session(drill.stage.session("held"), RESUME, "test")
        drill.resolved(differ)
        assert_told_once(drill)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with a_victim(tmp_path / "runs" / "victim") as process:
        yield process


def test_channels_that_are_down_hang_or_refuse(tmp_path: Path, victim: "subprocess.Popen[bytes]") -> None:
    """Each is told on those that work; once it works again what waited arrives, and that it was down, and is not any more."""
    sound, broken = ("hook", "mail"), {"gone": "", "mute": HANGS, "wrong": REFUSES, "mail_later": REFUSES}
    attempts, attempt_s = int(QUICK["alerts.down_after"]), float(QUICK["alerts.attempt_s"])
    with on_drill(tmp_path, *sound, *broken) as drill:
        drill.sinks.close("gone")
        for name, trouble in broken.items():
            drill.sinks.of[name].trouble = trouble
        drill.watch()
        victim.kill()
        fault_ns = time.time_ns()
        dead = drill.raised("engine_dead", "victim", channels=sound)
        assert_in_time(dead, fault_ns, DEAD_S)
        down = {name: drill.raised("channel_down", subject=name, channels=sound) for name in broken}
        for each in down.values():
            assert_in_time(each, dead.alert.raised_ns, attempts * attempt_s + float(QUICK["alerts.retry_max_s"]))
        assert not any(drill.sinks.arrivals(name) for name in broken)

        drill.sinks.open("gone")
        for name in broken:
            drill.sinks.of[name].trouble = ""
        for name, each in down.items():
            drill.resolved(each, channels=[other for other in drill.sinks.of if other != name])
        drill.told(dead.alert, RAISED)
        assert {each.rule for each in drill.firing()} == {"engine_dead"}
        assert_told_once(drill)


def test_a_monitor_that_is_killed_forgets_nothing_and_repeats_nothing(
    tmp_path: Path, victim: "subprocess.Popen[bytes]"
) -> None:
    with on_drill(tmp_path) as drill:
        for name in drill.sinks.of:
            drill.sinks.close(name)
        monitor = drill.watch()
        victim.kill()
        wait("it is in the book", lambda: drill.alert("engine_dead", "victim"))
        kill(monitor)
        for name in drill.sinks.of:
            drill.sinks.open(name)
        monitor = drill.watch()
        dead = drill.raised("engine_dead", "victim")
        (only,) = drill.alerts()
        assert only.number == dead.alert.number

        wait("its receipts are noted", drill.has_receipts)
        kill(monitor)  # after it was told
        drill.watch()
        wait("it looks", lambda: drill.looks() > LOOKS)
        with subprocess.Popen(["sleep", "600"]) as again:  # noqa: S607  (where it is differs)
            with closing(JournalWriter.open(tmp_path / "runs" / "victim")) as journal:
                journal.append(NOTE, note(record.STARTED, 0, again.pid, wall_ns=time.time_ns()))
            drill.resolved(dead)
            again.kill()
        for name in drill.sinks.of:  # a channel gets its messages in order: what was told twice would have come before
            told = [each.what for arrival in drill.sinks.arrivals(name) for each in arrival.notices()]
            assert told[:2] == [RAISED, RESOLVED]
        assert_told_once(drill)
