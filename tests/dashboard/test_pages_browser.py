"""Every page in a real browser, while a lab with faults feeds sessions: who gets in, what is seen, and what can be done."""

import inspect
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from dashboard.desk import BACKTESTS, BASELINES, HELD, IDLE, PRACTICE, Desk, on_desk
from dashboard.doors import PASSWORD, VIEWERS
from dashboard.looker import (
    BACKGROUND,
    FITS,
    FOCUSED,
    GROUNDS,
    IN_DIALOG,
    IS_DARK,
    NOT_BEHIND,
    OUTLINE,
    PICTURES,
    POINTS,
    Looker,
    looking,
)
from monitor.drill import kill, stopped
from myquant.dashboard.charts import DARK, LIGHT
from myquant.dashboard.components import ROWS_SHOWN
from myquant.dashboard.frame import LOOKS_ONLY
from myquant.dashboard.service import PAGES, RECONNECT_S
from myquant.session.log_files import FILE
from results.test_report_browser import CHROMIUM, FLAGS

WIDE_RUN, NARROW_RUN = BACKTESTS
# Each page: where it is registered, where it is opened, and what is there once it is filled.
WALK = {
    "overview": ("/", "/", f"tr:has-text('{HELD}')"),
    "session": ("/session/{name:path}", f"/session/{PRACTICE}", "[data-drawn] >> nth=2"),
    "alerts": ("/alerts", "/alerts", "text=Test of the channels"),
    "logs": ("/logs", "/logs?since=5m&text=order&most=200", ".log .line"),
    "runs": ("/runs", "/runs", f"tr:has-text('{WIDE_RUN}')"),
    "run": ("/runs/run", f"/runs/run?key={WIDE_RUN}", "dt:has-text('Configuration')"),
    "compare": ("/runs/compare", f"/runs/compare?a={WIDE_RUN}&b={NARROW_RUN}", "td:has-text('risk.base_sl_points')"),
    "evidence": ("/evidence", f"/evidence?run={BASELINES[0]}", "td:has-text('pipeline.')"),
}
# What is served besides, each opened as a page of its own, and what it says.
FILES = {
    "report": ("/runs/file", f"/runs/file?key={WIDE_RUN}&name=report.html", "Equity"),
    "execution": ("/execution", f"/execution?session={HELD}", HELD),
}
REGISTERED = re.compile(r"@(?:ui\.page|app\.get)\(\s*\"([^\"]+)\"")
CUT_OFF_S = RECONNECT_S / 2
CHANGES = 8  # of the time of the last look
# Counts them, while it waits for them.
WATCH_CHANGES = """async (wanted) => {
  const read = () => (document.querySelector('.head').innerText.match(/as of ([0-9:]+)/) || [])[1];
  const seen = new Set();
  while (seen.size < wanted) { seen.add(read()); await new Promise((done) => setTimeout(done, 50)); }
  return seen.size;
}"""
ACT = """async ([path, body]) => (await fetch(path, {method: 'POST', body: JSON.stringify(body),
  headers: {'Content-Type': 'application/json'}})).status"""
LISTEN = (
    "window.pressed = []; window.socket.onAnyOutgoing((name, sent) => name === 'event' && window.pressed.push(sent));"
)
SEND = "(press) => window.socket.emit('event', press)"
SHAKE_HANDS = "(greeting) => new Promise((done) => window.socket.emit('handshake', greeting, done))"
READ = "async (path) => (await fetch(path)).status"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with on_desk(tmp_path_factory.mktemp("desk")) as found:
        if PICTURES:
            with looking(browser, found, PASSWORD) as looker:
                looker.page.wait_for_timeout(100_000)  # so that there is something to see
        yield found


@pytest.fixture(scope="module")
def operator(browser: Browser, desk: Desk) -> Iterator[Looker]:
    with looking(browser, desk, PASSWORD) as found:
        yield found


@pytest.fixture
def looker(operator: Looker) -> Iterator[Looker]:
    """Give the operator; whatever he did, no page complained or asked others for anything."""
    yield operator
    operator.look("light")
    assert operator.complaints == []
    assert operator.strangers() == []


@pytest.fixture
def stranger(browser: Browser, desk: Desk) -> Iterator[Looker]:
    with looking(browser, desk) as found:
        yield found


