"""What the pages cost while people look: ten sessions of 500 ticks a second, the pages as a process, a real browser.

Two stages: sessions that have just begun, and sessions that are half an hour old. On each nothing is open first, then the
overview, then a session's page, then both. Windows of some seconds: processor time of the process of the pages and its children,
updates as the browser shows them, bytes that its sockets are told.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from bench.measure import Goal, Row, Section, Spread, number, spread
from bench.session_jobs import scratch_folder

SESSIONS, RATE = 10, 500
BEFORE_S: Final = {"just begun": 0, "half an hour old": 1800}
WINDOWS, QUICK_WINDOWS = 9, 3
WINDOW_S: Final = 5.0
SETTLE_S: Final = 6.0
READY_S: Final = 60.0
CALM_PART: Final = 0.15  # of a core: a process that takes less has caught up
CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
SERVED: Final = re.compile(r"^dashboard: (http://\S+)$", re.MULTILINE)
CPU_GOAL: Final = Goal(50.0, at_least=False)
GAP_GOAL: Final = Goal(1.0, at_least=False)
WHOLE_SECONDS: Final = "as of"  # the head's clock: its text has no parts of a second
MIB: Final = 2**20
HERTZ: Final = os.sysconf("SC_CLK_TCK")
OBSERVE: Final = """
() => {
  const picture = document.querySelector('[data-drawn]');  // of a session: what it holds and its price may well stay the same for a look
  const figures = picture || document.querySelector('[data-label="Last price, Rs"]').closest('tbody');
  window.seen = {asOf: [], figures: []};
  const watch = (element, times) => new MutationObserver(() => {
    const now = performance.now() / 1000;
    if (!times.length || now - times.at(-1) > 0.1) times.push(now);  // what one look changes comes in several pieces
  }).observe(element, {childList: true, characterData: true, subtree: true, attributeFilter: ['data-drawn']});
  watch(document.querySelector('.looked'), window.seen.asOf);
  watch(figures, window.seen.figures);
}
"""


@dataclass
class Seen:
    """What some windows saw: one value for each, of the gaps one for each update."""

    cpu_percent: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    kilobytes: list[float] = field(default_factory=list)  # a second
    gaps_s: dict[str, list[float]] = field(default_factory=dict)  # by page and what changed


@dataclass
class Opened:
    """A page that is open, and what its sockets were told so far."""

    name: str
    page: Page
    told_bytes: int = 0


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (every section takes them)
    """Measure both stages."""
    windows = QUICK_WINDOWS if quick else WINDOWS
    section = Section(
        f"dashboard-load: {SESSIONS} sessions of {RATE} ticks a second, {windows} windows of {WINDOW_S:.0f} s"
    )
    for stage, before_s in BEFORE_S.items():
        with scratch_folder() as folder:
            for case, seen in _play(folder, before_s, windows):
                section.rows += _rows(f"{stage}, {case}", seen)
    section.notes.append(
        "processor time: of the process of the pages and its children, % of one core; gaps: from one change that the browser shows to"
        " the next; bytes: what the pages' sockets are told, before compression"
    )
    section.notes.append(f"sessions' writer, pages and browser share {os.cpu_count()} processors")
    return section


def _rows(case: str, seen: Seen) -> list[Row]:
    rows = [
        Row(
            f"{case}: processor",
            "%",
            spread(seen.cpu_percent),
            goal=CPU_GOAL,
            note=f"RSS {number(seen.rss_mib[-1])} MiB",
        )
    ]
    for name, gaps in seen.gaps_s.items():
        longest = max(gaps, default=float("inf"))
        rows.append(Row(f"{case}: gap of {name}", "s", spread(gaps), note=f"{len(gaps)} seen"))
        goal = None if name.endswith(WHOLE_SECONDS) else GAP_GOAL
        rows.append(Row(f"{case}: longest gap of {name}", "s", Spread(longest, longest, longest, 1), goal=goal))
    if seen.gaps_s:
        rows.append(Row(f"{case}: told", "kB/s", spread(seen.kilobytes)))
    return rows


def _play(folder: Path, before_s: int, windows: int) -> Iterator[tuple[str, Seen]]:
    with writer(folder / "runs", SESSIONS, RATE, before_s), pages(folder) as (process, link, url), ExitStack() as stack:
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        stack.callback(browser.close)
        context = browser.new_context()
        first = context.new_page()
        first.goto(link)
        first.locator("button").first.click()
        first.locator(".looked", has_text="as of").wait_for(timeout=READY_S * 1000)
        first.close()
        settle(process.pid)
        for case, paths in (
            ("nothing open", {}),
            ("overview", {"overview": "/"}),
            ("session", {"session": "/session/session-00"}),
            ("both", {"overview": "/", "session": "/session/session-00"}),
        ):
            opened = [_open(context.new_page(), name, url + path) for name, path in paths.items()]
            time.sleep(SETTLE_S)
            yield case, _watch(process.pid, opened, windows)
            for each in opened:
                each.page.close()


def settle(pid: int) -> None:
    """Wait till what was journaled before is read."""
    ends_s = time.monotonic() + READY_S
    spent_s = -READY_S
    while time.monotonic() < ends_s and (now_s := processor_s(pid)) - spent_s > CALM_PART * SETTLE_S:
        spent_s = now_s
        time.sleep(SETTLE_S)


def _open(page: Page, name: str, url: str) -> Opened:
    opened = Opened(name, page)

    def take(payload: str | bytes) -> None:
        opened.told_bytes += len(payload)

    page.on("websocket", lambda socket: socket.on("framereceived", take))
    page.goto(url)
    if name == "session":
        page.locator("[data-drawn]").first.wait_for(timeout=READY_S * 1000)
    return opened


def _watch(pid: int, opened: Sequence[Opened], windows: int) -> Seen:
    seen = Seen()
    for each in opened:
        each.page.evaluate(OBSERVE)
    for _ in range(windows):
        told, spent_s, began_s = _told(opened), processor_s(pid), time.monotonic()
        _wait(opened, WINDOW_S)
        took_s = time.monotonic() - began_s
        seen.cpu_percent.append(100 * (processor_s(pid) - spent_s) / took_s)
        seen.kilobytes.append((_told(opened) - told) / took_s / 1000)
        seen.rss_mib.append(sum(_rss_mib(each) for each in family(pid)))
    for each in opened:
        for what, times in each.page.evaluate("() => window.seen").items():
            name = f"{each.name}, {'figures' if what == 'figures' else WHOLE_SECONDS}"
            seen.gaps_s[name] = [after - before for before, after in pairwise(times)]
    return seen


def _wait(opened: Sequence[Opened], wait_s: float) -> None:
    if opened:
        opened[0].page.wait_for_timeout(1000 * wait_s)  # frames are counted meanwhile
    else:
        time.sleep(wait_s)


def _told(opened: Sequence[Opened]) -> int:
    return sum(each.told_bytes for each in opened)


@contextmanager
def writer(folder: Path, sessions: int, rate: int, before_s: int) -> Iterator[None]:
    """Have sessions written as long as this is open."""
    command = [sys.executable, "-m", "bench.journal_writer", str(folder), str(sessions), str(rate), str(before_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                sys.exit("the sessions' writer has not begun")
            yield
        finally:
            process.terminate()


@contextmanager
def pages(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Serve the pages of a folder's runs; yield the process, a link that lets a browser in, and where the pages are."""
    environ = {**os.environ, "MYQUANT_STATE": str(folder / "state")}
    command = [sys.executable, "-m", "myquant", "dashboard", "--directory", str(folder / "runs"), "--port", "0"]
    with (
        (folder / "said").open("w") as said,
        subprocess.Popen(command, cwd=folder, env=environ, stdout=said, stderr=said, text=True) as process,
    ):
        try:
            url = _served(folder / "said", process)
            link = [sys.executable, "-m", "myquant", "dashboard", "link"]
            said_link = subprocess.run(link, env=environ, check=True, capture_output=True, text=True).stdout
            yield process, said_link.strip(), url
        finally:
            process.terminate()


def _served(said: Path, process: subprocess.Popen[str]) -> str:
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if found := SERVED.search(said.read_text()):
            return found[1]
        time.sleep(0.05)
    sys.exit(f"the pages are not served: {said.read_text()[-2000:]}")


def family(pid: int) -> list[int]:
    """Return a process and all that it has begun."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [each for child in (task / "children").read_text().split() for each in family(int(child))]
    return found


def processor_s(pid: int) -> float:
    """Return the processor time of a process and its children, those that have ended included."""
    total = 0
    for each in family(pid):
        words = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, words[11:15]))
    return total / HERTZ


def _rss_mib(pid: int) -> float:
    words = Path(f"/proc/{pid}/statm").read_text().split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / MIB
