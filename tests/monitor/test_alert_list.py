"""The book as those see it who look: whatever one row holds, and beside a monitor that writes."""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from monitor.made_views import NOON, SECOND
from monitor.told import Told, fault
from myquant.cli import main
from myquant.errors import MyquantError
from myquant.monitor.alert_list import acknowledge, alerts_in, book_stamp, deliveries_in, outcome_of, state_of
from myquant.monitor.book import ACK, ALERT, FILE
from myquant.monitor.finding import CRITICAL, INFO
from myquant.monitor.message import Message
from myquant.monitor.spool import DELIVERED, GIVEN_UP, Spool


def put(folder: Path, kind: str, key: str, value: str) -> None:
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as base:
        base.execute("insert or replace into book values (?, ?, ?)", (kind, key, value))


def test_there_may_be_none(tmp_path: Path) -> None:
    assert (alerts_in(tmp_path).alerts, deliveries_in(tmp_path, 5).last) == ([], [])
    assert acknowledge(tmp_path, [1], "", NOON) == []
    assert list(tmp_path.iterdir()) == []  # looking makes nothing


@pytest.mark.parametrize(
    "damaged", ["", "[]", "{}", "null", '{"number": 7}', "[" * 100_000, json.dumps({"number": "7", "rule": 1})]
)
def test_a_damaged_row_is_counted_and_hides_no_other(tmp_path: Path, damaged: str) -> None:
    told = Told(tmp_path)
    told.take(0, fault())
    put(tmp_path, ALERT, "7", damaged)
    found = alerts_in(tmp_path)
    assert [alert.number for alert in found.alerts] == [1]
    assert list(found.unreadable) == ["7"]


def test_a_field_of_another_type_is_counted(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.take(0, fault())
    row = asdict(alerts_in(tmp_path).alerts[0])
    changes: list[dict[str, object]] = [{"since_ns": "now"}, {"text": None}, {"ended_ns": 1.5}]
    for number, change in enumerate(changes, start=2):
        put(tmp_path, ALERT, str(number), json.dumps(row | change))
    assert set(alerts_in(tmp_path).unreadable) == {"2", "3", "4"}


def test_the_list_on_the_screen_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path))
    told = Told(tmp_path / "monitor")
    told.take(0, fault())
    put(tmp_path / "monitor", ALERT, "7", "{}")
    assert main(["alerts", "list"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("   1  warning   firing")
    assert "note: alert 7 can't be understood" in said.err


def test_acknowledging_is_seen_at_once(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.take(0, fault(), fault("engine_dead", CRITICAL))
    before = book_stamp(tmp_path)
    assert [alert.number for alert in acknowledge(tmp_path, [2, 9], "on it", NOON + SECOND)] == [2]
    assert book_stamp(tmp_path) != before
    first, second = alerts_in(tmp_path).alerts
    assert (state_of(first), state_of(second), second.note) == ("firing", "acknowledged", "on it")
    acknowledge(tmp_path, [2], "", NOON + 2 * SECOND)
    assert alerts_in(tmp_path).alerts[1].note == "on it"  # without a note the earlier one stays
    told.take(2, fault(), fault("engine_dead", CRITICAL))
    assert alerts_in(tmp_path).alerts[1].acknowledged_ns == NOON + 2 * SECOND


@pytest.mark.parametrize("ack", ["", "[]", '{"at_ns": "x", "note": "n"}', '{"note": "n"}'])
def test_an_acknowledgement_that_is_none_changes_nothing(tmp_path: Path, ack: str) -> None:
    told = Told(tmp_path)
    told.take(0, fault())
    put(tmp_path, ACK, "1", ack)
    assert state_of(alerts_in(tmp_path).alerts[0]) == "firing"


@pytest.mark.parametrize("note", ["x" * 201, "two\nlines"])
def test_a_note_is_one_short_line(tmp_path: Path, note: str) -> None:
    with pytest.raises(MyquantError, match="at most 200 printable"):
        acknowledge(tmp_path, [1], note, NOON)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database, but long enough to look like one" * 100)
    for read in (lambda: alerts_in(tmp_path), lambda: deliveries_in(tmp_path, 1)):
        with pytest.raises(MyquantError, match="can't be read"):
            read()


def test_what_became_of_messages(tmp_path: Path) -> None:
    spool = Spool(tmp_path, lambda: NOON)
    ends = {"mail": DELIVERED, "phone": GIVEN_UP, "chat": ""}
    for channel, state in ends.items():
        each = spool.add(Message(channel, INFO, f"to {channel}", "body", (), NOON))
        assert each is not None
        each.attempts, each.tried_ns = 2, NOON + SECOND
        each.answer = "x" * 600
        if state:
            each.state, each.ended_ns = state, NOON + 2 * SECOND
        spool.note(each)
    spool.save()
    found = deliveries_in(tmp_path, 2)
    assert [each.title for each in found.last] == ["to chat", "to phone"]  # the latest first, so many
    assert [outcome_of(each) for each in found.last] == ["waits, to be tried again", "given up"]
    states = {each.channel: each for each in found.channels}
    assert (states["chat"].waiting, states["mail"].delivered, states["phone"].given_up) == (1, 1, 1)
    assert (states["mail"].delivered_ns, states["mail"].failed_ns) == (NOON + 2 * SECOND, None)
    assert states["chat"].failed_ns == NOON + SECOND
    assert len(states["phone"].failure) < 600
    spool.close()
    assert deliveries_in(tmp_path, 1).last[0].channel == "chat"  # with nobody at work
