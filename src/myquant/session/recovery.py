"""Saving the state of a session, and coming back to it: every start is a recovery, of nothing at first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from myquant.core import codes
from myquant.core.records import Event
from myquant.errors import JournalError
from myquant.journal import snapshot as snapshots
from myquant.journal.disk import Disk
from myquant.journal.reader import JournalReader, inputs
from myquant.journal.record import (
    BODY,
    DAY,
    HOLDS,
    INPUT,
    NOTE,
    NOTE_VALUES,
    NUMBER,
    SNAPSHOT,
    Input,
    Note,
    Origin,
    record_dtype,
)
from myquant.journal.writer import JournalWriter
from myquant.session.clock import Clock
from myquant.session.engine import Engine
from myquant.session.playback import DifferenceError, Playback, state_hash
from myquant.session.runner import NoOrders, Orders

ENGINE: Final = "engine"
ORDERS: Final = "orders"
INSTRUMENT, TIME_NS, RECEIVE_NS = (Event._fields.index(name) for name in ("instrument", "time_ns", "receive_ns"))


class SavedOrders(Orders, Protocol):
    """An order port whose state is part of the session's.

    `asks_again`: it is asked anew in a recovery, as it answers the same again; else all its answers are among the inputs.
    """

    asks_again: bool

    def snapshot(self) -> bytes:
        """Return its whole state."""

    def restore(self, state: bytes) -> None:
        """Take up a state."""


@dataclass(frozen=True)
class Hashes:
    """What a snapshot belongs to."""

    engine: str
    config: str


@dataclass(frozen=True)
class Recovered:
    """What a recovery did.

    Attributes:
        snapshot: number of the journal record that the state was taken up at; 0: from the beginning.
        inputs: how many inputs were played back behind it.
        missing: records that had not been written when the last process died, and are now.
        remarks: torn records, damaged snapshots: one line each.
        offset_ns: the exchange's time less the wall clock's, as last seen; None: never.
        last_inputs: the last tick or quote of each instrument, by its number.
    """

    snapshot: int
    inputs: int
    missing: int
    remarks: tuple[str, ...]
    offset_ns: int | None
    last_inputs: dict[int, Input]


def save(
    engine: Engine, orders: SavedOrders, journal: JournalWriter, folder: Path, hashes: Hashes, clock: Clock, disk: Disk
) -> None:
    """Put a snapshot of the state on disk, and note it in the journal. Raises JournalError; nothing is lost then."""
    commands = int(engine.desk[0]["account"]["commands"])
    sections = {ENGINE: engine.snapshot(), ORDERS: orders.snapshot()}
    number = int(journal.cursor[0])
    saved = snapshots.Snapshot(number, engine.inputs, commands, hashes.engine, hashes.config, sections)
    snapshots.write(folder, saved, disk)
    values = (engine.inputs, commands, *saved.hash_words, *state_hash(engine).tolist())
    padded = (*values, *[0] * (NOTE_VALUES - len(values)))
    journal.append(NOTE, Note(SNAPSHOT, 0, 0, clock.wall_ns(), clock.monotonic_ns(), padded))


def recover(
    engine: Engine, orders: SavedOrders, journal: JournalWriter, folder: Path, hashes: Hashes, disk: Disk
) -> Recovered:
    """Bring a new engine and its order port to where the journal ends, and write what the last process could not.

    Raises JournalError when the journal's inputs lead to other decisions than it holds.
    """
    last = int(journal.cursor[0])
    reader = JournalReader(
        folder, disk, known=last
    )  # the writer has looked at every record when it took the journal over
    found = snapshots.newest_valid(folder, hashes.engine, hashes.config, last, disk)
    first = 0
    if found.snapshot is not None:
        first = found.snapshot.number
        engine.restore(found.snapshot.sections[ENGINE], found.snapshot.inputs)
        orders.restore(found.snapshot.sections[ORDERS])
    seen = _look_through(engine, reader, first)
    asked = orders if orders.asks_again else NoOrders()
    playback = Playback(engine, asked, asks_again=orders.asks_again)
    try:
        for block in reader.blocks(first + 1):
            playback.feed(block)
        playback.end()
    except DifferenceError as error:
        raise JournalError(
            f"{folder}: its journal can't be taken up: at record {error.difference.record}, {error}; `myquant replay {folder}`"
            " shows both sides, and a session under another name begins anew"
        ) from error
    for row in playback.missing:
        journal.append_words(int(row[HOLDS]), np.ascontiguousarray(row[BODY:]).reshape(1, -1), 0, 1)
    torn = (journal.torn,) if journal.torn else ()
    remarks = (*torn, *found.skipped)
    return Recovered(first, playback.inputs, len(playback.missing), remarks, seen.offset_ns, seen.last_inputs)


@dataclass
class _Seen:
    offset_ns: int | None
    last_inputs: dict[int, Input]


def _look_through(engine: Engine, reader: JournalReader, first: int) -> _Seen:
    """Take up the days that were prepared before record `first`, and find the last input of each instrument."""
    seen = _Seen(None, {})
    for block in reader.blocks():
        holds, kinds = block[:, HOLDS], block[:, BODY]
        for note in block[(holds == DAY) & (block[:, NUMBER] <= first)]:
            body: Any = note.view(record_dtype(DAY))[0]["body"]
            engine.days[int(body["instrument"])] = body["day"]
        market = np.flatnonzero((holds == INPUT) & ((kinds == codes.TICK) | (kinds == codes.QUOTE)))
        if len(market):  # no copy of the rows: there may be millions
            places = np.full(len(engine.instruments), -1)
            places[block[market, BODY + INSTRUMENT]] = market  # the last one counts
            for instrument in np.flatnonzero(places >= 0).tolist():
                place = places[instrument]
                event, origin = inputs(block[place : place + 1])["body"][0].item()
                seen.last_inputs[instrument] = Input(Event(*event), Origin(*origin))
            newest = block[market[-1], BODY:]
            seen.offset_ns = int(newest[TIME_NS] - newest[RECEIVE_NS])
    return seen
