"""What a session notes of what it holds, and of what has left for a broker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myquant.brokers.port import SentRequest
from myquant.core import codes
from myquant.core.orders import PARTIAL, SENT, WORKING
from myquant.core.records import NEVER
from myquant.errors import JournalError
from myquant.journal import record
from myquant.journal.disk import DISK
from myquant.journal.reader import JournalReader, notes
from myquant.journal.record import Holding, Note, Sent
from myquant.session.notes import Notes
from myquant.session.sent_notes import ALL, SentNotes
from myquant.session.standing import holdings_of
from session.sessions import RICH
from session.supervised import Supervised, market_inputs, supervised

TIERS = {"risk.tp_points": [500, 1000], "risk.tp_percents": [0.5, 0.5], "risk.trail_activation_points": 400}


@pytest.fixture
def run(tmp_path: Path) -> Supervised:
    return supervised(tmp_path / "s", {**RICH, **TIERS}, market_inputs(1, 400), DISK)


def noted(run: Supervised, kind: int) -> list[Any]:
    """Return the notes of a kind; the journal is closed."""
    run.session.journal.close()
    bodies = np.concatenate([notes(block)["body"] for block in JournalReader(run.session.folder).blocks()])
    return list(bodies[bodies["kind"] == kind])


def test_each_second_says_what_is_held_and_nothing_of_what_is_not(run: Supervised) -> None:
    run.supervisor.on_timer()
    run.take_until_open()
    run.supervisor.on_timer()
    account, core = run.session.engine.account(), run.session.engine.instruments["core"][0].copy()
    open_value = account.open_value
    run.take_until_flat()
    run.supervisor.on_timer()
    found = noted(run, record.POSITION)
    numbers = {int(each["values"][0]) for each in found}
    assert numbers == {1}  # as often as a timer came while it was open
    assert int(found[0]["instrument"]) == 0
    holding = Holding(*found[0]["values"].tolist())
    position = core["position"]
    same = ("quantity", "bought", "entry_price", "opened_ns", "stop", "floor", "highest", "activation", "target")
    assert [getattr(holding, name) for name in same] == [int(position[name]) for name in same]
    assert holding.last_price == int(core["tape"]["last_price"])
    assert holding.quantity * holding.last_price == open_value
    assert holding.cost == holding.quantity * holding.entry_price
    assert 0 < holding.stop <= holding.floor < holding.entry_price < holding.activation < holding.target
    assert (holding.rests, holding.trigger, holding.tier) == (0, 0, 0)  # fills come at once: no stop order rests


@pytest.mark.parametrize(
    ("order", "rests", "trigger"),
    [
        ({"state": WORKING, "quantity": 75, "trigger": 9_000}, 75, 9_000),
        ({"state": PARTIAL, "quantity": 75, "filled": 25, "trigger": 9_000}, 50, 9_000),
        ({"state": SENT, "quantity": 75, "trigger": 9_000}, 0, 0),  # the exchange is not known to have it
        ({"state": WORKING, "quantity": 75, "trigger": 0}, 0, 0),  # an exit in its place
    ],
)
def test_what_rests_is_what_the_exchange_has_of_the_stop_order(
    run: Supervised, order: dict[str, int], rests: int, trigger: int
) -> None:
    run.take_until_open()
    core = run.session.engine.instruments["core"][0]
    for name, value in order.items():
        core["stop_order"][name] = value
    ((who, holding),) = holdings_of(run.session.engine)
    assert (who, holding.rests, holding.trigger) == (0, rests, trigger)
    run.session.journal.close()


def test_a_price_that_no_price_reaches_is_none(run: Supervised) -> None:
    run.take_until_open()
    position = run.session.engine.instruments["core"]["position"]
    position["activation"] = position["target"] = NEVER
    position["value_out"] = 1_000
    ((_, holding),) = holdings_of(run.session.engine)
    assert (holding.activation, holding.target) == (0, 0)
    assert holding.cost == int(position[0]["entry_value"]) - 1_000
    run.session.journal.close()


class Full:
    """A journal without room."""

    def __init__(self) -> None:
        self.asked: list[Note] = []

    def append(self, holds: int, note: Note) -> None:
        assert holds == record.NOTE
        self.asked.append(note)
        raise JournalError("full")


def test_a_note_without_room_is_told_and_ends_nothing(run: Supervised) -> None:
    journal: Any = Full()
    told: list[JournalError] = []
    Notes(run.session.engine, journal, run.tape, told.append).add(record.TROUBLE, 1, 2, 3)
    assert [str(each) for each in told] == ["full"]
    (note,) = journal.asked
    assert (note.kind, note.code, note.instrument, note.values) == (record.TROUBLE, 1, 2, (3, *[0] * 15))
    run.session.journal.close()


def test_what_was_sent_is_noted_later_in_order() -> None:
    noted: list[tuple[int, int, Sent]] = []
    put_off: list[Callable[[], None]] = []
    who_of: dict[int, int] = {}
    sent = SentNotes(who_of, lambda *note: noted.append(note), put_off.append)
    sent.take(SentRequest(codes.SUBMIT, 7, 100, 0, 1, 2, 75, 10_050, 0, again=False))
    sent.take(SentRequest(codes.CANCEL, 8, 110, 5, 1, 1, 25, 0, 0, again=True))
    who_of[7] = 3  # it is known once the port has returned
    assert (noted, len(put_off)) == ([], 1)
    put_off.pop()()
    assert noted == [
        (record.SENT_SUBMIT, 3, Sent(7, 100, 0, 1, 2, 75, 10_050, 0, 0)),
        (record.SENT_CANCEL, ALL, Sent(8, 110, 5, 1, 1, 25, 0, 0, 1)),
    ]
    sent.take(SentRequest(codes.MODIFY, 7, 120, 0, 2, 2, 5, 10_060, 9_000, again=False))
    sent.write()
    assert noted[2:] == [(record.SENT_MODIFY, 3, Sent(7, 120, 0, 2, 2, 5, 10_060, 9_000, 0))]
    put_off.pop()()  # nothing is left to it
    assert len(noted) == 3


def test_a_note_of_what_was_sent_reads_as_it_was(run: Supervised) -> None:
    sent = Sent(7, 100, 20, 1, 2, 75, 10_050, 9_000, 1)
    run.supervisor.notes.sent(record.SENT_MODIFY, 0, sent)
    (note,) = noted(run, record.SENT)
    assert (int(note["code"]), int(note["instrument"])) == (record.SENT_MODIFY, 0)
    assert Sent._make(note["values"][: len(Sent._fields)].tolist()) == sent
