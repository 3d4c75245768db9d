"""The monitor on real folders and processes: what it finds, what it survives, and that it only ever reads."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.watched import begun, note, put_session
from myquant.config.loading import LoadedConfig, load_config
from myquant.config.watching import MonitorSettings
from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.journal import record
from myquant.journal.record import COMMAND, INPUT, NOTE, Input, Origin
from myquant.journal.writer import JournalWriter
from myquant.monitor.faults import Memory
from myquant.monitor.finding import Finding
from myquant.monitor.health import health_of, state_of
from myquant.monitor.judge import judge as rules_judge
from myquant.monitor.loop import Judge, Monitor
from myquant.monitor.state import MonitorState, open_state
from myquant.monitor.view import News, SessionView

SETTINGS = load_config().config.monitor
SECOND_NS = 10**9


@dataclass
class Told:
    """Whom findings and news are handed to, and a log."""

    findings: list[Finding] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    fails: bool = False

    def take(self, findings: Sequence[Finding], news: Sequence[News]) -> None:
        if self.fails:
            raise RuntimeError("planted")
        self.findings = list(findings)
        self.news += news

    def info(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    warning = error = info


def monitor_of(
    runs: Path,
    told: Told,
    *,
    judge: Judge | None = None,
    state: MonitorState | None = None,
    settings: LoadedConfig | None = None,
) -> Monitor:
    judge = judge or partial(rules_judge, memory=Memory())
    return Monitor(
        [runs],
        settings.config.monitor if settings else SETTINGS,
        judge=judge,
        alerting=told.take,
        log=told,
        state=state,
    )


def look(monitor: Monitor, times: int = 1) -> None:
    for _ in range(times):
        asyncio.run(monitor.look())


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def opened(journal: JournalWriter, sequence: int) -> None:
    """Journal a tick that opens a position."""
    now_ns = time.time_ns()
    event = Event(codes.TICK, 0, sequence, now_ns, now_ns, 10_000, 1, 0, 0, 0, 0, 0, 0)
    journal.append(INPUT, Input(event, Origin(*[0] * len(Origin._fields))))
    command = Command(*[0] * len(Command._fields))._replace(
        kind=codes.POSITION_OPENED, event_sequence=sequence, quantity=75, price=10_000, stop=9_500
    )
    journal.append(COMMAND, command)


def test_a_session_whose_process_is_killed_is_dead_and_one_that_left_is_not(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    journals = {
        name: begun(put_session(tmp_path / name, kind="live"), child.pid, wall_ns=time.time_ns())
        for name in ("killed", "left")
    }
    told = Told()
    monitor = monitor_of(tmp_path, told)
    look(monitor, 2)
    assert {name: state_of(view) for name, view in monitor.views.items()} == dict.fromkeys(journals, "running")
    assert told.findings == []
    journals["left"].append(NOTE, note(record.STOPPED, 0))
    child.kill()
    child.wait()
    look(monitor)
    assert {name: state_of(view) for name, view in monitor.views.items()} == {"killed": "dead", "left": "left"}
    assert [(each.rule, each.session) for each in told.findings] == [("engine_dead", "killed")]
    report = health_of(monitor, time.time_ns(), time.monotonic_ns(), runs=True)
    assert report["verdict"] == "failed"
    assert report["sessions"]["left"]["verdict"] == "ok"
    assert any(event == "found" for event, _ in told.lines)
    monitor.close()
    for journal in journals.values():
        journal.close()


def test_of_one_that_was_dead_before_anybody_looked_nothing_else_is_said(tmp_path: Path) -> None:
    journal = begun(put_session(tmp_path / "s"), 2**22 + 1, wall_ns=time.time_ns() - 60 * SECOND_NS)
    journal.append(NOTE, note(record.BEAT, 0, *(0, 0, 0, 0, 10**6), mono_ns=time.monotonic_ns() - 50 * SECOND_NS))
    told = Told()
    monitor = monitor_of(tmp_path, told, settings=load_config(assignments=["monitor.disk_free_mib=1000000000"]))
    look(monitor, 2)
    assert [fields["rule"] for event, fields in told.lines if event == "found"] == ["engine_dead"]
    monitor.close()
    journal.close()


def test_a_death_that_nobody_saw_was_when_it_wrote_last(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    ago_ns = time.time_ns() - 60 * SECOND_NS
    journals = [
        begun(put_session(tmp_path / "unseen"), 2**22 + 1, wall_ns=ago_ns),
        begun(put_session(tmp_path / "s"), child.pid, wall_ns=time.time_ns()),
    ]
    journals[0].append(NOTE, note(record.BEAT, 0, *(0, 0, 0, 0, 10**6), wall_ns=ago_ns + SECOND_NS))
    told = Told()
    monitor = monitor_of(tmp_path, told)
    look(monitor, 2)
    child.kill()
    child.wait()
    killed_ns = time.time_ns()
    look(monitor)
    since = {each.session: each.since_ns for each in told.findings}
    assert since["unseen"] == ago_ns + SECOND_NS
    assert killed_ns <= since["s"] <= time.time_ns()
    monitor.close()
    for journal in journals:
        journal.close()


@pytest.mark.parametrize("before", ["", "left", "dead"])
def test_a_start_that_is_killed_before_its_first_note_is_told(
    tmp_path: Path, child: subprocess.Popen[bytes], before: str
) -> None:
    folder = put_session(tmp_path / "s")
    journal = begun(folder, 2**22 + 1, wall_ns=time.time_ns()) if before else None
    if journal is not None and before == "left":
        journal.append(NOTE, note(record.STOPPED, 0, wall_ns=time.time_ns()))
    (folder / "operator.json").write_text(f'{{"format": 1, "token": "x", "pid": {child.pid}}}')
    told = Told()
    monitor = monitor_of(tmp_path, told)

    def looked() -> list[str]:
        for _ in range(3):
            monitor.discovery.followed["s"]._weighed_ns = 0  # it weighs once a second
            look(monitor)
        return [each.text for each in told.findings]

    look(monitor)
    assert ["began" in text for text in looked()] == [False] * (before == "dead")
    child.kill()
    child.wait()
    assert looked() == [f"its process {child.pid} is gone without a word, it died while it began; it held nothing"]
    report = health_of(monitor, time.time_ns(), time.monotonic_ns(), runs=True)
    assert (report["sessions"]["s"]["state"], report["verdict"]) == ("dead", "failed")
    journal = journal or begun(folder, os.getpid(), wall_ns=time.time_ns())
    journal.append(NOTE, note(record.STARTED, 0, os.getpid(), wall_ns=time.time_ns(), mono_ns=time.monotonic_ns()))
    assert looked() == []
    monitor.close()
    journal.close()


def test_a_session_that_is_gone_on_with_is_well_again(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    journal = begun(put_session(tmp_path / "s"), 2**22 + 1, wall_ns=time.time_ns())
    told = Told()
    monitor = monitor_of(tmp_path, told)
    look(monitor, 2)
    assert [each.rule for each in told.findings] == ["engine_dead"]
    journal.append(NOTE, note(record.STARTED, 0, child.pid, wall_ns=time.time_ns(), mono_ns=time.monotonic_ns()))
    look(monitor, 2)
    assert told.findings == []
    assert ("no longer found", {"rule": "engine_dead", "of": "s", "subject": ""}) in told.lines
    assert monitor.views["s"].starts == 2
    journal.close()
    monitor.close()


def test_a_restart_tells_nothing_twice_and_misses_nothing(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    runs, heard = tmp_path / "runs", []
    journal = begun(put_session(runs / "s"), child.pid, wall_ns=time.time_ns())
    opened(journal, 0)  # before anybody watched
    for number in range(1, 5):
        told = Told()
        state = open_state(tmp_path / "m", time.time_ns())
        monitor = monitor_of(runs, told, state=state)
        look(monitor)
        opened(journal, 2 * number)
        look(monitor)
        monitor.close()
        state.close()  # without a word: what was saved counts
        opened(journal, 2 * number + 1)  # while nobody watches
        heard.append(len(told.news))
        assert {each.kind for each in told.news} == {"entry"}
    assert heard == [1, 2, 2, 2]
    journal.close()


def test_news_that_nobody_took_are_told_again(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    journal = begun(put_session(tmp_path / "s"), child.pid, wall_ns=time.time_ns())
    told = Told()
    monitor = monitor_of(tmp_path, told)
    look(monitor)
    told.fails = True
    opened(journal, 1)
    look(monitor, 3)
    assert monitor.looks.errors == {"alerting": 3}
    assert sum(event == "a defect in the monitor" for event, _ in told.lines) == 1
    assert [(each.rule, each.subject) for each in monitor.findings] == [("rule_failed", "alerting")]
    assert (monitor.can_tell, monitor.is_late()) == (False, False)  # the outgoing heartbeat stops
    told.fails = False
    look(monitor, 2)
    assert [each.kind for each in told.news] == ["entry"]
    assert (monitor.findings, monitor.can_tell) == ([], True)
    journal.close()
    monitor.close()


def test_a_rule_or_a_session_that_fails_keeps_no_other_from_being_watched(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    def judge(_: Mapping[str, SessionView], __: MonitorSettings, ___: int, ____: int) -> list[Finding]:
        raise ValueError("planted")

    journal = begun(put_session(tmp_path / "good"), child.pid, wall_ns=time.time_ns())
    for name, content in {"empty": "", "list": "[]", "other": '{"format": 99, "created": "x"}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "session.json").write_text(content)
    (tmp_path / "no session").mkdir()
    (tmp_path / "file").write_text("")
    told = Told()
    monitor = monitor_of(tmp_path, told, judge=judge)
    look(monitor, 2)
    assert list(monitor.views) == ["good"]
    assert monitor.discovery.counts == {"watched": 1, "unreadable": 3}
    assert sorted(each.subject for each in told.findings if each.rule == "unreadable") == [
        str(tmp_path / name) for name in ("empty", "list", "other")
    ]
    assert monitor.looks.errors == {"judging": 2}
    journal.close()
    monitor.close()


def test_sessions_of_long_ago_are_counted_and_not_read(tmp_path: Path) -> None:
    for name, age_s in {"old": 2 * 86_400, "recent": 3600}.items():
        folder = put_session(tmp_path / name, ended=0)
        begun(folder, 2**22 + 1).close()
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (time.time() - age_s,) * 2)
    monitor = monitor_of(tmp_path, Told())
    look(monitor)
    assert list(monitor.views) == ["recent"]
    assert monitor.discovery.counts == {"watched": 1, "old": 1}
    monitor.close()


OPENS: list[tuple[str, int]] = []
LISTENING: list[bool] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if LISTENING and event == "open":
        OPENS.append((str(arguments[0]), int(arguments[2])))


sys.addaudithook(_hear)  # for ever: it can't be taken off


def test_nothing_of_a_session_is_written_or_locked(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    runs = tmp_path / "runs"
    folder = put_session(runs / "s")
    journal = begun(folder, child.pid, wall_ns=time.time_ns())
    (folder / "log.jsonl").write_text('{"time": "2025-10-03T03:51:07Z", "level": "info", "event": "x"}\n')
    before = {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}
    locks = Path("/proc/locks").read_text().count(f" {os.getpid()} ")
    state = open_state(tmp_path / "m", time.time_ns())
    monitor = monitor_of(runs, Told(), state=state)
    LISTENING.append(True)
    try:
        look(monitor, 3)
    finally:
        LISTENING.clear()
    below = [(path, flags) for path, flags in OPENS if path.startswith(str(runs))]
    assert {Path(path).name for path, _ in below} >= {"session.json", "config.toml", "000001.seg", "log.jsonl"}
    assert [path for path, flags in below if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_CREAT] == []
    assert Path("/proc/locks").read_text().count(f" {os.getpid()} ") == locks + 1  # of its own folder
    monitor.close()
    state.close()
    assert {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))} == before
    journal.close()


def test_a_journal_that_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    folder = put_session(tmp_path / "s")
    journal = begun(folder, 2**22 + 1, wall_ns=time.time_ns())
    for number in range(9):
        journal.append(NOTE, note(record.BEAT, 0, number))
    journal.close()
    path = folder / "journal" / "000001.seg"
    content = bytearray(path.read_bytes())
    content[4096 + 192 * 5 + 100] ^= 1
    path.write_bytes(content)
    monitor = monitor_of(tmp_path, Told())
    look(monitor, 2)
    assert monitor.views["s"].damage == ""
    monitor._mono_ns = lambda: time.monotonic_ns() + 60 * SECOND_NS
    look(monitor)
    assert monitor.views["s"].records == 5
    assert "record 6 is damaged" in monitor.views["s"].damage
    monitor.close()
