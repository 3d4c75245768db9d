"""`myquant journal`: what its commands print and how they end."""

import json
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from journal.journal_samples import QUICK, command, create, day, event, flip, note, record_at, segment, tick
from myquant.cli import journal_print
from myquant.cli.journal import app
from myquant.core import codes
from myquant.errors import ConfigError, JournalError, MyquantError
from myquant.journal import record
from myquant.journal.record import COMMAND, DAY, INPUT, NOTE
from myquant.journal.snapshot import Snapshot, write
from myquant.journal.writer import JournalWriter


class Ended(NamedTuple):
    out: str
    error: str
    code: int


def run(*arguments: object) -> Ended:
    """Return what a command prints, and the error that ends it."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, MyquantError):
        return Ended(result.output, str(result.exception), result.exception.exit_code)
    return Ended(result.output, "", result.exit_code)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Return a session of 3 inputs, 2 commands, a day, a note and a snapshot, over two segments."""
    folder = tmp_path / "monday"
    writer = create(folder, segment_records=4)
    bodies = [
        (DAY, day()),
        (INPUT, tick(1)),
        (COMMAND, command(1, codes.SUBMIT, side=1, quantity=75, price=12_345)),
        (INPUT, event(2, codes.OPERATOR, codes.ASK_HALT)),
        (COMMAND, command(2, codes.HALTED, reason=codes.BY_OPERATOR)),
        (NOTE, note(3, record.STARTED, 41)),
        (INPUT, tick(3)),
    ]
    for holds, body in bodies:
        writer.append(holds, body)
    write(folder, Snapshot(5, 2, 2, "engine", "config", {"engine": b"state"}), QUICK)
    writer.close()
    return folder


def numbers(out: str) -> list[int]:
    return [int(line.split()[0]) for line in out.splitlines()]


def test_cat_prints_a_line_per_record(session: Path) -> None:
    ended = run("cat", session)
    assert (ended.code, ended.error) == (0, "")
    lines = ended.out.splitlines()
    assert numbers(ended.out) == [*range(1, 8)]
    assert lines[1].startswith("2 input tick instrument=0 sequence=1 time=2025-10-03T03:45:01.000000000Z ")
    assert " price_paise=12345 " in lines[1]
    assert "time_ns" not in lines[1]
    expected = "3 command submit sequence=1 instrument=0 time=2025-10-03T03:45:00.000000000Z"
    assert lines[2] == f"{expected} side=buy quantity=75 price_paise=12345 reason=entry"
    assert lines[3].endswith(" code=1 code_name=halt")


def test_cat_chooses(session: Path) -> None:
    assert numbers(run("cat", session, "--kind", "command").out) == [3, 5]
    assert numbers(run("cat", session, "--kind", "day", "--kind", "note").out) == [1, 6]
    assert numbers(run("cat", session, "--from", 5).out) == [5, 6, 7]
    assert numbers(run("cat", session, "--from", 2, "--limit", 2).out) == [2, 3]
    assert numbers(run("cat", session, "--kind", "input", "--limit", 2).out) == [2, 4]
    assert run("cat", session, "--from", 8).out == ""


def test_cat_as_json_has_every_field(session: Path) -> None:
    records = [json.loads(line) for line in run("cat", session, "--json").out.splitlines()]
    assert [record["holds"] for record in records] == ["day", "input", "command", "input", "command", "note", "input"]
    assert records[2]["kind"] == "submit"
    assert records[2]["entry_time"] is None
    assert records[1]["time_ns"] == 1_759_463_101_000_000_000
    assert records[1]["time"] == "2025-10-03T03:45:01.000000000Z"
    assert records[5]["value_1"] == 41


def test_cat_names_the_values_of_telemetry_and_ledger(tmp_path: Path) -> None:
    writer = create(tmp_path / "s", segment_records=50)
    for kind in (record.TELEMETRY, record.BEAT, record.LEDGER):
        writer.append(NOTE, note(0, kind, *range(1, 17)))
    writer.close()
    first, second, third = run("cat", tmp_path / "s").out.splitlines()
    assert first.startswith("1 note telemetry wall=2025-10-03T03:45:00.000000000Z spent_max_ns=1 late_ns=2 ")
    assert " value_1=1 value_2=2 " in second
    assert third.startswith("3 note ledger wall=2025-10-03T03:45:00.000000000Z cash_paise=1 equity_paise=2 ")
    assert numbers(run("cat", tmp_path / "s", "--kind", "ledger", "--kind", "telemetry").out) == [1, 3]
    assert numbers(run("cat", tmp_path / "s", "--kind", "note", "--kind", "ledger").out) == [1, 2, 3]
    told = [json.loads(line) for line in run("cat", tmp_path / "s", "--kind", "ledger", "--json").out.splitlines()]
    assert [(each["holds"], each["kind"], each["halted_by"], each["day_pnl_paise"]) for each in told] == [
        ("note", "ledger", "", 3)
    ]


