"""The page of a session of 5 million ticks in a real browser: from the click to the price drawn, and to its orders.

First: the process of the pages has just read the folder and never opened that session; the browser has seen no picture. Again: both have.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from bench.dashboard_load import CHROMIUM, FLAGS, READY_S, pages, settle, writer
from bench.measure import Goal, Row, Section, spread
from bench.session_jobs import scratch_folder

RATE: Final = 500
BEFORE_S, QUICK_BEFORE_S = 10_000, 1_000
OPENINGS, QUICK_OPENINGS = 5, 3  # each by pages and a browser of its own
GOAL_S: Final = Goal(2.0, at_least=False)
SESSION: Final = "/session/session-00"
PRICE_DRAWN: Final = """
() => {
  const chart = [...document.querySelectorAll('.nicegui-echart')].map((each) => window.getElement(Number(each.id.slice(1)))?.chart)[0];
  return chart?.getOption()?.series?.some((each) => each.id === 'price' && each.data.length > 100);
}
"""
ORDERS_SHOWN: Final = (
    """() => [...document.querySelectorAll('td')].some((cell) => cell.textContent.trim() === 'filled')"""
)


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (every section takes them)
    """Measure the openings, first and again."""
    before_s = QUICK_BEFORE_S if quick else BEFORE_S
    section = Section(f"dashboard-page: a session of {RATE * before_s:,} ticks, to what its page shows in a browser")
    found: dict[str, list[float]] = {}
    with scratch_folder() as folder:
        with writer(folder / "runs", 1, RATE, before_s):
            pass
        for _ in range(QUICK_OPENINGS if quick else OPENINGS):
            _play(folder, found)
    section.rows += [Row(name, "s", spread(times), goal=GOAL_S) for name, times in found.items()]
    return section


def _play(folder: Path, found: dict[str, list[float]]) -> None:
    with pages(folder) as (process, link, url), ExitStack() as stack:
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        stack.callback(browser.close)
        page = browser.new_context().new_page()
        page.goto(link)
        page.locator("button").first.click()
        page.locator(".looked", has_text="as of").wait_for(timeout=READY_S * 1000)
        settle(process.pid)
        for when in ("first", "again"):
            for what, took_s in _open(page, url + SESSION).items():
                found.setdefault(f"{when}: {what}", []).append(took_s)
            page.goto(url)


def _open(page: Page, url: str) -> dict[str, float]:
    begins_s, took_s = time.monotonic(), {}
    page.goto(url, wait_until="commit")
    for what, is_there in (("price drawn", PRICE_DRAWN), ("orders shown", ORDERS_SHOWN)):
        page.wait_for_function(is_there, timeout=READY_S * 1000, polling=10)
        took_s[what] = time.monotonic() - begins_s
    return took_s
