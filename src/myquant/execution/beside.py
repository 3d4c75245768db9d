"""What a session left beside its journal that tells of its orders.

That is the comparison with the simulated exchange, the log's lines of what the broker's books had, and what others hold in the account.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from myquant.errors import MyquantError
from myquant.journal.disk import DISK
from myquant.session.log_files import FILE, earlier_files
from myquant.session.reconciliation import Kind
from myquant.session.reconciling import OthersFile
from myquant.session.shadow import Comparison
from myquant.session.shadow_file import compared_before

# Lines of the log that tell of something that the journal has no record of.
_TOLD: Final = {
    kind.value: kind
    for kind in (
        Kind.FOREIGN_TRADE,
        Kind.ORPHAN,
        Kind.LOST_ORDER,
        Kind.STRANGE_ORDER,
        Kind.ORDER_DIFFERS,
        Kind.POSITION_DIFFERS,
    )
}
_MARKS: Final = tuple(text.encode() for text in _TOLD)


class Told(NamedTuple):
    """A line of the log about the broker's books. `units`: bought less sold, or theirs less ours; None: it names none."""

    wall_ns: int
    what: str
    symbol: str
    units: int | None
    value: int | None  # paise
    order: str  # ours or the broker's number


class Held(NamedTuple):
    """A position in the account that is not the session's, as of the last look at the books."""

    token: str
    product: str
    units: int


def comparisons(folder: Path) -> tuple[dict[int, Comparison], str]:
    """Return what became of orders at the simulated exchange, by their ids, and what was wrong with the files; "": nothing."""
    try:
        earlier, _ = compared_before(folder)
    except MyquantError as error:
        return {}, str(error)
    return {each.order_id: each for each in earlier.compared}, ""


def others_hold(folder: Path) -> tuple[list[Held], str]:
    """Return the positions of others in the account, and what was wrong with their file; "": nothing."""
    try:
        known = OthersFile(folder, DISK).load().known or {}
    except MyquantError as error:
        return [], str(error)
    return [Held(*key, of.others) for key, of in sorted(known.items()) if of.others], ""


def told_by_the_log(folder: Path) -> tuple[list[Told], str]:
    """Return the log's lines about what the books had that the journal has not, and what could not be read; "": nothing."""
    found: list[Told] = []
    torn: list[str] = []
    try:
        paths = [*earlier_files(folder), folder / FILE]
    except OSError as error:
        return [], f"{folder}: {error.strerror}"
    for path in paths:
        try:
            found += [told for line in _lines(path) if (told := _told_of(line)) is not None]
        except FileNotFoundError:
            continue
        except (OSError, EOFError, zlib.error) as error:
            torn.append(f"{path.name}: {error}")
    return found, "; ".join(torn)


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            if any(mark in line for mark in _MARKS):
                yield line


def _told_of(line: bytes) -> Told | None:
    with suppress(ValueError, TypeError, KeyError):
        table: dict[str, Any] = json.loads(line)
        what = table["event"]
        if what not in _TOLD:
            return None
        wall_ns = round(datetime.fromisoformat(table["time"]).timestamp() * 10**6) * 1000
        value = table.get("value")
        return Told(
            wall_ns,
            what,
            str(table.get("symbol") or table.get("token") or ""),
            table.get("quantity"),
            None if value is None else round(100 * value),
            str(table.get("order_id") or table.get("broker_id") or ""),
        )
    return None
