"""`myquant dashboard` as a process with a browser at it: pages that get no news say so, and a signal ends it with all that it began."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, sync_playwright

from dashboard.doors import HASH, VIEWERS_HASH
from laws.test_no_password_in_files import leaks
from myquant.dashboard.card import CARD, ask_dashboard, read_card
from myquant.session.log_files import FILE
from results.test_report_browser import CHROMIUM, FLAGS

BEGIN_S = END_S = 60.0
STALE = "#stale"


class Served(NamedTuple):
    process: "subprocess.Popen[bytes]"
    state: Path

    def enter(self, page: Page) -> str:
        """Come in by a link; return where the pages are."""
        page.goto(ask_dashboard(self.state / "monitor", "POST", "/api/links", {"role": "operator"})["url"])
        page.locator("button, input[type=submit]").first.click()
        page.wait_for_selector("#looked")
        card = read_card(self.state / "monitor")
        assert card is not None
        return card.url


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    state, runs = tmp_path / "state", tmp_path / "runs"
    (runs / "monday").mkdir(parents=True)
    (runs / "monday" / FILE).write_text(
        '{"time": "2026-11-23T03:51:07.000000000Z", "level": "info", "event": "begun"}\n'
    )
    settings = {"PORT": "0", "UPDATE_S": "0.2", "PASSWORD_HASH": HASH, "VIEWER_PASSWORD_HASH": VIEWERS_HASH}
    environ = {f"MYQUANT_DASHBOARD__{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "myquant", "dashboard", "--directory", str(runs)]
    everything = os.environ | environ | {"MYQUANT_STATE": str(state)}
    with subprocess.Popen(command, env=everything, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline_s = time.monotonic() + BEGIN_S
            while read_card(state / "monitor") is None:
                assert process.poll() is None
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
            yield Served(process, state)
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    """Return the processes that a process has begun, and those that they have."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in tasks.read_text().split()]
    return found + [each for child in found for each in children(child)]


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: apt-get install chromium")
def test_pages_without_news_say_so_and_a_signal_ends_all(served: Served) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context()
        first, other = context.new_page(), context.new_page()
        url = served.enter(first)
        other.goto(f"{url}/alerts")
        other.wait_for_function("/as of \\d/.test(document.querySelector('#looked').textContent)")
        first.get_by_text("Log out").click()
        first.wait_for_url("**/login")
        other.wait_for_selector(STALE)
        assert "You are logged out. What is shown is of " in other.inner_text(STALE)
        other.click(f"{STALE} a")
        other.wait_for_url("**/login")

        served.enter(first)
        other.goto(f"{url}/logs?follow=1")
        other.get_by_text("begun").first.wait_for()
        begun = children(served.process.pid)
        assert begun  # the search
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(END_S) == 0
        for page in (first, other):
            page.wait_for_selector(STALE)
            assert "can't be reached. What is shown is of " in page.inner_text(STALE)
        browser.close()
    assert not any(map(is_alive, begun))
    assert not (served.state / "monitor" / CARD).exists()
    assert '"event": "left"' in (served.state / "dashboard" / FILE).read_text()
    assert leaks(served.state) == []


HANGS = """
import signal, sys, threading, uvicorn
from myquant.dashboard.serving import Server

async def app(scope, receive, send):
    while True:
        if (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
            signal.raise_signal(signal.SIGTERM)
        else:
            threading.Event().wait()

Server(uvicorn.Config(app, port=0, log_config=None), lambda: print("gave up", flush=True), end_s=0.1).run()
"""


def test_what_hangs_does_not_keep_it_from_ending() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=END_S, check=False)
    assert (done.returncode, done.stdout) == (0, "gave up\n"), done.stderr
