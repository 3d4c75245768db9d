"""Folders and texts that nobody expects: none of them keeps another session from being watched, or an alert from being told."""

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from monitor.test_loop import SETTINGS, Told, look, monitor_of
from monitor.told import Told as Alerts
from monitor.told import fault
from monitor.watched import begun, put_session, view_of
from myquant.monitor.faults import Memory
from myquant.monitor.finding import Finding, plain
from myquant.monitor.health import health_of
from myquant.monitor.judge import judge
from myquant.monitor.log_tail import LogTail
from myquant.monitor.loop import Monitor
from myquant.monitor.metrics import AlertCounts, SessionCollector
from myquant.monitor.view import News

DAY_S = 86_400


def clocks() -> tuple[int, int]:
    return time.time_ns(), time.monotonic_ns()


def _renamed(name: bytes) -> Callable[[Path], object]:
    return lambda folder: folder.rename(folder.parent / os.fsdecode(name))


def _deep(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text("[" * 100_000)


def _piped(folder: Path) -> None:
    (folder / "session.json").unlink()
    os.mkfifo(folder / "session.json")


SPOILED: dict[str, Callable[[Path], object]] = {
    "a deep session.json": _deep("session.json"),
    "a list": lambda folder: (folder / "session.json").write_text("[1]"),
    "a pipe": _piped,
    "no settings": lambda folder: (folder / "config.toml").unlink(),
    "a deep operator.json": _deep("operator.json"),
    "a name that is no text": _renamed(b"a\xff"),
    "a name with a line's end": _renamed(b'a\n"b\x1b[2J'),
    "a log of noise": lambda folder: (folder / "log.jsonl").write_bytes(os.urandom(10_000)),
    "a journal of noise": lambda folder: next((folder / "journal").iterdir()).write_bytes(b"x" * 5_000),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_folder_that_is_spoiled_spoils_no_other(tmp_path: Path, what: str) -> None:
    for name in ("abad", "sound"):
        begun(put_session(tmp_path / "runs" / name), os.getpid(), wall_ns=time.time_ns()).close()
    SPOILED[what](tmp_path / "runs" / "abad")
    alerts, log = Alerts(tmp_path / "state"), Told()

    def tell(findings: Sequence[Finding], news: Sequence[News]) -> None:
        alerts.alerting.take(findings, news, time.time_ns())

    rules = partial(judge, memory=Memory())
    monitor = Monitor([tmp_path / "runs"], SETTINGS, judge=rules, alerting=tell, log=log)
    look(monitor, 2)
    assert "sound" in monitor.views
    assert monitor.looks.errors == {}
    assert alerts.book.trouble is None
    registry = CollectorRegistry()
    registry.register(SessionCollector(monitor, AlertCounts, {}, clocks))
    assert b'session="sound"' in generate_latest(registry)
    report = health_of(monitor, *clocks(), runs=True)
    assert json.dumps(report, ensure_ascii=False).encode()
    assert all(each.isprintable() for each in (*report["reasons"], *report["sessions"]))
    monitor.close()


def test_half_a_character_in_an_alert_is_kept_and_told(tmp_path: Path) -> None:
    alerts = Alerts(tmp_path, alerts__group_s=0)
    first = alerts.take(0, fault(severity="critical", session="a\udcff"))
    assert first
    assert alerts.book.trouble is None
    alerts.restart()
    assert alerts.take(1, fault(severity="critical", session="a\udcff")) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [("a\nb\t c", "a b c"), ("\x1b[2J", "\\x1b[2J"), ("₹ 5 – é", "₹ 5 – é"), ("\udcff\u202e", "\\udcff\\u202e")],
)
def test_plain_texts(text: str, told: str) -> None:
    assert plain(text) == told


def test_levels_of_a_log_are_those_that_there_are(tmp_path: Path) -> None:
    view = view_of(put_session(tmp_path))
    line = '{"time": "2025-10-03T03:51:07Z", "level": "%s", "event": "an\\ud800 event\\n"}\n'
    (tmp_path / "log.jsonl").write_text(line % "error" + line % "x\\ud800")
    tail = LogTail(view)
    tail.look()
    tail.close()
    assert view.log_lines == {"error": 1, "damaged": 1}
    assert view.last_error is not None
    assert view.last_error.event == "an\\ud800 event"


def _aged(folder: Path, days: float) -> None:
    written = time.time() - days * DAY_S
    for path in (folder, *folder.iterdir()):
        os.utime(path, (written, written))


def test_a_session_that_died_before_the_weekend_is_found_after_it(tmp_path: Path) -> None:
    for name, days in (("friday", 3), ("over", 3), ("long ago", 9)):
        folder = put_session(tmp_path / name, ended=0 if name == "over" else None)
        begun(folder, 2**22 + 1, wall_ns=time.time_ns() - days * DAY_S * 10**9).close()
        _aged(folder, days)
    monitor = monitor_of(tmp_path, Told())
    look(monitor, 2)
    assert set(monitor.views) == {"friday"}
    monitor.close()


def test_one_that_holds_something_is_not_let_go_of(tmp_path: Path) -> None:
    begun(put_session(tmp_path / "monday"), 2**22 + 1, wall_ns=time.time_ns()).close()
    told = Told()
    monitor = monitor_of(tmp_path, told)
    look(monitor, 2)
    monitor.views["monday"].instruments[0].quantity = 75
    _aged(tmp_path / "monday", 9)
    monitor._discovered_ns = -(10**18)
    look(monitor)
    assert [each.rule for each in told.findings] == ["engine_dead"]
    monitor.views["monday"].instruments[0].quantity = 0
    monitor._discovered_ns = -(10**18)
    look(monitor)
    assert monitor.views == {}
    monitor.close()


def test_a_folder_that_becomes_a_session_is_watched(tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()
    monitor = monitor_of(tmp_path, Told())
    look(monitor)
    put_session(tmp_path / "monday")  # copied back, say, file by file
    monitor._discovered_ns = -(10**18)
    look(monitor)
    assert set(monitor.views) == {"monday"}
    monitor.close()


def test_an_old_session_that_is_gone_on_with_is_watched(tmp_path: Path) -> None:
    folder = put_session(tmp_path / "monday", ended=0)
    _aged(folder, 9)
    monitor = monitor_of(tmp_path, Told())
    for _ in range(2):
        monitor._discovered_ns = -(10**18)
        look(monitor)
        assert (dict(monitor.views), monitor.discovery.counts) == ({}, {"old": 1})
    (folder / "operator.json").write_text(json.dumps({"pid": os.getpid()}))
    monitor._discovered_ns = -(10**18)
    look(monitor)
    assert set(monitor.views) == {"monday"}
    monitor.close()
