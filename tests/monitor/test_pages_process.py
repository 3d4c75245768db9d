"""The process of the pages: kept alive beside the looks, and ended with the monitor."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.made_views import MONO, NOON, loaded
from myquant.monitor import pages
from myquant.monitor.pages import BAD_SETTINGS, END_S, SECOND_NS, TOLD_NS, UP_NS, Ended, Pages
from myquant.monitor.station import Station
from session.supervised import Lines

WAIT_S = 30.0
SOON = (0.01, 0.05)
FOREVER = "import time\nprint('at work', flush=True)\ntime.sleep(600)"
DIES_WITHOUT_MARK = f"""
import os, pathlib, signal
if not pathlib.Path("{{mark}}").exists():
    os.kill(os.getpid(), signal.SIGKILL)
print(os.getpid())
{FOREVER}
"""
DIES_ONCE = f"""
import os, pathlib, signal
mark = pathlib.Path("{{mark}}")
if not mark.exists():
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
{FOREVER}
"""
HEEDS_NOTHING = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
child.wait()
"""
DIES_WITH_ITS_PARENT = f"""
import os, subprocess, sys
child = [sys.executable, "-m", "myquant.monitor.tied", str(os.getpid()), sys.executable, "-c", {FOREVER!r}]
process = subprocess.Popen(child, stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
process.wait()
"""


class Clock:
    now_ns = 1000 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns


