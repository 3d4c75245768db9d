"""The execution reports that the monitor has made: of sessions that left or whose day is over, one at a time, kept for a while."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from execution.conftest import DAY, Played, played  # noqa: F401  (a fixture)
from monitor.made_views import NOON, SECOND, view
from myquant.monitor import execution_watch
from myquant.monitor.execution_watch import CLEAN_NS, DAYS_MAX, KEPT_S, LIMIT_NS, ExecutionWatch
from myquant.monitor.view import ProcessView, SessionView

HOUR = 3_600 * SECOND
FRIDAY, MONDAY = NOON, NOON + 72 * HOUR
GONE = ProcessView(1, NOON - 3_600 * SECOND, is_alive=False)


class Child:
    """A report that is being made until it is told to end."""

    def __init__(self, code: int | None = None) -> None:
        self.code, self.was_killed = code, False

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.was_killed = True

    def read(self) -> str:
        return ""


class Begun:
    """What was begun, and the children."""

    def __init__(self, folder: Path, code: int | None = 0) -> None:
        self.names: list[str] = []
        self.children: list[Child] = []
        self.code = code
        self.days: tuple[str, ...] = ()  # that the session has, by its report
        self.is_disk_full = False
        self.watch = ExecutionWatch(folder, self.launch)

    def launch(self, session: Path, out: Path, day: str) -> Child:
        assert out.name == session.name
        if self.is_disk_full:
            raise OSError(28, "No space left on device")
        self.names.append(f"{session.name} {day}".strip())
        self.children.append(Child(self.code))
        if self.days:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{day or self.days[-1]}.json").write_text(json.dumps({"days": self.days}))
        return self.children[-1]

    def look(self, *views: SessionView, at_s: float = 1.0) -> list[str]:
        self.watch.look({each.name: each for each in views}, int(at_s * SECOND))
        return self.names


def traded(name: str, exchange_ns: int = NOON, **facts: Any) -> SessionView:
    found = view(name, exchange_ns=exchange_ns, exchanges=(None,), **facts)
    found.order_ends["sent"] = 2
    return found


def test_a_session_that_left_is_reported_once_and_again_when_there_is_more(tmp_path: Path) -> None:
    begun, left = Begun(tmp_path), traded("monday", process=GONE, stopped_code=0)
    quiet = view("quiet", process=GONE, stopped_code=0)  # it sent no order
    for _ in range(3):
        assert begun.look(left, quiet) == ["monday"]
    assert Begun(tmp_path).look(left) == []  # after a restart of the monitor
    left.records += 1
    for _ in range(3):
        begun.look(left)
    assert begun.names == ["monday", "monday"]


def at(running: SessionView, exchange_ns: int) -> SessionView:
    """Set the clock of a session that runs; the market is open from 9:15 to 15:30."""
    running.exchange_ns = exchange_ns
    running.is_market_open = -2.75 * HOUR <= (exchange_ns - NOON) % (24 * HOUR) < 3.5 * HOUR
    running.records += 4
    return running


def test_one_that_runs_is_reported_each_day_when_its_market_has_closed(tmp_path: Path) -> None:
    begun, running = Begun(tmp_path), view("monday", exchanges=(None,))
    for hours, count in ((-4, 0), (0, 0), (4, 1), (5, 1), (20, 1), (30, 1), (68, 1), (72, 1), (76, 2), (92, 2)):
        if hours == 0:
            running.order_ends["sent"] = 2
        for _ in range(3):
            begun.look(at(running, FRIDAY + hours * HOUR))
        assert begun.names == ["monday"] * count, hours


def test_a_monitor_that_is_begun_after_the_close_reports_the_day_once(tmp_path: Path) -> None:
    running = traded("monday")
    for hours, names in ((5, ["monday"]), (20, [])):  # it is begun again in the morning
        begun = Begun(tmp_path)
        for _ in range(3):
            begun.look(at(running, FRIDAY + hours * HOUR))
        assert begun.names == names


def test_none_is_begun_before_the_first_beat_of_a_session_that_was_begun_again(tmp_path: Path) -> None:
    begun, running = Begun(tmp_path), at(traded("monday"), FRIDAY)
    begun.look(running)
    running.is_market_open = running.exchange_ns = None
    assert begun.look(running) == begun.look(at(running, FRIDAY + HOUR)) == []


def test_a_day_is_not_lost_where_no_report_can_be_begun(tmp_path: Path) -> None:
    begun, running = Begun(tmp_path), at(traded("monday"), FRIDAY + 5 * HOUR)
    begun.days, begun.is_disk_full = ("2025-10-01", "2025-10-03"), True
    for made in ("monday", "monday 2025-10-01"):
        with pytest.raises(OSError, match="No space left"):
            begun.look(running)
        begun.is_disk_full = False
        assert begun.look(running)[-1] == made
        begun.is_disk_full = True
    for _ in range(3):
        begun.look(running)
    assert len(begun.names) == 2


def test_days_that_are_missing_are_reported_too(tmp_path: Path) -> None:
    begun, running = Begun(tmp_path), at(traded("monday"), FRIDAY + 5 * HOUR)
    begun.days = (*(f"2025-09-{day}" for day in range(10, 10 + DAYS_MAX)), "2025-10-01", "2025-10-03")
    for day in begun.days[3:-1]:
        (tmp_path / "execution" / "monday").mkdir(parents=True, exist_ok=True)
        (tmp_path / "execution" / "monday" / f"{day}.json").write_text("{}")
    (tmp_path / "execution" / "monday" / "2025-10-01.json").unlink()
    for _ in range(5):
        begun.look(running)
    assert begun.names == ["monday", "monday 2025-09-12", "monday 2025-10-01"]
    at(running, MONDAY)
    begun.days += ("2025-10-06",)
    for _ in range(5):
        begun.look(at(running, MONDAY + 5 * HOUR))
    assert begun.names[3:] == ["monday"]


def test_what_is_watched_is_reported_once_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_watch, "KEPT_MAX", 1)
    begun = Begun(tmp_path)
    left = [traded(name, process=GONE, stopped_code=0) for name in ("one", "two", "three")]
    for _ in range(9):
        begun.look(*left)
    assert sorted(begun.names) == ["one", "three", "two"]
    begun.look(traded("four", process=GONE, stopped_code=0))
    begun.look(traded("four", process=GONE, stopped_code=0))
    assert list(json.loads((tmp_path / "executions.json").read_text())) == ["runs/four"]


def test_none_is_begun_while_a_market_is_open_or_another_is_made(tmp_path: Path) -> None:
    begun = Begun(tmp_path, code=None)
    left = [traded(name, process=GONE, stopped_code=0) for name in ("one", "two")]
    assert begun.look(*left, view("busy")) == []
    assert begun.look(*left) == begun.look(*left) == ["one"]
    begun.look(*left, at_s=2 + LIMIT_NS / SECOND)
    assert (begun.names, begun.children[0].was_killed) == (["one", "two"], True)
    begun.watch.close()
    assert begun.children[1].was_killed


def test_reports_are_kept_for_ninety_days(tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    for name, days in (("old", 91), ("new", 89)):
        path = tmp_path / "execution" / name / f"{DAY}.json"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        os.utime(path, (time.time() - days * KEPT_S / 90,) * 2)
    begun.look(at_s=1 + CLEAN_NS / SECOND)
    assert [path.name for path in (tmp_path / "execution").iterdir()] == ["new"]


def test_the_report_is_made_by_a_process_that_gives_way(played: Played, tmp_path: Path) -> None:  # noqa: F811
    watch = ExecutionWatch(tmp_path)
    left = traded("monday", folder=played.folder, process=GONE, stopped_code=0)
    deadline = time.monotonic() + 60
    while not (tmp_path / "executions.json").exists():
        assert time.monotonic() < deadline
        watch.look({"monday": left}, time.monotonic_ns())
        time.sleep(0.1)
    made = tmp_path / "execution" / "monday"
    assert {path.name for path in made.iterdir()} == {f"{DAY}.html", f"{DAY}.json"}
