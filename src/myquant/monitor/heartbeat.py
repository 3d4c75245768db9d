"""The dead-man switch: as long as the monitor looks in time, and can tell people, it says so to a service outside.

That raises the alarm when it hears nothing, so somebody notices when the machine is gone, and the monitor with it.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from myquant.brokers.addresses import verifying
from myquant.brokers.secrets import Keyring, Redactor, SystemKeyring, read_secrets, variable
from myquant.errors import ConfigError
from myquant.monitor.channels import secret_parts
from myquant.monitor.lane import Log

OWNER: Final = "monitor"
NAME: Final = "heartbeat"
WHERE: Final = variable(OWNER, NAME)
TIMEOUT_S: Final = 10.0
TELL_AFTER: Final = 2  # failures in a row: a single one happens, and the service outside is as patient
SENT: Final = "sent"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"  # the looks came late, or nobody can be told: silence is the message


def read_heartbeat(environ: Mapping[str, str], keyring: Keyring | None = None) -> str:
    """Return the address of the service outside, or "" where none is configured. Raises ConfigError for one that is none."""
    source = keyring if keyring is not None else SystemKeyring()
    if not (environ.get(WHERE) or source.get_password(f"myquant-{OWNER}", NAME)):
        return ""
    url = read_secrets(OWNER, [NAME], environ, source)[NAME]
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_sound = False
    if not is_sound or not re.fullmatch(r"[!-~]+", url):
        raise ConfigError(f"{WHERE}: is no address: write https://host/path as the service outside gives it")
    return url


class Heartbeat:
    """Sends the heartbeat.

    Args:
        url: of the service outside; a secret.
        every_s: spacing.
        is_at_work: whether the monitor looks in time and can tell of what it finds.
        log: where the first failure in a row goes, and its end.
        clock_ns: the machine's clock, UTC.
        timeout_s: of a beat.

    Attributes:
        counts: beats that were sent, failed or skipped, since the start.
    """

    def __init__(
        self,
        url: str,
        every_s: float,
        is_at_work: Callable[[], bool],
        log: Log,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.redactor = Redactor((*secret_parts(url), urlsplit(url).path))
        self._url = url
        self._every_s = every_s
        self._is_at_work = is_at_work
        self._log = log
        self._clock_ns = clock_ns
        self._timeout_s = timeout_s
        self._failures = 0  # in a row
        self._since_ns = 0
        self._why = ""

    def failing(self) -> tuple[int, str] | None:
        """Return since when (ns, UTC) beats fail, and why; None: they don't."""
        return (self._since_ns, self._why) if self._failures >= TELL_AFTER else None

    async def run(self) -> None:
        """Beat until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        connector = aiohttp.TCPConnector(ssl=verifying(None), force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            loop = asyncio.get_running_loop()
            while True:
                due_s = loop.time() + self._every_s
                if self._is_at_work():
                    self._note(await self._beat(session))
                else:
                    self.counts[SKIPPED] += 1
                await asyncio.sleep(max(0.0, due_s - loop.time()))

    async def _beat(self, session: aiohttp.ClientSession) -> str:
        """Return "" or what went wrong."""
        try:
            async with session.get(self._url, allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else f"the answer was HTTP {answer.status}"
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: an answer that is no HTTP
            return self.redactor.line(f"{type(error).__name__}: {error}")

    def _note(self, why: str) -> None:
        self.counts[FAILED if why else SENT] += 1
        if not why:
            if self.failing() is not None:
                self._log.info("heartbeat sent again", failures=self._failures)
            self._failures = 0
            return
        if not self._failures:
            self._since_ns = self._clock_ns()
        self._failures, self._why = self._failures + 1, why
        if self._failures == TELL_AFTER:
            self._log.warning("heartbeat fails", why=why, remedy=f"check the address in {WHERE} and the network")