def test_nobody_gets_in_without_a_password(desk: Desk, stranger: Looker) -> None:
    for _, path, _ in (*WALK.values(), *FILES.values()):
        answer = stranger.page.goto(desk.url + path)
        assert answer is not None
        assert stranger.page.url == f"{desk.url}/login", path
    for path in ("/api/health", "/api/sessions"):
        assert desk.served.ask("GET", path)[0] == 401
    assert desk.served.shake_hands() == 403
    stranger.log_in("one that is wrong")
    expect(stranger.page.get_by_role("alert")).to_contain_text("not the password")
    stranger.page.goto(desk.url)
    assert stranger.page.url == f"{desk.url}/login"
    stranger.pictures("login", "#password")


def test_a_link_lets_one_browser_in_once(desk: Desk, stranger: Looker) -> None:
    link = desk.link()
    for is_good in (True, False):
        stranger.page.goto(link)
        if is_good:
            stranger.page.get_by_role("button", name="Enter").click()
            expect(stranger.page.get_by_role("heading", name="Overview")).to_be_visible()
            stranger.page.context.clear_cookies()
    assert stranger.page.get_by_role("button", name="Enter").count() == 0
    stranger.page.goto(desk.url)
    assert stranger.page.url == f"{desk.url}/login"


def test_every_page_is_walked() -> None:
    found = [REGISTERED.findall(inspect.getsource(each)) for each in PAGES]
    assert all(found)
    assert {path for paths in found for path in paths} == {path for path, _, _ in (*WALK.values(), *FILES.values())}


def test_a_session_that_is_killed_is_seen_and_acknowledged(desk: Desk, looker: Looker) -> None:
    page = looker.open("/")
    kill(desk.sessions[IDLE])
    expect(looker.row("Findings of the last look", IDLE).filter(has_text="is gone")).to_be_visible()
    expect(looker.row("Sessions", IDLE)).to_contain_text("failed")
    number = desk.raised("engine_dead", IDLE, channels=["hook"]).alert.number
    looker.open("/alerts")
    expect(looker.row("Alerts that nobody sees to yet", IDLE).filter(has_text="engine_dead")).to_be_visible()
    page.get_by_role("button", name=f"Acknowledge alert {number}", exact=True).click()
    looker.dialog().get_by_label("Note").fill("its machine is being looked at")
    looker.confirm()
    seen = looker.row("Alerts that somebody sees to", IDLE).filter(has_text="engine_dead")
    expect(seen).to_contain_text("its machine is being looked at")
    expect(looker.dialog()).to_be_hidden()
    alert = desk.alert("engine_dead", IDLE)
    assert alert is not None
    assert alert.note == "its machine is being looked at"


def test_channels_are_tested(desk: Desk, looker: Looker) -> None:
    page = looker.open("/alerts")
    before = len(desk.sinks.arrivals("hook"))
    page.get_by_role("button", name="Send a test message").click()
    expect(page.get_by_text("2 of 2 channels took the message")).to_be_visible()
    assert len(desk.sinks.arrivals("hook")) > before


def test_a_feed_that_is_cut_is_seen_and_so_is_its_end(desk: Desk, looker: Looker) -> None:
    looker.open("/")
    faults = looker.row("Findings of the last look", HELD).filter(has_text=re.compile("feed", re.IGNORECASE))
    with stopped(desk.lab.child):
        expect(faults.first).to_be_visible()
    expect(faults).to_have_count(0)


@pytest.mark.parametrize("name", WALK)
def test_a_page_is_whole_light_dark_and_on_a_phone(name: str, looker: Looker) -> None:
    _, path, there = WALK[name]
    page = looker.open(path)
    expect(page.locator(there).first).to_be_visible()
    assert page.locator("h1").count() == 1
    light = page.evaluate(BACKGROUND)
    looker.look("phone")
    looker.until(FITS)
    looker.look("dark")
    looker.until(IS_DARK)
    assert page.evaluate(BACKGROUND) != light
    looker.look("light")
    looker.pictures(name, there)


@pytest.mark.parametrize("name", FILES)
def test_a_report_opens(name: str, desk: Desk, looker: Looker) -> None:
    _, path, says = FILES[name]
    answer = looker.page.goto(desk.url + path)
    assert answer is not None
    assert answer.status == 200
    expect(looker.page.locator("body")).to_contain_text(says)


def test_what_is_shown_goes_on(looker: Looker) -> None:
    page = looker.open("/")
    assert page.evaluate(WATCH_CHANGES, CHANGES) == CHANGES


