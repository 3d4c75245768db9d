"""The page of a baseline, as text and in a real browser: no network, no error, charts, themes, a phone's width."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from evidence.baselines import MACHINE, make_breakdown, make_facts, make_report
from myquant.evidence.build import build_report
from myquant.evidence.gate import judge
from myquant.evidence.html import render_baseline
from myquant.evidence.report import BaselineReport
from myquant.results.report import plotly_source

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
CHART_BACKGROUND = "document.querySelector('.chart').layout.paper_bgcolor"
SHARES = {"logging": 52.0, "csv_write": 12.0, "queue_ops": 20.0}


def page_of(report: BaselineReport) -> str:
    """Return the page without the chart library."""
    return render_baseline(report, judge(report, report.thresholds)).replace(plotly_source(), "")


def text_of(report: BaselineReport) -> str:
    body = page_of(report).split("<body>")[1]
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)).split())


def test_it_says_verdicts_components_and_what_they_belong_to() -> None:
    report = make_report(SHARES, ticks=8_000, pauses=3, absent=("dataframe_ops",))
    text = text_of(report)
    for expected in (
        "Baseline run-1",
        "logging IMPLEMENT",
        "csv_write SKIP",
        "dataframe_ops UNKNOWN – 25.0 append",
        "not measured: the pipeline has no such part",
        "Delay from the exchange: unknown; the ticks are a recorded day&#39;s.",
        "Set pipeline.logging",
        "a processor, 2 cores, governor unknown, Linux 6.1",
        report.environment.config_hash,
        report.environment.input_hash,
        "1 tick in 1 (8,000)",
    ):
        assert expected in text


def test_nothing_that_a_name_says_becomes_markup() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    facts = make_facts(run_id=evil, source=evil, machine=replace(MACHINE, cpu=evil))
    page = page_of(build_report(make_breakdown(SHARES), facts))
    assert "<img" not in page


def test_its_charts_have_every_measured_component_with_its_interval() -> None:
    report = make_report(SHARES, absent=("dataframe_ops",))
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page_of(report), re.DOTALL)
    assert found is not None
    bars, marks = json.loads(found[1])["breakdown"]["data"]
    measured = {name for name, each in report.component_breakdown.items() if each.measured}
    assert set(bars["y"]) == measured
    assert bars["y"][0] == "logging"
    assert min(bars["error_x"]["array"][:4]) > 0
    assert dict(zip(marks["y"], marks["x"], strict=True)) == {"logging": 40.0, "csv_write": 30.0, "queue_ops": 20.0}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


def until(page: Page, condition: str) -> None:
    """Wait for a condition. (The page allows no eval, which Playwright's own waiting needs.)"""
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(condition)


def test_it_opens_from_a_file_in_light_dark_and_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "baseline.html"
    report = make_report(SHARES, pauses=6)
    path.write_text(render_baseline(report, judge(report, report.thresholds)), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    until(page, "[...document.querySelectorAll('.chart')].every(chart => chart.querySelector('.main-svg'))")
    assert page.locator(".chart").count() == 3
    assert page.locator(".chart .barlayer .point").count() == 12
    light = page.evaluate(CHART_BACKGROUND)
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(CHART_BACKGROUND) != light
    page.get_by_role("button", name="Light theme").click()
    page.emulate_media(color_scheme="dark")
    page.evaluate("delete document.documentElement.dataset.theme")
    page.set_viewport_size({"width": 360, "height": 740})
    until(page, "document.documentElement.scrollWidth <= 360")
    assert requests == [path.as_uri()]
    assert complaints == []
