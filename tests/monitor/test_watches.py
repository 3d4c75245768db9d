"""The watches on latency and on replays."""

import stat
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.made_views import NOON, SECOND, view
from myquant.monitor.drift_watch import DriftWatch
from myquant.monitor.replay_watch import LIMIT_NS, ReplayProcess, ReplayWatch
from myquant.monitor.view import ProcessView

REFERENCE = 50_000
GONE = ProcessView(1, NOON - 3_600 * SECOND, is_alive=False)


class AtOnce(Executor):
    """Works in the caller's time."""

    def submit(self, work: Any, /, *given: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(work(*given, **named))
        return done


def ticks(count: int, seed: int, slower: float = 1.0) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed)
    return (REFERENCE * slower * random.lognormal(0, 0.2, count)).astype(np.int64)


def test_a_slower_session_is_told_by_its_own_baseline_and_by_the_earlier_one(tmp_path: Path) -> None:
    watch, first = DriftWatch(tmp_path, AtOnce()), view("first")
    watch.take(first, ticks(30_000, 1), None)
    assert watch._watched["first"].ticks == 0  # no ratio without a reference
    for seed in range(2, 5):
        watch.take(first, ticks(12_000, seed), REFERENCE)
    seen = [first.drift_percent]
    for seed, slower in ((5, 1.4), (6, 1.0)):  # the last reference holds
        watch.take(first, ticks(3_000, seed, slower), None)
        seen.append(first.drift_percent)
    assert [each is not None and each > 15 for each in seen] == [False, True, False]

    second = view("second")
    watch.take(second, ticks(3_000, 7, slower=1.4), REFERENCE)
    assert second.drift_percent is not None
    other = view("other", kind="paper")
    watch.take(other, ticks(3_000, 8, slower=1.4), REFERENCE)
    assert other.drift_percent is None
    watch.take(other, np.zeros(5, np.int64), REFERENCE)  # not known is not fast


class Child:
    """A replay that prints this and ends when it is told to."""

    def __init__(self, printed: str = "", code: int | None = None) -> None:
        self.printed, self.code, self.was_killed = printed, code, False

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.was_killed = True

    def read(self) -> str:
        return self.printed


SAME = '{"difference": null, "is_damaged": false}'
OTHER = '{"difference": {"record": 7, "what": "price"}, "is_damaged": false}'


@pytest.mark.parametrize(
    ("printed", "code", "said"),
    [
        (SAME, 0, ""),
        (OTHER, 1, "its replay differs at record 7: price"),
        ("", 1, ""),
        ("", -9, "its replay was ended by signal 9"),
    ],
)
def test_a_session_that_left_is_replayed_once(tmp_path: Path, printed: str, code: int, said: str) -> None:
    begun = []

    def launch(folder: Path) -> Child:
        begun.append(folder.name)
        return Child(printed, code)

    left = view(process=GONE, stopped_code=0)
    views = {"monday": left, "tuesday": view("tuesday", is_market_open=False)}
    for _ in range(2):
        watch = ReplayWatch(tmp_path, launch)
        for now in range(3):
            watch.look(views, now)
        assert left.replay == said
    assert begun == ["monday"]
    assert stat.S_IMODE((tmp_path / "replays.json").stat().st_mode) == 0o600
    left.records += 1
    watch.look(views, 4)
    assert begun == ["monday"] * 2


def test_no_replay_while_a_market_is_open_nor_for_too_long(tmp_path: Path) -> None:
    children: list[Child] = []

    def launch(_: Path) -> Child:
        children.append(Child())
        return children[-1]

    left, other = view(process=GONE, stopped_code=0), view("tuesday")
    watch = ReplayWatch(tmp_path, launch)
    views = {"monday": left, "tuesday": other}
    watch.look(views, 0)
    assert children == []
    other.is_market_open = False
    watch.look(views, 1)
    other.is_market_open = True
    watch.look(views, 2)
    assert [each.was_killed for each in children] == [True]
    other.is_market_open = False
    watch.look(views, 3)
    watch.look(views, 4 + LIMIT_NS)
    watch.look(views, 5 + LIMIT_NS)
    assert [each.was_killed for each in children] == [True, True]
    watch.close()
    assert left.replay == ""


def test_the_process_gets_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYQUANT_ALERT_MAIL", "mailto://user:word@host")
    monkeypatch.setenv("MYQUANT_CACHE", "kept")
    (tmp_path / "replay.out").touch(0o644)
    child = ReplayProcess(tmp_path / "session", tmp_path, ("/bin/sh", "-c", "env; nice"))
    child._process.wait(20)
    printed = child.read()
    assert "MYQUANT_ALERT_MAIL" not in printed
    assert "MYQUANT_CACHE=kept" in printed
    assert stat.S_IMODE((tmp_path / "replay.out").stat().st_mode) == 0o600


def test_more_sessions_than_are_kept_are_replayed_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myquant.monitor.replay_watch.KEPT_MAX", 2)
    begun: list[str] = []

    def launch(folder: Path) -> Child:
        begun.append(folder.name)
        return Child(SAME, 0)

    names = ("monday", "tuesday", "wednesday", "thursday")
    views = {name: view(name, process=GONE, stopped_code=0) for name in names}
    watch = ReplayWatch(tmp_path, launch)
    for now in range(20):
        watch.look(views, now)
    assert sorted(begun) == sorted(names)
    views["friday"] = view("friday", process=GONE, stopped_code=0)
    for name in names[:3]:
        del views[name]  # their verdicts may go
    for now in range(20, 24):
        watch.look(views, now)
    assert set(watch._done) == {str(each.folder) for each in views.values()}
