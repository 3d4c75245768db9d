"""The report in a real browser, from a file: no network, no error, charts, themes, sorting."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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
DRAWN = "document.querySelectorAll('.chart .main-svg').length >= document.querySelectorAll('.chart').length"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
CHART_BACKGROUND = "document.querySelector('.chart').layout.paper_bgcolor"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = rich_record()
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(record, summary(record)), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """Open the report; at the end of the test no request but its own and no word on the console may have been seen."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    requests: list[str] = []
    complaints: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(report.as_uri())
    opened.wait_for_function(DRAWN)
    yield opened
    opened.close()
    assert requests == [report.as_uri()]
    assert complaints == []


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
    page.wait_for_function(f"{CHART_BACKGROUND} !== {light!r}")
    page.get_by_role("button", name="Light theme").wait_for()


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
    page.get_by_label("Instrument").select_option("NIFTY07OCT2524900PE")
    page.wait_for_function("document.querySelector('.chart').data.some(trace => trace.name === 'Session end')")
    assert "Stop loss" not in trace_names(page)


def test_time_axes_zoom_together(page: Page) -> None:
    ranges = "[...document.querySelectorAll('.chart')].slice(0, 2).map(chart => String(chart.layout.xaxis.range))"
    page.evaluate(
        "Plotly.relayout(document.querySelector('.chart'), "
        "{'xaxis.range[0]': '2025-10-03 09:30', 'xaxis.range[1]': '2025-10-03 10:30'})"
    )
    page.wait_for_function(f"(([price, equity]) => price === equity)({ranges})")


def test_nights_are_not_drawn(page: Page) -> None:
    breaks = "document.querySelector('.chart').layout.xaxis.rangebreaks.length"
    assert page.evaluate(breaks) == 1


def test_a_phone_scrolls_no_page_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_print_is_light_whatever_the_screen(page: Page) -> None:
    light = page.evaluate(CHART_BACKGROUND)
    page.get_by_role("button", name="Dark theme").click()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function(f"{CHART_BACKGROUND} === {light!r}")
    assert page.locator("details[open]").count() == 1


def test_a_run_without_trades_draws_as_well(browser: Browser, tmp_path: Path) -> None:
    record = make_record()
    path = tmp_path / "empty.html"
    path.write_text(render_report(record, summary(record)), encoding="utf-8")
    empty = browser.new_page()
    complaints: list[str] = []
    empty.on("pageerror", lambda error: complaints.append(str(error)))
    empty.goto(path.as_uri())
    empty.wait_for_function(DRAWN)
    empty.close()
    assert complaints == []
