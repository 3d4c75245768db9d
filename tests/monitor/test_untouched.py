"""A monitor that is killed, stopped, overloaded or begun again and again changes nothing in a session, and leaves nothing there."""

import ast
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Final

import pytest

import myquant
from monitor.drill import HOLDING, QUICK, Drill, kill, on_drill, stopped, wait
from myquant.monitor.state import read_card
from session.forks import Child
from session.stage import assert_sound, write_day

ABOVE: Final = {"monitor", "dashboard", "cli"}  # rooms that may know of the monitor
BEGINS: Final = 10
MET_MIN: Final = 3  # of them, while the session is at work: how long its day takes depends on the machine
STOPPED_S: Final = 0.3
LIVES_S: Final = 0.05
CLIENTS: Final = 4
WRITES: Final = os.O_WRONLY | os.O_RDWR

pytestmark = pytest.mark.xdist_group("drills")


def long_day(path: Path) -> Path:
    """Write a day that takes a session some seconds, as fast as it can."""
    return write_day(path, count=250_000)


def decisions(folder: Path) -> list[tuple[int, ...]]:
    """Return all that a session decided, but for the inputs' numbers: timers count, and come by the machine's clock."""
    commands = assert_sound(folder).commands
    names = [name for name in commands.dtype.names if name != "event_sequence"]
    found: list[tuple[int, ...]] = commands[names].tolist()
    return found


def files(folder: Path) -> set[str]:
    """Return the files of a session; how many segments and snapshots it has depends on how long it took."""
    found = {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}
    return {str(path.parent) if path.parent.name in {"journal", "snapshots"} else str(path) for path in found}


def descriptors(pid: int) -> list[tuple[str, bool]]:
    """Return the files that a process has open, and whether it can write to each."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            path = str(each.readlink())
            flags = next(
                line for line in Path(f"/proc/{pid}/fdinfo/{each.name}").read_text().splitlines() if "flags" in line
            )
        except OSError:  # closed meanwhile
            continue
        found.append((path, bool(int(flags.split()[1], 8) & WRITES)))
    return found


def family(child: Child) -> list[int]:
    """Return a process and all that it started."""
    pids = [child.pid]
    for pid in pids:
        path = Path(f"/proc/{pid}/task/{pid}/children")
        pids += [int(each) for each in path.read_text().split()] if path.exists() else []
    return pids


def locked(folder: Path) -> set[int]:
    """Return who holds a lock on a file below a folder."""
    inodes = {path.stat().st_ino for path in folder.rglob("*") if path.is_file()}
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" not in line]
    return {int(row[4]) for row in rows if int(row[5].rpartition(":")[2]) in inodes}


@contextmanager
def asked_without_pause(drill: Drill) -> Iterator[list[int]]:
    """Ask a monitor for all it knows, by several clients; yield the answers' lengths."""
    end, answers = Event(), list[int]()

    def ask() -> None:
        while not end.is_set():
            card = read_card(drill.state)
            if card is None:
                continue
            connection = HTTPConnection(card.host, card.port, timeout=5)
            try:
                for path in ("/metrics", "/health"):
                    connection.request("GET", path, headers={"Authorization": f"Bearer {card.token}"})
                    answers.append(len(connection.getresponse().read()))
            except (OSError, HTTPException):
                continue
            finally:
                connection.close()

    threads = [Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        end.set()
        for thread in threads:
            thread.join()


def disturb(drill: Drill, session: Child) -> int:
    """Stop the monitor for a while, then kill it and begin it anew, again and again; return how often while the session ran."""
    with stopped(drill.monitor):
        time.sleep(STOPPED_S)
    met = 0
    for _ in range(BEGINS):
        kill(drill.monitor)
        drill.begin()
        time.sleep(LIVES_S)
        met += session.poll() is None
    return met


def test_a_session_decides_what_it_decides_without_a_monitor(tmp_path: Path) -> None:
    with on_drill(tmp_path, settings=QUICK | {"monitor.look_s": "0.05"}, write=long_day) as drill:
        stage = drill.stage
        drill.watch()
        apart = stage.paper(stage.lab(), name="alone", results__directory="apart")  # where no monitor looks
        session = stage.paper(stage.lab(), name="watched")
        with asked_without_pause(drill) as answers:
            wait("it is asked", lambda: len(answers) > CLIENTS)
            assert session.poll() is None
            assert disturb(drill, session) >= MET_MIN
        assert session.wait() == 0, stage.said("watched")
        assert apart.wait() == 0, stage.said("alone")
        folders = (tmp_path / "apart" / "alone", stage.session("watched"))
        alone, watched = map(decisions, folders)
        assert len(alone) > 1000
        assert alone == watched
        assert files(folders[0]) == files(folders[1])


def test_neither_has_anything_of_the_other_open_to_write(tmp_path: Path) -> None:
    with on_drill(tmp_path) as drill:
        session = drill.stage.at_broker(drill.stage.lab(speed=4), name="held", pipeline__logging="async", **HOLDING)
        monitor = drill.watch()
        drill.holds("held")
        wait("it has looked", lambda: drill.looks() > CLIENTS)
        runs, state = f"{tmp_path}/runs/", f"{drill.state}/"
        ours, theirs = ([each for pid in family(child) for each in descriptors(pid)] for child in (session, monitor))
        assert any(writes for path, writes in ours if path.startswith(runs))
        assert {path.startswith(state) for path, _ in ours} == {False}
        assert not any(writes for path, writes in theirs if path.startswith(runs))
        assert any(writes for path, writes in theirs if path.startswith(state))
        assert locked(tmp_path / "runs") & set(family(session))
        assert not locked(tmp_path / "runs") & set(family(monitor))


def test_nothing_below_the_monitor_knows_of_it() -> None:
    """Import-linter holds the rooms' imports; this holds names in texts too, as of a module that is begun or imported late."""
    rooms: dict[str, set[str]] = {}
    root = Path(myquant.__file__).parent
    for path in root.rglob("*.py"):
        room = path.relative_to(root).parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text())
        names = {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
        names |= {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
        names |= {
            each.value for each in ast.walk(tree) if isinstance(each, ast.Constant) and isinstance(each.value, str)
        }
        rooms.setdefault(room, set()).update(name for name in names if name.startswith("myquant.monitor"))
    assert {room for room, names in rooms.items() if names} == ABOVE
