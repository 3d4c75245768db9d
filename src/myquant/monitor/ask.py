"""Asks the monitor that runs how sessions do."""

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, cast

from myquant.monitor.health import NO_MONITOR, HealthReport
from myquant.monitor.server import HEALTH
from myquant.monitor.state import CARD, is_taken, read_card

ANSWER_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 2**26
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (an address that listens everywhere is asked here)


def ask_monitor(folder: Path) -> HealthReport | None:
    """Return what the monitor of a state folder says; None: none runs, or it does not answer."""
    card = read_card(folder)
    if card is None or not is_taken(folder):
        return None
    connection = HTTPConnection(_ANY.get(card.host, card.host), card.port, timeout=ANSWER_S)
    try:
        connection.request("GET", HEALTH, headers={"Authorization": f"Bearer {card.token}"})
        answer = json.loads(connection.getresponse().read(ANSWER_BYTES_MAX))
        is_its_own = answer["monitor"]["pid"] == card.pid  # else another one got its port, with the same token
    except (OSError, HTTPException, ValueError, TypeError, KeyError):
        return None
    finally:
        connection.close()
    return cast("HealthReport", answer) if is_its_own and "verdict" in answer else None


def why_alone(folder: Path) -> str:
    """Return why `ask_monitor` got no answer: a monitor that hangs is not one that is not there.

    Whether one is there its lock says: the process that the card names may have ended, and another one got its number.
    """
    if not is_taken(folder):
        return NO_MONITOR
    card = read_card(folder)
    if card is None:
        return f"a monitor has {folder}, but its {CARD} can't be read: it only just begins, or is of another user or version"
    return (
        f"the monitor (process {card.pid}) does not answer: nobody may be told when something happens; "
        f"`kill -9 {card.pid}` and start `myquant monitor` again"
    )
