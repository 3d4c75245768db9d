"""A door, an app behind it and facts made by hand, with a clock that stands still until it is set."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Cookies, Response

from monitor.made_views import held, loaded, view
from myquant.config.watching import DashboardSettings
from myquant.dashboard.access import Role
from myquant.dashboard.api import make_app
from myquant.dashboard.controls import Controls
from myquant.dashboard.door import Door
from myquant.dashboard.facts import LogFound, LogSearch
from myquant.dashboard.guard import Guard
from myquant.dashboard.login import login_router
from myquant.errors import ConfigError
from myquant.monitor.view import SessionView

TOKEN: Final = "the-token-of-programs-0123456789"  # noqa: S105  (made up)
PASSWORD: Final = "twelve letters or more"  # noqa: S105  (likewise)
VIEWERS: Final = "another one for those who look"
# Weak and quick, of the two passwords: what they cost is not tested.
HASH: Final = "$argon2id$v=19$m=8,t=1,p=1$8jvImAtdEiiMeif+Z4cmEw$wXoeeaKe97zeTuziTJYuHPwbPYxmP6SAgonpmvFYmVc"
VIEWERS_HASH: Final = "$argon2id$v=19$m=8,t=1,p=1$GxwI8c7AnyejDSyIdC2Ziw$hSc4cm4XfRzzLIFg2q4j3pScV1fjwLVFy/KV7Og7Qf4"
HOST: Final = "127.0.0.1:9465"
ORIGIN: Final = f"http://{HOST}"
SECRETS: Final = (TOKEN, PASSWORD, VIEWERS, HASH, VIEWERS_HASH)


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))

    @property
    def events(self) -> list[str]:
        return [event for _, event, _ in self.lines]


class MadeFacts:
    """Facts of one session that holds 75 units."""

    def __init__(self) -> None:
        self.views: dict[str, SessionView] = {"monday": view(instruments=held()), "trials/tue": view("trials/tue")}
        self.acknowledged: list[tuple[int, str]] = []
        self.searches: list[tuple[list[str], LogSearch]] = []

    def health(self) -> Mapping[str, Any]:
        return {"verdict": "ok", "sessions": {name: {"state": "running"} for name in self.views}}

    def view(self, name: str) -> SessionView | None:
        return self.views.get(name)

    def folder(self, name: str) -> Path | None:
        return Path("nowhere") / name if name in self.views else None

    def session(self, name: str) -> Mapping[str, Any] | None:
        return {"name": name, "odd": float("nan")} if name in self.views else None

    def alerts(self, *, every: bool) -> list[dict[str, Any]]:
        return [{"number": 1, "text": "half a \ud800 character", "every": every}]

    def acknowledge(self, number: int, note: str) -> bool:
        self.acknowledged.append((number, note))
        return number == 1

    async def test_alerts(self) -> list[dict[str, Any]]:
        raise ConfigError("no channel is set")

    async def search(self, names: Sequence[str], search: LogSearch) -> LogFound | None:
        if not {"monitor", *self.views}.issuperset(names):
            return None
        self.searches.append((list(names), search))
        return LogFound([{"source": "monday", "event": "tick", "price": float("inf")}], 1, None, [])

    def runs(self, limit: int) -> dict[str, Any]:
        return {"total": limit, "runs": []}


class Browser:
    """Sends requests to an app, and keeps cookies."""

    def __init__(self, app: Any, url: str, address: str) -> None:
        self.cookies = Cookies()
        self.headers: dict[str, str] = {}
        self._app, self._url, self._address = app, url, address

    def request(self, method: str, path: str, **given: Any) -> Response:
        return asyncio.run(self._sent(method, path, given))

    def get(self, path: str, **given: Any) -> Response:
        return self.request("GET", path, **given)

    def post(self, path: str, **given: Any) -> Response:
        return self.request("POST", path, **given)

    async def _sent(self, method: str, path: str, given: dict[str, Any]) -> Response:
        transport = ASGITransport(self._app, client=(self._address, 5000))
        headers = {**self.headers, **given.pop("headers", {})}
        async with AsyncClient(
            transport=transport, base_url=self._url, cookies=self.cookies, headers=headers
        ) as client:
            response = await client.request(method, path, **given)
            self.cookies = client.cookies
        return response


class House:
    """A door, the app behind it, the guard around it, and what was logged and asked of sessions."""

    def __init__(self, **settings: Any) -> None:
        given = {"dashboard__password_hash": HASH, "dashboard__viewer_password_hash": VIEWERS_HASH}
        given |= {f"dashboard__{key}": value for key, value in settings.items()}
        self.settings: DashboardSettings = loaded(**given).config.dashboard
        self.clock, self.log, self.facts = Clock(), Lines(), MadeFacts()
        self.asked: list[tuple[Path, str, str]] = []
        self.answer: object = {"message": "entries halted"}
        self.door = Door(self.settings, TOKEN, self.log, self.clock)
        self.controls = Controls(self.clock, self.ask)
        self.app: FastAPI = make_app(self.door, self.facts, self.controls, lambda: ORIGIN)
        self.app.include_router(login_router(self.door))
        self.guard = Guard(self.app, self.door)

    def ask(self, folder: Path, request: str, reason: str) -> object:
        self.asked.append((folder, request, reason))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def browser(self, address: str = "127.0.0.1", host: str = HOST) -> Browser:
        """Return a browser that nobody has logged in with."""
        return Browser(self.guard, f"http://{host}", address)

    def logged_in(self, role: Role = Role.OPERATOR) -> Browser:
        """Return a browser of somebody who is logged in."""
        browser = self.browser()
        browser.cookies.set("myquant-9465", self.door.logins.begin(role, "link"))
        browser.headers["Origin"] = ORIGIN
        return browser

    def program(self) -> Browser:
        """Return a program with the token."""
        client = self.browser()
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        return client


def form_of(page: str) -> str:
    """Return the token of a page's form."""
    return page.partition('name="form" value="')[2].partition('"')[0]


def log_in(browser: Browser, password: str = PASSWORD) -> Any:
    """Fill the login's form in and send it."""
    form = form_of(browser.get("/login").text)
    return browser.post("/login", data={"form": form, "password": password}, headers={"Origin": ORIGIN})


def tried(door: Door, password: str, address: str = "10.0.0.1") -> Any:
    """Return what becomes of a password."""
    return asyncio.run(door.try_password(password, address))
