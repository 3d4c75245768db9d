"""How the pages are reached: `dashboard.json` beside the monitor's own card, which only its owner can read, and who asks by it.

.dashboard.lock   held as long as they are served: one process for each folder of states
dashboard.json    where they are served, and the token of programs
"""

import fcntl
import json
import os
import ssl
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final, Self

from myquant.errors import MyquantError, cannot_write
from myquant.monitor.folder import FOLDER_MODE
from myquant.monitor.state import REMEDY, is_taken
from myquant.session.operator import put_private

CARD: Final = "dashboard.json"
LOCK: Final = ".dashboard.lock"
FORMAT: Final = 1
ANSWER_S: Final = 5.0
BEGIN_S: Final = 5.0  # so long pages take to begin at most, on a machine that is not overloaded
PAUSE_S: Final = 0.1
ANSWER_BYTES_MAX: Final = 2**20
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (pages that are served everywhere are asked for here)


@dataclass(frozen=True)
class DashboardCard:
    """How to reach the pages that are served. `certificate`: the file, of https; "": http."""

    host: str
    port: int
    pid: int
    token: str
    certificate: str = ""
    format: int = FORMAT

    @property
    def url(self) -> str:
        """Where a browser of this machine finds them, without a slash at the end."""
        host = _ANY.get(self.host, self.host)
        named = f"[{host}]" if ":" in host else host
        return f"{'https' if self.certificate else 'http'}://{named}:{self.port}"


class CardHolder:
    """Holds the folder as long as pages are served from it.

    Raises MyquantError where another process serves them, or the folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise cannot_write(folder, error, REMEDY) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            card = read_card(folder)
            where = f" ({card.url}, process {card.pid})" if card else ""
            raise MyquantError(
                f"{folder}: the pages are served already{where}: get a link with `myquant dashboard link`, stop it first, or set"
                " MYQUANT_STATE to another folder"
            ) from None
        with suppress(OSError):
            (folder / CARD).unlink()  # of one that was killed

    def show(self, card: DashboardCard) -> None:
        """Say how the pages are reached. Raises MyquantError."""
        path = self.folder / CARD
        try:
            put_private(path, json.dumps(asdict(card)).encode())
        except OSError as error:
            raise cannot_write(path, error, REMEDY) from error

    def close(self) -> None:
        """Let another process have the folder."""
        if self._lock < 0:
            return
        with suppress(OSError):
            (self.folder / CARD).unlink()
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        """Return itself, which lets go at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go."""
        self.close()


def read_card(folder: Path) -> DashboardCard | None:
    """Return how the pages were reached last; None: no card, or one that can't be read."""
    try:
        return DashboardCard(**json.loads((folder / CARD).read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def is_served(folder: Path) -> bool:
    """Return whether a process serves pages for a folder, by its lock."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def ask_dashboard(folder: Path, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the process that serves the pages of a folder of states, as a program with its token, and return its answer.

    Raises MyquantError where none runs, it does not answer, or it refuses.
    """
    card = _card_of(folder)
    if card is None:
        raise MyquantError(
            "no pages are served: start `myquant dashboard`, or `myquant monitor` with dashboard.enabled"
        )
    connection = _connection(card)
    headers = {"Authorization": f"Bearer {card.token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read(ANSWER_BYTES_MAX))
    except (OSError, HTTPException, ValueError) as error:
        raise MyquantError(
            f"{card.url}: process {card.pid} serves the pages, but does not answer ({error}): start it again"
        ) from None
    finally:
        connection.close()
    if response.status >= 400 or not isinstance(answer, dict):
        said = answer.get("detail", response.reason) if isinstance(answer, dict) else response.reason
        raise MyquantError(f"{card.url}: refused: {said}")
    return answer


def _card_of(folder: Path) -> DashboardCard | None:
    """Return how the pages are reached; where they, or the monitor that begins them, have just begun, wait for it."""
    ends_s = time.monotonic() + BEGIN_S
    while True:
        if is_served(folder) and (card := read_card(folder)) is not None:
            return card
        if time.monotonic() >= ends_s or not (is_served(folder) or is_taken(folder)):
            return None
        time.sleep(PAUSE_S)


def _connection(card: DashboardCard) -> HTTPConnection:
    """Return a connection to the process of a card; by https only to who has its certificate, whatever name that is for."""
    host = _ANY.get(card.host, card.host)
    if not card.certificate:
        return HTTPConnection(host, card.port, timeout=ANSWER_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=card.certificate)
    except OSError as error:
        raise MyquantError(
            f"{card.certificate}: can't be read ({error.strerror or error}): see dashboard.tls_certificate"
        ) from None
    return HTTPSConnection(host, card.port, timeout=ANSWER_S, context=context)
