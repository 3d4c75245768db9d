"""The door: whoever comes in goes through here, by password, link or token, and each of it is logged, the secrets aside."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from myquant.config.watching import DashboardSettings
from myquant.dashboard.access import HOUR_S, FormTokens, Identity, Links, Login, Logins, Role, is_same, steady_s
from myquant.dashboard.passwords import Passwords
from myquant.dashboard.throttle import Throttle
from myquant.monitor.loop import Log

WAITING_MAX: Final = 8  # passwords that wait for their check; each takes a tenth of a second and 64 MiB
BUSY_S: Final = 1.0
REFUSALS_PER_MINUTE: Final = 30  # lines of the log; what is beyond them is counted
MINUTE_S: Final = 60.0
TEXT_MAX: Final = 120


class Tried(NamedTuple):
    """What became of a password. `secret`: of the login, for a cookie, "" where there is none; `wait_s`: before the next try, 0: none."""

    role: Role | None
    secret: str
    wait_s: float


class Door:
    """Lets people and programs in.

    Args:
        settings: of the pages.
        token: what a program's `Authorization: Bearer` has to say.
        log: where logins, refusals and logouts are told.
        now_s: a clock, seconds.

    Raises ConfigError for a password's hash that can't be checked.

    Attributes:
        settings: as given.
        links: keys that let in once.
        forms: tokens of the forms that let in.
        has_passwords: whether there is any.
    """

    def __init__(
        self, settings: DashboardSettings, token: str, log: Log, now_s: Callable[[], float] = steady_s
    ) -> None:
        self.settings = settings
        self.links = Links(now_s)
        self.forms = FormTokens()
        self.logins = Logins(float(settings.login_hours) * HOUR_S, now_s)
        self._passwords = Passwords(settings)
        self.has_passwords = self._passwords.is_set
        self._throttle = Throttle(now_s)
        self._token, self._log, self._now_s = token, log, now_s
        self._checking = asyncio.Lock()
        self._waiting = 0
        self._refusals: list[float] = []  # when one was logged, within the last minute
        self._unsaid = 0

    async def try_password(self, password: str, address: str) -> Tried:
        """Check a password, one at a time, and begin a login where it is right."""
        if self._waiting >= WAITING_MAX:
            return Tried(None, "", BUSY_S)
        self._waiting += 1
        try:
            async with self._checking:
                if (wait_s := self._throttle.wait_s(address)) > 0:
                    self.note_refused("login refused: too many wrong passwords", address, wait_s=round(wait_s, 1))
                    return Tried(None, "", wait_s)
                role = await asyncio.to_thread(self._passwords.role_of, password)
                if role is None:
                    self._throttle.note_wrong(address)
                    self.note_refused("login refused: wrong password", address)
                    return Tried(None, "", self._throttle.wait_s(address))
                if role is Role.OPERATOR:
                    self._throttle.note_right(address)
                self._log.info("login", role=str(role), by="password", address=address)
                return Tried(role, self.logins.begin(role, "password"), 0.0)
        finally:
            self._waiting -= 1

    def take_link(self, key: str, address: str) -> str:
        """Use a link's key up, begin a login and return its secret; "": the key is good no more."""
        role = self.links.take(key)
        if role is None:
            self.note_refused("login refused: a link that is used or too old", address)
            return ""
        self._log.info("login", role=str(role), by="link", address=address)
        return self.logins.begin(role, "link")

    def is_token(self, given: str) -> bool:
        """Return whether a program has the right token."""
        return is_same(given, self._token)

    def log_out(self, login: Login, address: str) -> None:
        """End a login."""
        self.logins.end(login)
        self._log.info("logout", role=str(login.role), by=login.how, address=address)

    def note_act(self, what: str, identity: Identity, **fields: object) -> None:
        """Log what somebody did."""
        self._log.warning(what, who=identity.who, **fields)

    def note_refused(self, what: str, address: str, **fields: object) -> None:
        """Log a refusal, `REFUSALS_PER_MINUTE` at most: the next line tells how many more there were."""
        now_s = self._now_s()
        self._refusals = [each_s for each_s in self._refusals if now_s - each_s < MINUTE_S]
        if len(self._refusals) >= REFUSALS_PER_MINUTE:
            self._unsaid += 1
            return
        self._refusals.append(now_s)
        more = {"unsaid": self._unsaid} if self._unsaid else {}
        self._unsaid = 0
        cut = {key: value[:TEXT_MAX] if isinstance(value, str) else value for key, value in fields.items()}
        self._log.warning(what, address=address, **cut, **more)
