"""Which sessions are watched, and by which names: whatever becomes of their folders, none is forgotten in silence."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.test_loop import Told, child, look, monitor_of
from monitor.told import Told as Alerts
from monitor.watched import begun, note, put_session
from myquant.journal import record
from myquant.journal.record import NOTE
from myquant.monitor.discovery import DAY_NS, UNENDED_NS, Discovery
from myquant.monitor.faults import Memory
from myquant.monitor.health import health_of, state_of
from myquant.monitor.loop import Monitor
from myquant.monitor.state import Told as ToldOf

__all__ = ["child"]
SECOND_NS = 10**9
NOBODY = 2**22 + 1  # no process has this number
OTHER = "2025-10-03T09:00:00+00:00"


def looked(monitor: Monitor, times: int = 1) -> None:
    """Look, with all folders looked through."""
    for _ in range(times):
        monitor._discovered_ns = -(10**18)
        look(monitor)


def rules_of(told: Told) -> list[tuple[str, str]]:
    return [(each.rule, each.session) for each in told.findings]


def discovery_of(*directories: Path, wall_ns: Callable[[], int] = time.time_ns) -> Discovery:
    return Discovery(directories, lambda _, created: ToldOf(created), wall_ns)


def names(discovery: Discovery) -> dict[str, str]:
    """Return the name of each session by its folder, of the last two parts."""
    discovery.look()
    found = {"/".join(each.view.folder.parts[-2:]): name for name, each in discovery.followed.items()}
    discovery.close()
    return found


def test_a_session_that_is_made_again_in_its_place_is_watched(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    folder, told = tmp_path / "monday", Told()
    journal = begun(put_session(folder, kind="live"), NOBODY, wall_ns=time.time_ns())
    journal.append(NOTE, note(record.STOPPED, 0))
    monitor = monitor_of(tmp_path, told)
    looked(monitor, 2)
    assert state_of(monitor.views["monday"]) == "left"
    journal.close()
    shutil.rmtree(folder)
    begun(put_session(folder, kind="live", created=OTHER), child.pid, wall_ns=time.time_ns()).close()
    looked(monitor, 2)
    assert state_of(monitor.views["monday"]) == "running"
    child.kill()
    child.wait()
    looked(monitor, 2)
    assert rules_of(told) == [("engine_dead", "monday")]
    monitor.close()


def test_one_that_holds_something_and_lost_its_place_is_watched_beside_the_other(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    folder, told = tmp_path / "monday", Told()
    journal = begun(put_session(folder, kind="live"), NOBODY, wall_ns=time.time_ns())
    monitor = monitor_of(tmp_path, told)
    looked(monitor, 2)
    monitor.views["monday"].instruments[0].quantity = 75
    journal.close()
    shutil.rmtree(folder)
    begun(put_session(folder, kind="live", created=OTHER), child.pid, wall_ns=time.time_ns()).close()
    looked(monitor, 3)
    earlier = "monday (of 2025-10-03T03:00:00+00:00)"
    assert {name: state_of(view) for name, view in monitor.views.items()} == {"monday": "running", earlier: "dead"}
    assert ("session_lost", earlier) in rules_of(told)
    assert ("engine_dead", earlier) in rules_of(told)
    monitor.close()


def test_a_session_whose_folder_goes_while_it_runs_is_lost_until_it_is_back(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    runs, told = tmp_path / "runs", Told()
    begun(put_session(runs / "monday", kind="live"), child.pid, wall_ns=time.time_ns()).close()
    begun(put_session(runs / "over", ended=0), NOBODY, wall_ns=time.time_ns()).close()
    monitor = monitor_of(runs, told)
    looked(monitor, 2)
    assert rules_of(told) == []
    runs.rename(tmp_path / "away")
    looked(monitor, 2)
    assert rules_of(told) == [("session_lost", "monday"), ("unreadable", "")]
    assert f"its process {child.pid} runs" in told.findings[0].text
    assert health_of(monitor, time.time_ns(), time.monotonic_ns(), runs=True)["verdict"] == "failed"
    child.kill()
    child.wait()
    looked(monitor)
    assert {rule for rule, _ in rules_of(told)} == {"engine_dead", "session_lost", "unreadable"}
    (tmp_path / "away").rename(runs)
    looked(monitor, 2)
    assert rules_of(told) == [("engine_dead", "monday")]
    monitor.close()


@pytest.mark.parametrize(("holds", "kept_ns"), [(0, DAY_NS), (75, UNENDED_NS)])
def test_a_lost_session_is_let_go_of_some_time_after_its_process_went(tmp_path: Path, holds: int, kept_ns: int) -> None:
    begun(put_session(tmp_path / "runs" / "monday"), NOBODY, wall_ns=time.time_ns()).close()
    monitor = monitor_of(tmp_path / "runs", Told())
    looked(monitor, 2)
    monitor.views["monday"].instruments[0].quantity = holds
    shutil.rmtree(tmp_path / "runs" / "monday")
    gone_ns = time.time_ns()
    for after_ns, is_kept in ((0, True), (kept_ns - SECOND_NS, True), (kept_ns + SECOND_NS, False)):
        monitor.discovery._wall_ns = lambda after_ns=after_ns: gone_ns + after_ns  # type: ignore[misc]
        monitor.discovery.look()
        assert ("monday" in monitor.views) is is_kept
    monitor.close()


def test_a_folder_that_is_renamed_is_followed_under_its_new_name(tmp_path: Path) -> None:
    begun(put_session(tmp_path / "monday"), NOBODY, wall_ns=time.time_ns()).close()
    told = Told()
    monitor = monitor_of(tmp_path, told)
    looked(monitor, 2)
    (tmp_path / "monday").rename(tmp_path / "tuesday")
    looked(monitor, 2)
    assert rules_of(told) == [("engine_dead", "tuesday")]
    monitor.close()


@pytest.mark.parametrize("what", ["scandir", "stat"])
def test_what_cant_be_looked_at_for_a_moment_holds_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    runs, told, alerts = tmp_path / "runs", Told(), Alerts(tmp_path / "state")
    begun(put_session(runs / "monday", kind="live"), NOBODY, wall_ns=time.time_ns()).close()
    monitor = monitor_of(runs, told)
    memory: Memory = monitor._judge.keywords["memory"]  # type: ignore[attr-defined]

    def tell(second: int) -> None:
        alerts.alerting.take(told.findings, [], time.time_ns() + second * SECOND_NS, memory.unasked, memory.watched)

    looked(monitor, 2)
    tell(0)
    real = getattr(os, what)

    def fails(path: Any, **options: Any) -> Any:
        if str(path).startswith(str(runs)):
            raise OSError(5, "Input/output error")
        return real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, what, fails)
        looked(monitor, 2)
        assert [rule for rule, _ in rules_of(told)][:2] == ["engine_dead", "unreadable"]
        tell(5)
    looked(monitor)
    tell(10)
    assert rules_of(told) == [("engine_dead", "monday")]
    assert [(each.rule, each.is_firing) for each in alerts.alerting._alerts.values()] == [
        ("engine_dead", True),
        ("unreadable", False),
    ]
    monitor.close()


def test_names_are_the_same_in_whatever_order_sessions_come(tmp_path: Path) -> None:
    first, second, third = tmp_path / "runs", tmp_path / "x" / "trials", tmp_path / "y" / "trials"
    directories = first, second, third
    for each in (third, second):
        put_session(each / "monday")
    early = names(discovery_of(*directories))
    kept = discovery_of(*directories)
    kept.look()
    put_session(first / "monday")
    assert names(kept) == names(discovery_of(*directories))
    assert len(early) == 1  # by the last two parts both are trials/monday
    kept.look()
    found = sorted(name for name in (each.view.name for each in kept.followed.values()))
    assert found[0] == "monday"
    assert [name.rpartition("~")[0] for name in found[1:]] == ["trials", "trials"]
    assert len(set(found)) == 3


def test_names_are_short_and_can_be_shown(tmp_path: Path) -> None:
    long, odd = "m" * 200, os.fsdecode(b"a\xff")
    for each in ("monday", long, odd, "a\\udcff"):
        put_session(tmp_path / "runs" / each, name="x")
    put_session(tmp_path / ("t" * 100) / "monday")
    found = names(discovery_of(tmp_path / "runs", tmp_path / ("t" * 100)))
    assert found["runs/monday"] == "monday"
    assert found["runs/a\\udcff"] == "a\\udcff"
    assert len(found) == 5
    assert len(set(found.values())) == 5
    assert all(len(name) < 80 and name.isprintable() for name in found.values())


def test_a_folder_that_is_passed_by_costs_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = time.time() - 30 * 86_400
    for number in range(20):
        folder = put_session(tmp_path / f"s{number}", ended=0) if number < 10 else tmp_path / f"s{number}"
        folder.mkdir(exist_ok=True)
        for path in (*folder.iterdir(), folder):
            os.utime(path, (long_ago, long_ago))
    discovery = discovery_of(tmp_path)
    discovery.look()
    real, stats = os.stat, []

    def counted(path: Any, **options: Any) -> Any:
        stats.append(path)
        return real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", counted)
        discovery.look()
    assert (len(stats), discovery.counts) == (20, {"old": 10})
