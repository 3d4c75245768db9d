"""A block of a journal as columns that a person can read: names for numbers, units in the columns' names.

Times in ns since the epoch have a column of the same name without `_ns` beside them, as a timestamp; prices and money are in
paise.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.core import codes
from myquant.errors import JournalError
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.reader import of_kind
from myquant.journal.record import (
    COMMAND,
    DAY,
    HALTED_BY,
    HOLDS_NAMES,
    INPUT,
    LEDGER,
    NOTE,
    NOTE_NAMES,
    POSITION,
    SENT,
    SENT_NAMES,
    TELEMETRY,
    WORDS,
    Holding,
    Ledger,
    Sent,
    Telemetry,
)
from myquant.journal.segment import Rows

Columns: TypeAlias = dict[str, NDArray[Any]]  # int64, strings (object) or datetime64[ns]; all of one length

KINDS: Final = {HOLDS_NAMES[holds]: holds for holds in (INPUT, COMMAND, DAY, NOTE)}  # by the name on the command line
NAMED_NOTES: Final = {
    NOTE_NAMES[kind]: kind for kind in (TELEMETRY, LEDGER, POSITION, SENT)
}  # likewise: those whose values have names
_VALUES: Final = {
    TELEMETRY: Telemetry._fields,
    LEDGER: Ledger._fields,
    POSITION: Holding._fields,
    SENT: Sent._fields,
}
_OF_INSTRUMENTS: Final = (POSITION, SENT)

_ENTRY: Final = {codes.NO_EXIT: "entry"}
SIDES: Final = {0: "", codes.BUY: "buy", codes.SELL: "sell"}

# What a field means depends on the record's kind. A kind that is not named here does not use the field.
_EVENT_CODES: Final = {
    codes.FEED_STATUS: {codes.FEED_HEALTHY: "healthy", codes.FEED_IS_STALE: "stale"},
    codes.OPERATOR: {
        codes.ASK_HALT: "halt",
        codes.ASK_RESUME: "resume",
        codes.ASK_FLATTEN: "flatten",
        codes.ASK_LEAVE: "leave",
    },
    codes.END_OF_DATA: {codes.LAST_MARK: "last_mark", codes.CLOSE_OPEN: "close_open"},
    codes.ALARM: codes.HALT_NAMES,
    codes.FILL: {0: "", codes.OF_LOST_ORDER: "of_lost_order", OF_FORGOTTEN: "of_forgotten_order"},
    codes.ORDER_REJECT: {
        codes.BY_VENUE: "by_venue",
        codes.NOT_SENT: "not_sent",
        codes.NOT_FOUND: "not_found",
        codes.IN_DOUBT: "in_doubt",
        codes.COUNTS_NOW: "counts_now",
    },
}
REASONS: Final = {
    codes.SUBMIT: _ENTRY | codes.EXIT_NAMES,
    codes.CANCEL: _ENTRY | codes.EXIT_NAMES,
    codes.TRADE_CLOSED: _ENTRY | codes.EXIT_NAMES,
    codes.DENIED: codes.DENIAL_NAMES,
    codes.TICK_REJECTED: codes.REJECTION_NAMES,
    codes.HALTED: codes.HALT_NAMES,
}

_PAISE: Final = {
    *("price", "bid", "ask", "value"),
    *("entry_price", "gross", "charges", "net", "cash", "equity", "drawdown", "stop"),
    *("tick_size", "charges_brokerage_min"),
}
_VALUES_PAISE: Final = {
    LEDGER: {"cash", "equity", "day_pnl", "drawdown", "charges", "open_value", "funds"},
    POSITION: {
        *("entry_price", "cost", "stop", "floor", "highest"),
        *("activation", "target", "last_price", "trigger"),
    },
    SENT: {"limit", "trigger"},
}
_TIMES: Final = {"looked_ns", "opened_ns"}  # values of notes that are times
_MONOTONIC: Final = {"arrived_ns": "arrived_monotonic_ns", "decoded_ns": "decoded_monotonic_ns"}
_CLOCKLESS: Final = {*_MONOTONIC.values(), "monotonic_ns", "spent_ns"}
_UNUSED: Final = {"spare", "spare_too"}


def columns(block: Rows, holds: int) -> Columns:
    """Return the records of a block that hold one kind (INPUT, COMMAND, DAY or NOTE).

    Raises JournalError at a number that this version has no name for.
    """
    records = of_kind(block, holds)
    result: Columns = {"number": records["number"]}
    for name, values in _flat(records["body"]):
        if name.endswith("_ns") and name not in _CLOCKLESS:
            result[name.removesuffix("_ns")] = _timestamps(values)
        result[name] = values
    if holds == INPUT:
        result["code_name"] = _by_kind(result, "code", _EVENT_CODES)
        _name(result, "kind", codes.EVENT_NAMES)
    elif holds == COMMAND:
        result["reason"] = _by_kind(result, "reason", REASONS)
        _name(result, "kind", codes.COMMAND_NAMES)
        _name(result, "side", SIDES)
    elif holds == NOTE:
        _name(result, "kind", NOTE_NAMES)
    return result


def table(block: Rows, name: str) -> Columns:
    """Return the records of a block by a name: of what they hold (`KINDS`), or of a kind of notes (`NAMED_NOTES`).

    Raises JournalError likewise, KeyError for another name.
    """
    if name not in NAMED_NOTES:
        return columns(block, KINDS[name])
    kind = NAMED_NOTES[name]
    made = columns(block, NOTE)
    chosen = made["kind"] == name
    result = {column: made[column][chosen] for column in ("number", "kind", "wall", "wall_ns", "monotonic_ns")}
    if kind == LEDGER:
        result["halted_by"] = _named(result["number"], "code", made["code"][chosen], HALTED_BY)
    if kind in _OF_INSTRUMENTS:
        result["instrument"] = made["instrument"][chosen]
    if kind == SENT:
        result["request"] = _named(result["number"], "code", made["code"][chosen], SENT_NAMES)
    paise = _VALUES_PAISE.get(kind, set())
    for place, field in enumerate(_VALUES[kind], start=1):
        values = made[f"value_{place}"][chosen]
        if field in _TIMES:
            result[field.removesuffix("_ns")] = _timestamps(values)
        if field not in _UNUSED:
            result[f"{field}_paise" if field in paise else field] = values
    return result


def tables(block: Rows, name: str) -> list[tuple[str, Columns]]:
    """Return the same with what they hold, but notes in several parts: those whose values have names by these."""
    if name in NAMED_NOTES:
        return [(HOLDS_NAMES[NOTE], table(block, name))]
    made = table(block, name)
    if KINDS[name] != NOTE:
        return [(name, made)]
    others = ~np.isin(made["kind"].astype(str), list(NAMED_NOTES))
    parts = [{column: values[others] for column, values in made.items()}]
    return [(name, part) for part in (*parts, *(table(block, each) for each in NAMED_NOTES))]


def empty(name: str) -> Columns:
    """Return the columns of no records, by the name as for `table`."""
    return table(np.zeros((0, WORDS), np.int64), name)


def _flat(body: NDArray[Any], prefix: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the fields of a body: of inner records, too, and the values of a tuple one by one, from 1."""
    for name in body.dtype.names or ():
        values = body[name]
        if values.dtype.names:
            yield from _flat(values, "charges_" if name == "charges" else "")
        elif values.ndim == 2:
            yield from ((f"value_{place + 1}", values[:, place]) for place in range(values.shape[1]))
        elif name not in _UNUSED:
            full = f"{prefix}{name}"
            yield _MONOTONIC.get(full, f"{full}_paise" if full in _PAISE else full), values


