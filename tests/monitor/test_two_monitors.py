"""Two monitors: one takes the other's folder, which leaves; or each has its own and both watch the same sessions."""

import shutil
import signal
from pathlib import Path

import pytest

from monitor.drill import Drill, kill, on_drill, wait
from monitor.mishaps import a_victim
from monitor.sinks import Sinks
from monitor.watched import put_session
from myquant.monitor.ask import ask_monitor
from myquant.monitor.state import read_card

pytestmark = pytest.mark.xdist_group("drills")


def titles(sinks: Sinks) -> list[str]:
    return [each.title for each in sinks.arrivals("hook")]


def test_a_monitor_whose_folder_another_has_taken_says_so_and_leaves(tmp_path: Path) -> None:
    with on_drill(tmp_path, "hook") as drill, a_victim(tmp_path / "runs" / "victim") as victim:
        first = drill.watch()
        wait("it has looked", drill.looks)
        first.send(signal.SIGSTOP)
        try:
            shutil.rmtree(drill.state.parent)
            second = drill.watch()
            wait("the second has looked", drill.looks)
        finally:
            first.send(signal.SIGCONT)
        assert first.wait() == 1
        (told,) = [title for title in titles(drill.sinks) if "another monitor" in title]
        assert told == "CRITICAL monitor: another monitor has its state folder, and it leaves"
        card = read_card(drill.state)
        assert card is not None
        assert card.pid == second.pid
        victim.kill()
        drill.raised("engine_dead", "victim")
        assert second.poll() is None
        dead = [title for title in titles(drill.sinks) if "engine_dead" in title]
        assert len(dead) == 1, titles(drill.sinks)


def test_monitors_with_folders_of_their_own_disturb_nobody(tmp_path: Path) -> None:
    """Each tells all, so it is told twice; neither writes to a session or to the other, and one that is killed harms no other."""
    with on_drill(tmp_path, "hook") as drill, a_victim(tmp_path / "runs" / "victim") as victim:
        put_session(tmp_path / "runs" / "later")
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")}
        other = Drill(drill.stage, drill.sinks, drill.settings, folder="other")
        drill.watch()
        other.watch()
        wait("both have looked", lambda: drill.looks() and other.looks())
        victim.kill()
        for each in (drill, other):
            assert each.raised("engine_dead", "victim").alert.severity == "critical"
        wait("it is told twice", lambda: sum("engine_dead" in title for title in titles(drill.sinks)) == 2)
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")} == before
        kill(other.monitor)
        looks = drill.looks()
        wait("the first looks on", lambda: drill.looks() > looks)
        assert ask_monitor(other.state) is None
        assert not [each for each in drill.firing() if each.rule in ("spool_failed", "rule_failed", "unreadable")]
