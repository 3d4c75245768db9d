"""The execution reports that the monitor has made: of sessions that left or whose day is over, one at a time, kept for a while."""

import os
import time
from pathlib import Path
from typing import Any

from execution.conftest import DAY, Played, played  # noqa: F401  (a fixture)
from monitor.made_views import NOON, SECOND, view
from myquant.monitor.execution_watch import CLEAN_NS, KEPT_S, LIMIT_NS, ExecutionWatch
from myquant.monitor.view import ProcessView, SessionView

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
        self.watch = ExecutionWatch(folder, self.launch)

    def launch(self, session: Path, out: Path) -> Child:
        assert out.name == session.name
        self.names.append(session.name)
        self.children.append(Child(self.code))
        return self.children[-1]

    def look(self, *views: SessionView, at_s: float = 1.0) -> list[str]:
        self.watch.look({each.name: each for each in views}, int(at_s * SECOND))
        return self.names


def traded(name: str, **facts: Any) -> SessionView:
    found = view(name, **facts)
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


def test_one_that_runs_is_reported_when_its_market_has_closed(tmp_path: Path) -> None:
    begun, running = Begun(tmp_path), traded("monday", is_market_open=False)
    assert begun.look(running) == []  # in the morning
    running.is_market_open = True
    assert begun.look(running) == []
    running.is_market_open = False
    for _ in range(3):
        running.records += 4
        assert begun.look(running) == ["monday"]


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
