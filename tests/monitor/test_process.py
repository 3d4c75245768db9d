import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from myquant.monitor.process import ProcessWatch, process_stat
from myquant.monitor.view import ProcessView

WAIT_S = 10.0


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT_S
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_a_death_and_a_stop_are_noticed(child: subprocess.Popen[bytes]) -> None:
    view = ProcessView(child.pid, time.time_ns())
    watch = ProcessWatch(view)
    assert watch.look()
    assert not view.is_stopped
    child.send_signal(signal.SIGSTOP)
    assert until(lambda: watch.look() and view.is_stopped)
    child.send_signal(signal.SIGCONT)
    assert until(lambda: watch.look() and not view.is_stopped)
    child.kill()  # and nobody has waited for it yet
    assert until(lambda: not watch.look())
    assert not view.is_alive
    assert not watch.look()


def test_a_process_that_began_later_is_another_one(child: subprocess.Popen[bytes]) -> None:
    assert not ProcessWatch(ProcessView(child.pid, time.time_ns() - 3600 * 10**9)).look()


def test_a_clock_that_was_set_makes_no_other_process_of_it(child: subprocess.Popen[bytes]) -> None:
    now_ns, mono_ns = time.time_ns(), time.monotonic_ns()
    hour_ns = 3600 * 10**9
    assert ProcessWatch(ProcessView(child.pid, now_ns - hour_ns, mono_ns)).look()
    assert not ProcessWatch(ProcessView(child.pid, now_ns, mono_ns - hour_ns)).look()
    assert not ProcessWatch(ProcessView(child.pid, now_ns, mono_ns + hour_ns)).look()  # the machine was started again


def test_a_process_that_the_system_hides_lives(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myquant.monitor.process.process_stat", lambda _: None)
    watch = ProcessWatch(ProcessView(child.pid, time.time_ns()))
    assert watch.look()
    child.kill()
    assert until(lambda: not watch.look())


def test_where_no_descriptor_is_free_nothing_is_said_to_be_dead(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(os, "pidfd_open", refused)
    with pytest.raises(OSError, match="too many"):
        ProcessWatch(ProcessView(child.pid, time.time_ns()))


@pytest.mark.parametrize("pid", [2**22 + 1, 2**40, 0, -1])
def test_a_process_that_is_not_there_is_dead(pid: int) -> None:
    assert not ProcessWatch(ProcessView(pid, time.time_ns())).look()


def test_what_processes_take_is_told_apart_by_what_they_do() -> None:
    words = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)', 'myquant.session.reader'])"
    parent = subprocess.Popen([sys.executable, "-c", words])
    view = ProcessView(parent.pid, time.time_ns())
    watch = ProcessWatch(view)
    try:

        def weighed() -> bool:
            watch.weigh()
            return "feed reader" in view.rss_bytes

        assert until(weighed)
        assert set(view.cpu_s) == {"session", "feed reader"}
        assert view.rss_bytes["session"] > 1_000_000
    finally:
        for pid in [int(each) for each in _children(parent.pid)]:
            subprocess.run(["kill", "-9", str(pid)], check=False)  # noqa: S607
        parent.kill()
        parent.wait()
        watch.close()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_name_with_brackets_and_blanks_is_read(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    fields = " ".join(str(number) for number in range(4, 40))
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c)) S {fields}")
    (tmp_path / "uptime").write_text("100.0 50.0")
    stat = process_stat(7, tmp_path)
    assert stat is not None
    assert stat.state == "S"
    assert process_stat(8, tmp_path) is None
