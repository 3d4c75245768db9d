"""The log's writer, a process: slow, stopped, killed, and left alone by a session that was killed."""

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from myquant.brokers.secrets import Redactor
from myquant.errors import MyquantError
from myquant.session import log_async
from session.async_logs import BOUNDS, SECRET, SMALL, WAIT_S, fill, lines, opened, stop, until, until_awake
from session.forks import forks


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[io.TextIOWrapper]:
    with (tmp_path / "said").open("w", encoding="utf-8") as file:
        yield file


def test_a_stopped_writer_holds_nobody_up_and_loses_nothing_that_matters(
    tmp_path: Path, terminal: io.TextIOWrapper
) -> None:
    with patch.object(log_async, "RING_BYTES", SMALL):
        log = opened(tmp_path, Redactor(), terminal)
    pid = stop(log, tmp_path)
    room = fill(log)
    begun = time.monotonic()
    for number in range(200):
        log.error("trouble", number=number)
        log.info("trade_closed", number=number)
        log.info("dropped")
    assert time.monotonic() - begun < WAIT_S  # 400 times the longest wait would be 2 s
    kept = [line for line in lines(tmp_path) if line["event"] in ("trouble", "trade_closed")]
    assert [line["number"] for line in kept] == [number for number in range(200) for _ in range(2)]
    assert log.lost == 201
    os.kill(pid, signal.SIGCONT)
    until(lambda: len(lines(tmp_path)) == 1 + 400 + room)
    log.info("after")
    log.close()
    assert [(line["event"], line.get("count")) for line in lines(tmp_path)][-2:] == [
        ("log lines lost", 201),
        ("after", None),
    ]
    assert log.lost == 201


def test_a_writer_that_was_killed_leaves_its_work_to_the_session(tmp_path: Path, terminal: io.TextIOWrapper) -> None:
    log = opened(tmp_path, Redactor([SECRET]), terminal)
    pid = stop(log, tmp_path)
    log.info("in the ring", text=SECRET)
    log._post._redactor.keep("found-out-later")
    log.info("in the ring, too", text="found-out-later")
    log.look()  # it lives
    os.kill(pid, signal.SIGKILL)
    until(lambda: log._post._writer.poll() is not None)
    log.info("nobody has looked")
    log._post._redactor.keep("found-out-last")  # the ring has not heard of it
    log.look()
    log.look()
    log.info("after", text=f"{SECRET} found-out-later found-out-last")
    assert [(line["event"], line.get("text")) for line in lines(tmp_path)] == [
        ("awake", None),
        ("in the ring", "***"),
        ("in the ring, too", "***"),
        ("nobody has looked", None),
        ("the log's writer has ended: from now on the session writes", None),
        ("after", "*** *** ***"),
    ]
    log.close()
    log.close()
    assert (log.lost, log.unshown) == (0, 0)


def test_a_writer_that_does_not_finish_is_killed_and_its_work_done(tmp_path: Path, terminal: io.TextIOWrapper) -> None:
    log = opened(tmp_path, Redactor(), terminal)
    pid = stop(log, tmp_path)
    for number in range(50):
        log.info("in the ring", number=number)
    with patch.object(log_async, "CLOSE_S", 0.1):
        log.close()
    assert not Path(f"/proc/{pid}").exists()
    assert [line.get("number") for line in lines(tmp_path)] == [None, *range(50)]
    assert log.lost == 0
    log.info("too late")
    assert (log.lost, len(lines(tmp_path))) == (1, 51)
    terminal.flush()
    assert "too late" in (tmp_path / "said").read_text()


def test_a_session_that_is_killed_leaves_its_lines_to_the_writer(tmp_path: Path) -> None:
    count = 2000
    child = forks().start("session.log_child:log_and_die", str(tmp_path), count, SECRET, said=tmp_path / "said")
    assert child.wait() == -signal.SIGKILL
    until(lambda: (tmp_path / "log.jsonl").exists() and len(lines(tmp_path)) == count + 1)
    assert [line["number"] for line in lines(tmp_path)[1:]] == list(range(count))
    until(lambda: f"number={count - 1} " in (tmp_path / "said").read_text())
    for file in tmp_path.iterdir():
        assert "hunter22" not in file.read_text()


def test_no_secret_is_where_other_processes_see_it(
    tmp_path: Path, terminal: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYQUANT_ANGELONE_PIN", SECRET)
    redactor = Redactor([SECRET])
    log = opened(tmp_path, redactor, terminal)
    until_awake(log, tmp_path)
    redactor.add("a-token-of-the-day")
    log.info("login", text=f"{SECRET} a-token-of-the-day")
    place = Path("/proc") / str(log._post._writer.pid)
    for name in ("cmdline", "environ"):
        content = (place / name).read_bytes()
        assert b"hunter" not in content
        assert b"a-token" not in content
    log.close()
    assert lines(tmp_path)[-1]["text"] == "*** ***"
    for file in tmp_path.iterdir():
        assert "hunter" not in file.read_text()


def test_what_the_writers_disk_does_not_take_is_counted(tmp_path: Path, terminal: io.TextIOWrapper) -> None:
    log = opened(tmp_path, Redactor(), terminal, bounds=BOUNDS._replace(file_bytes=300))
    (tmp_path / "log.jsonl.new").mkdir()  # so that no new file can be begun
    for _ in range(10):
        log.info("line")
    until(lambda: log.lost > 0)
    log.close()
    assert log.lost == 10 - len(lines(tmp_path))


def test_what_can_not_be_begun_is_told_at_once(
    tmp_path: Path, terminal: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MyquantError, match=r"log\.jsonl: can't be written \(No such file or directory\)"):
        opened(tmp_path / "none", Redactor(), terminal)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(MyquantError, match=r"writer can't be started .*: set pipeline\.logging"):
        opened(tmp_path, Redactor(), terminal)