def _timestamps(time_ns: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Return times; 0, which is not known, and what lies before all times are no time."""
    times = time_ns.astype("datetime64[ns]")
    times[(time_ns == 0) | (time_ns <= codes.BEFORE_ALL)] = np.datetime64("NaT")
    return times


def _name(result: Columns, column: str, names: Mapping[int, str]) -> None:
    result[column] = _named(result["number"], column, result[column], names)


def _by_kind(result: Columns, column: str, names: Mapping[int, Mapping[int, str]]) -> NDArray[np.object_]:
    """Return names for numbers that mean something else in each kind; "" where a kind does not use them."""
    kinds, numbers, values = result["kind"], result["number"], result[column]
    texts = np.full(len(kinds), "", object)
    for kind in set(np.unique(kinds).tolist()) & set(names):
        chosen = kinds == kind
        texts[chosen] = _named(numbers[chosen], column, values[chosen], names[kind])
    return texts


def _named(
    numbers: NDArray[np.int64], column: str, values: NDArray[np.int64], names: Mapping[int, str]
) -> NDArray[np.object_]:
    texts = np.full(len(values), None, object)
    for value in np.unique(values).tolist():
        if value not in names:
            number = numbers[values == value][0]
            raise JournalError(f"record {number}: {column} {value} has no name here: use the version that wrote it")
        texts[values == value] = names[value]
    return texts