class Rig:
    """Pages whose process is a piece of Python, and what was logged and shown of them."""

    def __init__(self, text: str, *, again_s: tuple[float, float] = SOON, **clocks: Any) -> None:
        self.log, self.shown = Lines(), list[str]()
        self.pages = Pages(
            [sys.executable, "-c", text],
            self.log,
            hide=lambda line: line.replace("secret", "***"),
            show=self.shown.append,
            again_s=again_s,
            **clocks,
        )

    def play(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Run the pages beside a scenario, and end them with it."""

        async def both() -> None:
            task = asyncio.create_task(self.pages.run())
            try:
                async with asyncio.timeout(WAIT_S):
                    await scenario()
                assert not task.done()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(both())

    def said(self) -> list[str]:
        return [fields["said"] for _, event, fields in self.log.lines if event == "pages"]

    def ends(self) -> list[str]:
        return [fields["why"] for _, event, fields in self.log.lines if event == "the pages have ended"]


async def until(true: Callable[[], object]) -> None:
    while not true():  # noqa: ASYNC110  (what is waited for has no event)
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Return whether a process lives; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_it_says_is_logged_without_secrets_and_it_ends_when_it_is_to() -> None:
    rig = Rig(
        f"import os\nprint('serves at http://127.0.0.1:9465/?key=abc secret', os.getpid(), flush=True)\n{FOREVER}"
    )
    rig.play(lambda: until(lambda: "at work" in rig.said()))
    first = rig.said()[0]
    assert first.startswith("serves at http://127.0.0.1:9465/ *** ")
    assert [line.rpartition(" ")[0] for line in rig.shown] == ["serves at http://127.0.0.1:9465/?key=abc secret"]
    wait_until_gone(int(first.split()[-1]))
    assert (rig.pages.deaths, rig.ends(), rig.pages.failing()) == (0, [], None)


def test_one_that_ends_is_begun_again_and_found_when_it_stays_away() -> None:
    clock = Clock()
    rig = Rig("import sys; print('no such port'); sys.exit(1)", mono_ns=clock, wall_ns=lambda: 7)

    async def scenario() -> None:
        await until(lambda: rig.pages.deaths == 3)
        assert rig.pages.failing() is None
        clock.now_ns += TOLD_NS
        await until(rig.pages.failing)  # the process that lives has begun before the clock was set, perhaps
        assert rig.pages.failing() == (7, "exit code 1: no such port")

    rig.play(scenario)
    assert rig.ends()[:3] == ["exit code 1: no such port"] * 3
    waits = [fields["again_in_s"] for _, event, fields in rig.log.lines if event == "the pages have ended"]
    assert waits[:3] == [0.01, 0.02, 0.04]  # doubled each time


def test_one_that_died_once_and_lives_is_no_fault(tmp_path: Path) -> None:
    clock, mark = Clock(), tmp_path / "mark"
    rig = Rig(DIES_ONCE.format(mark=mark), mono_ns=clock)

    async def scenario() -> None:
        await until(lambda: "at work" in rig.said())
        clock.now_ns += max(UP_NS, TOLD_NS)
        assert rig.pages.failing() is None

    rig.play(scenario)
    assert (rig.ends(), rig.pages.deaths) == (["signal 9"], 1)


def test_settings_that_it_refuses_are_told_once_and_found_at_once() -> None:
    rig = Rig(
        f"import sys; print('error: dashboard.host: no', file=sys.stderr); sys.exit({BAD_SETTINGS})", again_s=(0, 0)
    )
    rig.play(lambda: until(lambda: rig.pages.deaths == 3 and rig.pages.failing()))
    assert rig.ends() == ["exit code 2: error: dashboard.host: no"]
    found = rig.pages.failing()
    assert found is not None
    assert found[1] == rig.ends()[0]
    wait = [fields["again_in_s"] for _, event, fields in rig.log.lines if event == "the pages have ended"]
    assert wait == [0]  # the longest there is


def test_a_command_that_is_none_is_an_end_like_another() -> None:
    rig = Rig("")
    rig.pages._command = ("/nowhere/python",)
    rig.play(lambda: until(lambda: rig.pages.deaths))
    assert rig.ends()[0].startswith("exit code 1: ")
    assert "/nowhere/python" in rig.ends()[0] or "No such file" in rig.ends()[0]
    assert Ended(None, "no memory").why == "can't be started: no memory"


def test_who_does_not_heed_is_killed_with_what_it_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert END_S < 20  # what systemd waits for the monitor's own end
    monkeypatch.setattr(pages, "END_S", 0.2)
    rig = Rig(HEEDS_NOTHING)
    rig.play(lambda: until(rig.said))
    for pid in rig.said()[0].split():
        wait_until_gone(int(pid))


def test_a_flood_of_lines_is_cut_and_counted() -> None:
    clock = Clock()
    rig = Rig(f"for number in range(300): print(number, 'x' * 5000, flush=True)\n{FOREVER}", mono_ns=clock)

    async def scenario() -> None:
        await until(lambda: rig.pages._lines > 300)
        clock.now_ns += 2 * pages.MINUTE_NS
        rig.pages._take("after a minute")

    rig.play(scenario)
    assert len(rig.said()) == pages.LINES_MAX + 1
    assert max(map(len, rig.said())) == pages.LINE_MAX
    (left_out,) = [fields["lines"] for _, event, fields in rig.log.lines if event == "lines of the pages were left out"]
    assert left_out >= 201


def test_they_go_with_a_monitor_that_is_killed() -> None:
    command = [sys.executable, "-m", "myquant.monitor.tied", "0", sys.executable, "-c", "print('never')"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b""  # its parent is another one
    parent = subprocess.Popen([sys.executable, "-c", DIES_WITH_ITS_PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    wait_until_gone(pid)


def test_they_go_though_their_signals_were_ignored_and_blocked() -> None:
    ignoring = "import signal; signal.signal(15, signal.SIG_IGN); signal.pthread_sigmask(signal.SIG_BLOCK, {15})"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{ignoring}\n{DIES_WITH_ITS_PARENT}"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    wait_until_gone(pid)


def test_a_station_finds_pages_that_stay_away_and_ends_those_that_live(tmp_path: Path) -> None:
    clock, mark = Clock(), tmp_path / "mark"
    rig = Rig(DIES_WITHOUT_MARK.format(mark=mark), mono_ns=clock, wall_ns=lambda: NOON)
    config, parts = loaded(), dict[str, Any](can_tell=lambda: True, folders=list)
    station = Station(config, tmp_path / "monitor", {}, rig.log, pages=rig.pages, **parts)

    def rules() -> list[str]:
        return [each.rule for each in station.judge({}, config.config.monitor, NOON, MONO)]

    async def run() -> None:
        assert (station.counts().pages_ends, rules()) == (0, [])
        station.start()
        async with asyncio.timeout(WAIT_S):
            await until(lambda: rig.pages.deaths)
            clock.now_ns += TOLD_NS
            await until(lambda: rules() == ["pages_down"])
            mark.touch()
            await until(lambda: "at work" in rig.said())
            clock.now_ns += UP_NS
            assert (rules(), station.counts().pages_ends) == ([], rig.pages.deaths)
        await station.aclose()

    asyncio.run(run())
    wait_until_gone(int(next(line for line in rig.said() if line.isdigit())))
    assert set(rig.ends()) == {"signal 9"}
