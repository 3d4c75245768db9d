"""A tick as the parts of the pipeline take it: the plain integers of a journal input's first words."""

from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.records import Event
from myquant.journal.reader import commands, inputs
from myquant.session.runner import Words

TickRow = tuple[int, int, int, int, int, int, int, int, int]
"""kind, instrument, sequence, time_ns, receive_ns, price, volume, bid, ask: paise and ns, as in `core.records.Event`"""

FIELDS: Final = Event._fields[:9]
_UNPACK: Final = Struct(f"={len(FIELDS)}q").unpack_from


def row_of(words: Words) -> TickRow:
    """Return the first row of journal inputs (int64 of shape (n, BODY_WORDS)), in a third of the time of `tolist`."""
    return _UNPACK(words)  # type: ignore[arg-type]  # (an array is a buffer)


class Earlier(NamedTuple):
    """What a block of a journal (int64 of shape (n, WORDS)) holds of ticks and commands, in order."""

    ticks: list[TickRow]
    commands: list[tuple[int, ...]]


def earlier(block: np.ndarray[Any, Any]) -> Earlier:
    """Return what a block of a journal holds."""
    events = inputs(block)["body"]["event"]
    ticks = events[events["kind"] == codes.TICK][list(FIELDS)].tolist()
    return Earlier(ticks, commands(block)["body"].tolist())