def test_pictures_are_drawn_and_grow(looker: Looker) -> None:
    page = looker.open(f"/session/{PRACTICE}")
    looker.wait("all three are drawn", lambda: (drawn := page.evaluate(POINTS))[:3] and min(drawn[:3]) > 0)
    before = page.evaluate(POINTS)[:3]
    looker.wait("prices and P&L go on", lambda: all(map(int.__lt__, before[:2], page.evaluate(POINTS)[:2])))


@pytest.mark.parametrize("name", ["session", "compare", "evidence"])
@pytest.mark.parametrize("is_open", [True, False])
def test_pictures_have_the_colours_of_the_theme(name: str, looker: Looker, *, is_open: bool) -> None:
    _, path, _ = WALK[name]
    for theme, palette in (("dark", DARK), ("light", LIGHT)):
        if not is_open:
            looker.page.goto("about:blank")  # the system's theme changes while no page is open
        looker.look(theme)
        page = looker.open(path)
        looker.wait("the pictures are of it", lambda: set(page.evaluate(GROUNDS)) == {palette.ground})  # noqa: B023  (called at once)
        looker.until(IS_DARK if theme == "dark" else f"!({IS_DARK})")


def test_a_long_table_shows_more_when_asked(desk: Desk, looker: Looker) -> None:
    line = '{"time": "2026-11-23T03:51:07.000000000Z", "level": "info", "event": "said"}\n'
    with (desk.stage.folder / "runs" / IDLE / FILE).open("a") as log:
        log.write(line * 2 * ROWS_SHOWN)
    page = looker.open(f"/session/{IDLE}")
    rows = page.locator("table", has_text="Events of the log").locator("tbody tr")
    expect(rows).to_have_count(ROWS_SHOWN)
    more = page.get_by_role("region", name="Events of the log").locator("xpath=following-sibling::button")
    expect(more).to_have_text(re.compile(r"Show \d+ more"))
    more.click()
    looker.wait("the others come", lambda: rows.count() > ROWS_SHOWN)
    expect(more).to_be_hidden()
    page.wait_for_timeout(1500)  # updates leave them
    assert rows.count() > ROWS_SHOWN


def test_halt_resume_and_flatten(desk: Desk, looker: Looker) -> None:
    page = looker.open(f"/session/{HELD}")
    looker.wait("its slippage is drawn", lambda: len(page.evaluate(POINTS)) == 4 and page.evaluate(POINTS)[3] > 0)
    looker.pictures("orders", "[data-drawn] >> nth=3", begin="Orders")
    for action, reason, is_allowed in (("Halt", "news at ten", False), ("Resume", "it is over", True)):
        page.get_by_role("button", name=action, exact=True).click()
        expect(looker.dialog()).to_contain_text("REAL ORDERS")
        looker.dialog().get_by_label("Reason").fill(reason)
        looker.confirm()
        expect(looker.dialog()).to_be_hidden()
        looker.wait(f"{action} is done", lambda: desk.status(HELD)["entries"]["allowed"] is is_allowed)  # noqa: B023  (called at once)
        expect(page.locator("dl", has_text="Entries").first).to_contain_text("allowed" if is_allowed else "since")
    page.get_by_role("button", name="Flatten", exact=True).click()
    expect(looker.dialog()).to_contain_text("Sells 75 units")
    looker.picture("dialog-flatten", whole=False)
    looker.confirm()
    expect(looker.dialog()).to_contain_text("Type the session's name first")
    assert not desk.is_flat_at_lab()
    looker.dialog().get_by_label("Type the session's name").fill(HELD)
    looker.confirm()
    expect(looker.dialog()).to_be_hidden()
    looker.wait("the lab's book is flat", desk.is_flat_at_lab)
    expect(page.locator("dl", has_text="Position").first).to_contain_text("flat")


def test_who_may_only_look_does_nothing(browser: Browser, desk: Desk) -> None:
    with looking(browser, desk, VIEWERS) as viewer:
        page = viewer.open(f"/session/{PRACTICE}")
        expect(page.get_by_text(LOOKS_ONLY)).to_be_visible()
        assert page.get_by_role("button", name=re.compile("^(Halt|Resume|Flatten)")).count() == 0
        viewer.open("/alerts")
        for name in ("Acknowledge all", "Send a test message"):
            button = page.get_by_role("button", name=name)
            assert button.get_attribute("aria-disabled") == "true"
            button.click(force=True)
        assert viewer.dialog().count() == 0
        for path, body in (
            (f"/api/sessions/{PRACTICE}/halt", {"confirm": "x", "reason": ""}),
            ("/api/alerts/test", {}),
            ("/api/links", {"role": "viewer"}),
        ):
            assert page.evaluate(ACT, [path, body]) == 403
        assert desk.status(PRACTICE)["entries"]["allowed"]


