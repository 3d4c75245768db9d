"""One session, followed: its files are closed when it has left, its log is read in bounds, and what can't be read is told."""

import json
import subprocess
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from monitor.test_loop import Told, child, look, monitor_of
from monitor.watched import begun, note, put_session
from myquant.journal import record
from myquant.journal.record import NOTE
from myquant.journal.writer import JournalWriter
from myquant.monitor.fold_notes import take_note
from myquant.monitor.health import health_of, state_of
from myquant.monitor.log_tail import LogTail
from myquant.monitor.loop import LOG_BYTES_MAX
from myquant.monitor.news import NewsDesk
from myquant.session.log_files import FILE

__all__ = ["child"]
SECOND_NS = 10**9
LONG_AGO = "2025-10-03T03:51:07.120400300Z"


def line(event: str, level: str = "info", time_text: str = LONG_AGO, **fields: object) -> str:
    return json.dumps({"time": time_text, "level": level, "event": event, **fields}) + "\n"


def opened_below(folder: Path) -> list[str]:
    """Return the files of a folder that this process has open."""
    paths = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [path for path in paths if path.startswith(str(folder))]


def test_files_of_a_session_that_has_left_are_closed_until_it_is_begun_again(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    folder, told = put_session(tmp_path / "monday"), Told()
    journal = begun(folder, 2**22 + 1, wall_ns=time.time_ns())
    (folder / FILE).write_text(line("one"))
    monitor = monitor_of(tmp_path, told)
    look(monitor)
    assert len(opened_below(folder)) >= 2
    journal.append(NOTE, note(record.STOPPED, 0, wall_ns=time.time_ns()))
    journal.close()
    del journal  # which maps the files, too
    look(monitor, 2)
    assert opened_below(folder) == []
    for count in (2, 3):  # a line alone wakes it, and it is read from where it was
        with (folder / FILE).open("a") as file:
            file.write(line("more", "error"))
        look(monitor, 2)
        assert monitor.views["monday"].log_lines == {"info": 1, "error": count - 1}
    (folder / "operator.json").write_text(json.dumps({"pid": child.pid}))
    look(monitor, 2)  # it compiles, say: its first note comes later
    journal = JournalWriter.open(folder)
    journal.append(NOTE, note(record.STARTED, 0, child.pid, wall_ns=time.time_ns(), mono_ns=time.monotonic_ns()))
    look(monitor, 2)
    assert state_of(monitor.views["monday"]) == "running"
    assert monitor.views["monday"].records == 3
    monitor.close()
    journal.close()


def test_a_journal_that_goes_on_without_a_sign_is_read_soon(tmp_path: Path) -> None:
    folder = put_session(tmp_path / "monday")
    journal = begun(folder, 2**22 + 1, wall_ns=time.time_ns())
    journal.append(NOTE, note(record.STOPPED, 0, wall_ns=time.time_ns()))
    monitor = monitor_of(tmp_path, Told())
    look(monitor, 3)
    journal.append(NOTE, note(record.BEAT, 0, wall_ns=time.time_ns()))
    monitor._mono_ns = lambda: time.monotonic_ns() + 11 * SECOND_NS
    look(monitor, 2)
    assert monitor.views["monday"].records == 3
    monitor.close()


def test_a_log_that_cant_be_read_is_told(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    folder, told = put_session(tmp_path / "monday"), Told()
    begun(folder, child.pid, wall_ns=time.time_ns()).close()
    (folder / FILE).symlink_to(FILE)  # as good as one without permission, or on a disk that fails
    monitor = monitor_of(tmp_path, told)
    look(monitor, 2)
    assert [(each.rule, each.subject) for each in told.findings] == [("unreadable", str(folder / FILE))]
    assert health_of(monitor, time.time_ns(), time.monotonic_ns(), runs=True)["verdict"] == "degraded"
    (folder / FILE).unlink()
    (folder / FILE).write_text(line("old"))
    look(monitor, 2)
    assert told.findings == []
    monitor.close()


def test_old_errors_of_a_long_log_are_not_new_and_a_look_reads_so_much(
    tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    folder, told = put_session(tmp_path / "monday"), Told()
    begun(folder, child.pid, wall_ns=time.time_ns() - 7200 * SECOND_NS).close()
    pad = "x" * 10_000
    log = folder / FILE
    with log.open("w") as file:
        while file.tell() < 2.5 * LOG_BYTES_MAX:
            file.write(line("old", "error", pad=pad))
    monitor, read = monitor_of(tmp_path, told), []
    for _ in range(4):
        look(monitor)
        read.append(monitor.views["monday"].log_lines["error"])
        assert [each.text for each in told.findings if each.rule == "log_errors"] == []
    assert all(after - before <= LOG_BYTES_MAX // 10_000 for before, after in pairwise([0, *read]))
    assert read[0] < read[1] < read[2] == read[3]
    with log.open("a") as file:
        file.write(line("new", "error", datetime.now(UTC).isoformat().replace("+00:00", "Z")))
    look(monitor)
    assert [each.rule for each in told.findings if each.rule == "log_errors"] == ["log_errors"]
    monitor.close()


def test_what_is_left_of_a_log_is_read_though_it_was_renamed_while_it_was_closed(tmp_path: Path) -> None:
    folder = put_session(tmp_path / "monday")
    monitor = monitor_of(tmp_path, Told())
    look(monitor)
    view = monitor.views["monday"]
    monitor.close()
    log, tail = folder / FILE, LogTail(view)
    log.write_text(line("one"))
    while tail.look():
        pass
    tail.close()
    with log.open("a") as file:
        file.write(line("two", "warning"))
    log.rename(folder / "log-2025-10-03.1.jsonl")
    log.write_text(line("three", "error"))
    while tail.look():
        pass
    tail.close()
    assert view.log_lines == {"info": 1, "warning": 1, "error": 1}


def test_the_order_channel_of_an_earlier_process_says_nothing(tmp_path: Path) -> None:
    folder = put_session(tmp_path / "monday")
    monitor = monitor_of(tmp_path, Told())
    look(monitor)
    view = monitor.views["monday"]
    monitor.close()
    line_ns, tail, log = 1_759_463_467 * SECOND_NS, LogTail(view), folder / FILE
    begin = [note(record.STARTED, 0, 1, wall_ns=line_ns + second * SECOND_NS) for second in (-60, 60)]
    desk = NewsDesk(view)
    log.write_text(line("order channel", up=False))
    take_note(view, begin[0], 1, desk)
    tail.look()
    assert view.order_channel_up is False
    take_note(view, begin[1], 2, desk)
    seen = [view.order_channel_up]
    LogTail(view).look()  # a monitor that begins later reads the journal first
    seen.append(view.order_channel_up)
    view.process = None  # or the log
    LogTail(view).look()
    take_note(view, begin[0], 1, desk)
    seen.append(view.order_channel_up)
    assert seen == [None, None, False]
    tail.close()
