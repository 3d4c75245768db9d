"""Somebody who looks at the pages in a real browser: what they asked for, what they complained of, and pictures of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from dashboard.desk import Desk

PICTURES: Final = os.environ.get("MYQUANT_PICTURES", "")  # a folder: pictures of all pages are put there
WAIT_MS: Final = 30_000.0
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PICTURE_HEIGHT_MAX: Final = 1500
PICTURE_BYTES_MAX: Final = 145_000
QUALITIES: Final = (78, 66, 54, 42, 30)
# It shows how things stand, and its socket is open: what is pressed arrives.
AS_OF: Final = "window.did_handshake && /as of [0-9]/.test(document.querySelector('.head')?.innerText)"
FITS: Final = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
POINTS: Final = """() => [...document.querySelectorAll('.nicegui-echart')].map((each) =>
  (window.getElement(Number(each.id.slice(1))).chart?.getOption().series ?? []).reduce((sum, line) => sum + line.data.length, 0))"""
GROUNDS: Final = """() => [...document.querySelectorAll('.nicegui-echart')].map((each) =>
  window.getElement(Number(each.id.slice(1))).chart?.getOption().backgroundColor)"""
IS_DARK: Final = "document.body.classList.contains('body--dark')"
BACKGROUND: Final = "getComputedStyle(document.body).backgroundColor"
TOP: Final = """(text) => [...document.querySelectorAll('h2')].find((each) => each.innerText === text)
  .getBoundingClientRect().top + scrollY - 12"""
FOCUSED: Final = "document.activeElement.innerText || document.activeElement.getAttribute('aria-label') || ''"
OUTLINE: Final = "getComputedStyle(document.activeElement).outlineStyle"
IN_DIALOG: Final = "document.activeElement.closest('.q-dialog') !== null"
NOT_BEHIND: Final = (
    f"{IN_DIALOG} || document.activeElement === document.body"  # behind its last field, the browser's own
)

expect.set_options(timeout=WAIT_MS)


@dataclass
class Looker:
    """A browser of somebody's own, with one page open."""

    desk: Desk
    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("websocket", lambda socket: self.sockets.append(socket))  # noqa: PLW0108  (it wants a function of ours)

    def open(self, path: str) -> Page:
        """Open a page and wait until it has been updated."""
        answer = self.page.goto(self.desk.url + path)
        assert answer is not None
        assert answer.status == 200, path
        self.until(AS_OF)
        return self.page

    def log_in(self, password: str) -> None:
        """Fill the login's form in and send it."""
        self.page.goto(self.desk.url)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def until(self, condition: str) -> None:
        """Wait until something is true of the page."""
        self.page.wait_for_function(condition)

    def wait(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until something is so elsewhere, while the page lives on."""
        for _ in range(int(WAIT_MS / 50)):
            if is_so():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(what)

    def row(self, caption: str, text: str) -> Locator:
        """Return the rows with a text of the table whose caption is this."""
        return self.page.get_by_role("region", name=caption).locator("tbody tr", has_text=text)

    def dialog(self) -> Locator:
        return self.page.locator(".q-dialog .dialog")

    def confirm(self) -> None:
        """Press the button of the dialog that does what it asks."""
        self.dialog().locator("button.main").click()

    def strangers(self) -> list[str]:
        """Return what was asked of others than this server."""
        own = (self.desk.url, self.desk.url.replace("http", "ws"), "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]

    def picture(self, name: str, *, whole: bool = True, begin: str = "") -> None:
        """Keep a picture, where pictures are wanted: of the page, from the heading `begin` on, or only of what is on the screen."""
        if not PICTURES:
            return
        self.page.wait_for_timeout(1500)  # charts are drawn in a second
        size = self.page.viewport_size or WIDE
        top = self.page.evaluate(TOP, begin) if begin else 0
        height = self.page.evaluate("document.documentElement.scrollHeight") - top if whole else size["height"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": min(height, PICTURE_HEIGHT_MAX)}
        for quality in QUALITIES:
            path = Path(PICTURES) / f"{name}.jpg"
            self.page.screenshot(path=path, type="jpeg", quality=quality, full_page=whole, clip=clip)  # type: ignore[arg-type]
            if path.stat().st_size < PICTURE_BYTES_MAX:
                break

    def pictures(self, name: str, there: str, begin: str = "") -> None:
        """Keep pictures of the page, once `there` is on it, as it is light, dark and on a phone, where pictures are wanted."""
        if not PICTURES:
            return
        for look in ("light", "dark", "phone"):
            self.look(look)
            self.page.reload()
            expect(self.page.locator(there).first).to_be_visible()
            self.picture(f"{name}-{look}", begin=begin)
        self.look("light")

    def look(self, look: str) -> None:
        """Be a wide light screen, a dark one, or a phone."""
        self.page.emulate_media(color_scheme="dark" if look == "dark" else "light")
        self.page.set_viewport_size(PHONE if look == "phone" else WIDE)  # type: ignore[arg-type]


@contextmanager
def looking(browser: Browser, desk: Desk, password: str = "") -> Iterator[Looker]:
    """Give somebody who looks; with a password he is logged in."""
    context = browser.new_context(viewport=WIDE, color_scheme="light")  # type: ignore[arg-type]
    looker = Looker(desk, context.new_page())
    try:
        if password:
            looker.log_in(password)
            looker.until(AS_OF)
        yield looker
    finally:
        context.close()