def test_a_page_that_was_cut_off_for_a_while_goes_on_with_its_dialog(looker: Looker) -> None:
    page = looker.open(f"/session/{PRACTICE}")
    page.get_by_role("button", name="Halt", exact=True).click()
    looker.dialog().get_by_label("Reason").fill("half written")
    page.evaluate("window.isTheSame = true; window.socket.disconnect()")
    page.wait_for_timeout(CUT_OFF_S * 1000)
    page.evaluate("window.socket.connect()")
    before = page.locator("#looked").inner_text()
    looker.wait("updates come again", lambda: page.locator("#looked").inner_text() != before)
    assert page.evaluate("window.isTheSame")
    assert looker.dialog().get_by_label("Reason").input_value() == "half written"
    page.keyboard.press("Escape")


def test_a_page_hears_no_socket_but_its_own(browser: Browser, desk: Desk, looker: Looker) -> None:
    page = looker.open(f"/session/{PRACTICE}")
    page.evaluate(LISTEN)
    page.get_by_role("button", name="Halt", exact=True).click()
    expect(looker.dialog()).to_be_visible()
    page.keyboard.press("Escape")
    expect(looker.dialog()).to_be_hidden()
    press = page.evaluate("window.pressed[0]")
    with looking(browser, desk, VIEWERS) as viewer:
        assert viewer.page.evaluate("window.clientId") != press["client_id"]
        viewer.page.evaluate(SEND, press)
        greeting = {"client_id": press["client_id"], "tab_id": page.evaluate("TAB_ID"), "document_id": "x"}
        assert viewer.page.evaluate(SHAKE_HANDS, greeting) is False
        page.wait_for_timeout(1000)
        assert looker.dialog().count() == 0
    page.evaluate(SEND, press)  # by its own it opens
    expect(looker.dialog()).to_be_visible()
    page.keyboard.press("Escape")


def test_a_logout_ends_all_that_is_open(browser: Browser, desk: Desk) -> None:
    with looking(browser, desk, PASSWORD) as first:
        first.wait("the page's socket", lambda: bool(first.sockets))
        ended: list[object] = []
        first.sockets[-1].on("close", lambda socket: ended.append(socket))  # noqa: PLW0108  (it wants a function of ours)
        other = first.page.context.new_page()
        other.goto(desk.url)
        other.get_by_role("button", name="Log out").click()
        other.wait_for_url(f"{desk.url}/login")
        first.wait("the socket of the other page ends", lambda: bool(ended))
        assert first.page.evaluate(READ, "/api/health") == 401
        first.page.goto(desk.url)
        assert first.page.url == f"{desk.url}/login"


def test_all_is_reached_by_keyboard(looker: Looker) -> None:
    page = looker.open(f"/session/{PRACTICE}")
    wanted = ["Overview", "Alerts", "Logs", "Runs", "Evidence", "Theme: system", "Log out", "Halt", "Resume", "Flatten"]
    page.get_by_role("button", name="Halt", exact=True).wait_for()
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(str(page.evaluate(FOCUSED)).strip())
        assert page.evaluate(OUTLINE) != "none", reached
        if reached[-1] == wanted[-1]:
            break
    assert [each for each in reached if each in wanted] == wanted
    page.get_by_role("button", name="Halt", exact=True).focus()
    page.keyboard.press("Enter")
    expect(looker.dialog()).to_be_visible()
    looker.until(IN_DIALOG)
    for _ in range(5):
        page.keyboard.press("Tab")
        looker.until(NOT_BEHIND)
    page.keyboard.press("Escape")
    expect(looker.dialog()).to_be_hidden()
    looker.until("document.activeElement.innerText === 'Halt'")


def test_the_theme_is_chosen_and_kept(stranger: Looker) -> None:
    stranger.log_in(PASSWORD)
    page = stranger.page
    for said, is_dark in (("light", False), ("dark", True)):
        page.locator("#theme").click()
        expect(page.locator("#theme")).to_have_text(f"Theme: {said}")
        stranger.until(IS_DARK if is_dark else f"!({IS_DARK})")
    stranger.open("/runs")
    stranger.until(IS_DARK)
