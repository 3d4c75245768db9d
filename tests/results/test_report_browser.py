"""The report in a real browser, from a file: no network, no error, charts, themes, sorting."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from myquant.results.record import RunRecord
from myquant.results.report import render_report
from myquant.results.summary import summary
from results.sample import make_record, rich_record

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
CHART_BACKGROUND = "document.querySelector('.chart').layout.paper_bgcolor"
# As it was when it opened.
RESET = """() => {
  document.getElementById("symbol").value = "0";
  const trade = document.querySelector(".sortable th button");
  do trade.click(); while (trade.parentElement.ariaSort !== "ascending");
  delete document.documentElement.dataset.theme;
  dispatchEvent(new Event("afterprint"));
  return Promise.all([0, 1].map((place) =>
    Plotly.relayout(document.querySelectorAll(".chart")[place], {"xaxis.autorange": true})));
}"""

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: apt-get install chromium")


class Opened(NamedTuple):
    """A page with the addresses that it asked for and what it complained of."""

    page: Page
    requests: list[str]
    complaints: list[str]


def until(page: Page, condition: str) -> None:
    """Wait for a condition. (The page allows no eval, which Playwright's own waiting needs.)"""
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(condition)


def open_report(browser: Browser, path: Path, record: RunRecord) -> Opened:
    path.write_text(render_report(record, summary(record)), encoding="utf-8")
    opened = Opened(browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light"), [], [])
    opened.page.set_default_timeout(10_000)
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.goto(path.as_uri())
    until(opened.page, "[...document.querySelectorAll('.chart')].every(chart => chart.querySelector('.main-svg'))")
    return opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return open_report(browser, tmp_path_factory.mktemp("report") / "report.html", rich_record())


@pytest.fixture
def page(opened: Opened) -> Iterator[Page]:
    """Give the open report; after a test it is as before, and has asked for nothing and said nothing on the console."""
    yield opened.page
    opened.page.emulate_media(color_scheme="light", media="screen")
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    opened.page.evaluate(RESET)
    assert [url for url in opened.requests if not url.endswith("/report.html")] == []
    assert len(opened.requests) == 1
    assert opened.complaints == []


def trace_names(page: Page) -> list[str]:
    names: list[str] = page.evaluate("document.querySelector('.chart').data.map(trace => trace.name)")
    return names


def column(page: Page, place: int) -> list[str]:
    return page.locator(f".sortable tbody td:nth-child({place})").all_text_contents()


def test_it_opens_with_all_charts_drawn(page: Page) -> None:
    assert page.locator(".chart").count() == 5
    assert page.locator(".chart .scatterlayer .trace").count() > 5
    assert page.locator(".chart .barlayer .point").count() >= 3
    assert {"Price", "Entry", "Stop loss", "Trailing stop", "Take profit 1"} <= set(trace_names(page))


def test_the_button_changes_page_and_charts_and_keeps_the_zoom(page: Page) -> None:
    page.evaluate("Plotly.relayout(document.querySelector('.chart'), {'xaxis.range': ['2025-10-03', '2025-10-04']})")
    zoomed = page.evaluate("document.querySelector('.chart').layout.xaxis.range")
    light = (page.evaluate(BACKGROUND), page.evaluate(CHART_BACKGROUND))
    page.get_by_role("button", name="Dark theme").click()
    dark = (page.evaluate(BACKGROUND), page.evaluate(CHART_BACKGROUND))
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert page.evaluate("document.querySelector('.chart').layout.xaxis.range") == zoomed
    page.get_by_role("button", name="Light theme").click()
    assert (page.evaluate(BACKGROUND), page.evaluate(CHART_BACKGROUND)) == light


def test_it_follows_the_system_theme(page: Page) -> None:
    light = page.evaluate(CHART_BACKGROUND)
    page.emulate_media(color_scheme="dark")
    until(page, f"{CHART_BACKGROUND} !== {light!r}")
    assert page.get_by_role("button", name="Light theme").is_visible()


def test_the_trade_table_sorts_by_keyboard(page: Page) -> None:
    assert column(page, 1) == ["1", "2", "3", "4", "5"]
    net = page.get_by_role("button", name="Net", exact=True)
    net.focus()
    net.press("Enter")
    assert column(page, 1) == ["3", "2", "1", "4", "5"]
    net.press("Enter")
    assert column(page, 1) == ["5", "4", "1", "2", "3"]
    assert page.locator(".sortable th[aria-sort=descending]").text_content() == "Net"
    page.get_by_role("button", name="Reason").click()
    assert column(page, 12) == sorted(column(page, 12))


def test_another_instrument_can_be_chosen(page: Page) -> None:
    page.locator("#symbol").select_option("NIFTY07OCT2524900PE")
    until(page, "document.querySelector('.chart').data.some(trace => trace.name === 'Session end')")
    assert "Stop loss" not in trace_names(page)


def test_time_axes_zoom_together(page: Page) -> None:
    ranges = "[...document.querySelectorAll('.chart')].slice(0, 2).map(chart => String(chart.layout.xaxis.range))"
    page.evaluate(
        "Plotly.relayout(document.querySelector('.chart'), "
        "{'xaxis.range[0]': '2025-10-03 09:30', 'xaxis.range[1]': '2025-10-03 10:30'})"
    )
    until(page, f"(([price, equity]) => price === equity)({ranges})")


def test_nights_are_not_drawn(page: Page) -> None:
    breaks = "document.querySelector('.chart').layout.xaxis.rangebreaks.length"
    assert page.evaluate(breaks) == 1


def test_a_phone_scrolls_no_page_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    until(page, "document.documentElement.scrollWidth <= 360")


def test_print_is_light_and_fits_the_paper_whatever_the_screen(page: Page) -> None:
    width = "document.querySelector('.chart').offsetWidth"
    light, wide = page.evaluate(CHART_BACKGROUND), page.evaluate(width)
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate(CHART_BACKGROUND)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(CHART_BACKGROUND) == light
    assert page.evaluate("document.querySelector('.chart .main-svg').clientWidth") == page.evaluate(width) <= 700
    assert page.locator("details[open]").count() == 1
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(CHART_BACKGROUND) == dark
    assert page.evaluate(width) == wide
    until(page, f"document.querySelector('.chart .main-svg').clientWidth === {wide}")


def test_a_run_without_trades_draws_as_well(browser: Browser, tmp_path: Path) -> None:
    empty = open_report(browser, tmp_path / "empty.html", make_record())
    empty.page.close()
    assert empty.complaints == []
