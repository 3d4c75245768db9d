"""What a session without a process has left, in words, from its folder alone: for people who ask for one that does not run."""

import json
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from myquant.config.layers import read_toml
from myquant.core import codes
from myquant.errors import MyquantError
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.reader import JournalReader, commands, inputs
from myquant.journal.segment import Rows

RECENT_S: Final = 86_400
SIMULATED: Final = "paper"  # the kind of a session whose fills are
_EVENTS: Final = (codes.FILL, codes.CANCELLED, codes.ORDER_REJECT, codes.MODIFIED, codes.FOREIGN_TRADE)
_COMMANDS: Final = (codes.SUBMIT, codes.MODIFY)


@dataclass
class _Order:
    """An order, as the journal has it."""

    instrument: int
    side: int
    quantity: int
    trigger: int = 0  # paise; 0: it is no stop order
    asked_trigger: int = 0
    filled: int = 0
    has_ended: bool = False


def left_text(folder: Path) -> str:
    """Return when the session last wrote anything, whether it goes on, and what it held then by its journal."""
    facts = _facts(folder)
    texts = [_last_written(folder, _zone(folder))]
    if facts and facts["ended"] is not None:
        texts.append(f"it has ended (exit code {facts['ended']})")
    elif facts:
        texts.append("it has not ended: the command that started it goes on with it")
        texts += _held(folder, facts["symbols"], is_simulated=facts["kind"] == SIMULATED)
    return "; ".join(texts)


def unended(runs: Path) -> list[Path]:
    """Return the folders of sessions that have not ended and were written to within a day, the last one first."""
    found = [
        folder for folder in (runs.iterdir() if runs.is_dir() else ()) if (facts := _facts(folder)) and _goes_on(facts)
    ]
    times = {folder: max(_written(folder / "journal"), default=0.0) for folder in found}
    recent = [folder for folder in found if time.time() - times[folder] < RECENT_S]
    return sorted(recent, key=lambda folder: -times[folder])


def _goes_on(facts: dict[str, Any]) -> bool:
    return facts["ended"] is None


def _facts(folder: Path) -> dict[str, Any]:
    """Return what session.json says; nothing where there is none that can be read."""
    try:
        table = json.loads((folder / "session.json").read_bytes())
        return {"ended": table["ended"], "symbols": list(table["symbols"]), "kind": table.get("kind", "")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _zone(folder: Path) -> ZoneInfo | None:
    """Return the session's zone; None, which is the machine's, where its configuration can't be read."""
    try:
        return ZoneInfo(read_toml(folder / "config.toml")["session"]["timezone"])
    except (MyquantError, LookupError, TypeError, ValueError):  # a zone that is not known is a KeyError
        return None


def _written(folder: Path) -> list[float]:
    found = []
    for path in folder.rglob("*"):
        with suppress(OSError):  # gone by now
            found.append(path.lstat())
    return [each.st_mtime for each in found if stat.S_ISREG(each.st_mode)]


def _last_written(folder: Path, zone: ZoneInfo | None) -> str:
    times = _written(folder)
    if not times:
        return "nothing was written to it"
    last = datetime.fromtimestamp(max(times), UTC).astimezone(zone)
    return f"it was last written to at {last:%Y-%m-%d %H:%M:%S} {last.tzname() if zone else f'{last:%z}'}"


def _held(folder: Path, symbols: list[str], *, is_simulated: bool) -> list[str]:
    """Return what it held by its orders' fills, a text for each instrument; nothing where fills need no orders."""
    held: Counter[int] = Counter()
    orders: dict[int, _Order] = {}
    try:
        for block in JournalReader(folder).blocks():
            for row in _steps(block):
                _take(row, orders, held)
    except MyquantError as error:
        return [f"what it held can't be told ({error})"]
    stops = {
        order.instrument: f"sell {rest} at {order.trigger / 100:.2f}, order {order_id}"
        for order_id, order in orders.items()
        if order.trigger and not order.has_ended and (rest := order.quantity - order.filled) > 0
    }
    texts = {who: f"its stop order: {stop}" for who, stop in stops.items()}
    bare = "on paper: nothing is at the broker" if is_simulated else "WITHOUT a stop order"
    return [
        f"it held {units} {symbols[who]}, by its journal ({texts.get(who, bare)})"
        for who, units in sorted(held.items())
        if units > 0
    ]


def _steps(block: Rows) -> Iterator[Any]:
    """Yield the inputs and commands of a block that orders and positions hang on, in order."""
    events, decided = inputs(block)["body"]["event"], commands(block)["body"]
    events, decided = events[np.isin(events["kind"], _EVENTS)], decided[np.isin(decided["kind"], _COMMANDS)]
    numbered = [(int(row["sequence"]), 0, at, row) for at, row in enumerate(events)]
    numbered += [(int(row["event_sequence"]), 1, at, row) for at, row in enumerate(decided)]
    for *_, row in sorted(numbered, key=lambda each: each[:3]):
        yield row


def _take(row: Any, orders: dict[int, _Order], held: Counter[int]) -> None:
    """Take an input or a command."""
    order_id, who, units = (int(row[name]) for name in ("order_id", "instrument", "quantity"))
    if "event_sequence" in row.dtype.names:
        if row["kind"] == codes.SUBMIT:
            orders[order_id] = _Order(who, int(row["side"]), units, int(row["stop"]))
        else:
            orders[order_id].asked_trigger = int(row["stop"])
        return
    if row["kind"] == codes.FOREIGN_TRADE:
        held[who] = max(0, held[who] - units)
        return
    lost = _Order(who, codes.BUY, units)  # the fill of an order that the journal has lost: an entry
    order = orders.setdefault(order_id, lost)
    if row["kind"] == codes.FILL:
        if row["code"] != OF_FORGOTTEN:  # else the engine does not have it: what it sold comes as a foreign trade
            held[order.instrument] = max(0, held[order.instrument] + order.side * max(0, units - order.filled))
        order.filled = max(units, order.filled)
    elif row["kind"] == codes.MODIFIED:
        order.trigger = order.asked_trigger
    else:
        order.has_ended = True