def test_cat_follows_until_its_limit(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter.open(session, disk=QUICK)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        writer.append(NOTE, note(len(pauses)))

    monkeypatch.setattr("time.sleep", pause)
    assert numbers(run("cat", session, "--follow", "--from", 6, "--limit", 5).out) == [6, 7, 8, 9, 10]
    assert pauses == [journal_print.POLL_S] * 3


def test_damage_ends_with_4_behind_what_is_sound(session: Path) -> None:
    flip(segment(session), record_at(2))
    damage = f"{segment(session)}: record 3 is damaged, and 4 sound ones stand behind it"
    for name in ("cat", "stats"):
        ended = run(name, session)
        assert ended.code == 4
        assert ended.error.startswith(damage)
        assert len(ended.error.splitlines()) == 1
    for options in ([], ["--follow"]):
        assert numbers(run("cat", session, *options).out) == [1, 2]
        assert run("cat", session, *options).code == 4
    ended = run("verify", session)
    lost = "snapshots/000000000005.snap: holds record 5, and the journal ends with 2: records were lost"
    assert ended == (
        f"{session}: last sound record 2 (1 input, 0 commands), 1 sound snapshot\n",
        f"{damage}\n{session}/{lost}",
        4,
    )


def test_verify_says_how_far_it_is_sound(session: Path) -> None:
    assert run("verify", session) == (
        f"{session}: last sound record 7 (3 inputs, 2 commands), 1 sound snapshot\n",
        "",
        0,
    )
    flip(segment(session, 2), record_at(3) + 50)
    ended = run("verify", session)
    assert (ended.code, ended.error) == (0, "")
    assert ended.out.splitlines()[0].endswith("record 8 is torn: its process was killed while writing it")


def test_stats_count(session: Path) -> None:
    lines = dict(line.split(None, 1) for line in run("stats", session).out.splitlines())
    assert lines["Records"] == "7 (input 3, command 2, day 1, note 1)"
    assert lines["Inputs"] == "tick 2, operator 1"
    assert lines["Commands"] == "submit 1, halted 1"
    first, last = "2025-10-03T03:45:01.000000000Z", "2025-10-03T03:45:03.000000000Z"
    assert lines["Exchange"] == f"{first} to {last} (its clock, of ticks and quotes)"
    assert lines["Arrived"].endswith("Z (this machine's clock)")
    assert lines["Bytes"] == "1,344 in 2 segments"
    figures = json.loads(run("stats", session, "--json").out)
    assert figures["inputs"] == {"tick": 2, "operator": 1}
    assert figures["last_time"] == last
    assert (
        lines["Arrived"] == f"{figures['first_arrived_time']} to {figures['last_arrived_time']} (this machine's clock)"
    )
    assert figures["records_per_s"] == pytest.approx(7 / 2)
    assert (figures["last_record"], figures["end"], figures["snapshots"]) == (7, "nothing", 1)


def test_stats_do_not_take_the_machines_clock_for_the_exchanges(tmp_path: Path) -> None:
    """A session's own inputs before the first packet have the machine's time; the exchange may play a day of the past."""
    journal, packet, begin = create(tmp_path / "s"), tick(1), event(2, codes.FEED_STATUS)
    later_ns = packet.event.time_ns + 400 * 86_400 * 10**9
    own = begin.event._replace(time_ns=later_ns, receive_ns=later_ns)
    journal.append(INPUT, begin._replace(event=own))
    journal.append(INPUT, packet._replace(event=packet.event._replace(receive_ns=later_ns + 10**9)))
    journal.close()
    figures = json.loads(run("stats", tmp_path / "s", "--json").out)
    assert figures["first_ns"] == figures["last_ns"] == packet.event.time_ns
    assert (figures["first_arrived_ns"], figures["last_arrived_ns"]) == (later_ns, later_ns + 10**9)
    assert figures["records_per_s"] == 2


def test_stats_of_no_records(tmp_path: Path) -> None:
    create(tmp_path / "s").close()
    assert "Records       0 (-)" in run("stats", tmp_path / "s").out
    assert json.loads(run("stats", tmp_path / "s", "--json").out)["records_per_s"] is None


def test_export_writes_a_new_file_only(session: Path, tmp_path: Path) -> None:
    target = tmp_path / "commands.parquet"
    ended = run("export", session, target, "--kind", "command")
    assert ended == (f"{target}: 2 records of kind command\n", "", 0)
    assert pq.read_table(target)["kind"].to_pylist() == ["submit", "halted"]
    ended = run("export", session, target)
    assert (ended.code, ended.error.startswith(f"{target}: is there already")) == (ConfigError.exit_code, True)
    assert run("export", session, target, "--force").out == f"{target}: 3 records of kind input\n"


@pytest.mark.parametrize("name", ["cat", "verify", "stats"])
def test_what_is_no_session_is_an_error_in_one_line(tmp_path: Path, name: str) -> None:
    ended = run(name, tmp_path / "none")
    assert ended.code == JournalError.exit_code == 4
    assert ended.error == f"{tmp_path}/none: is not the folder of a session (it has no journal/): name one that has"
    assert ended.out == ""
