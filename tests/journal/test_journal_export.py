"""Records as columns and files: names for numbers, times twice, nothing lost."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from journal.journal_samples import OPENS_NS, command, create, day, event, flip, note, record_at, segment, tick
from myquant.core import codes
from myquant.errors import ConfigError, JournalError
from myquant.journal import export as exports
from myquant.journal import record
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.columns import KINDS, NAMED_NOTES, Columns, columns, empty
from myquant.journal.export import export
from myquant.journal.reader import JournalReader
from myquant.journal.record import COMMAND, DAY, HOLDS_NAMES, INPUT, NOTE
from myquant.journal.scan import DAMAGE, NOTHING


def made(folder: Path, holds: int, *bodies: object) -> Columns:
    writer = create(folder, segment_records=50)
    for body in bodies:
        writer.append(holds, body)
    return columns(JournalReader(folder).read(1), holds)


def test_every_way_in_which_an_order_is_refused_has_a_name(tmp_path: Path) -> None:
    refused = (codes.BY_VENUE, codes.NOT_SENT, codes.NOT_FOUND, codes.IN_DOUBT, codes.COUNTS_NOW)
    found = made(tmp_path, INPUT, *(event(code + 1, codes.ORDER_REJECT, code) for code in refused))
    assert found["code_name"].tolist() == ["by_venue", "not_sent", "not_found", "in_doubt", "counts_now"]


def test_every_fill_that_is_of_no_order_of_the_engines_has_a_name(tmp_path: Path) -> None:
    found = made(
        tmp_path, INPUT, *(event(code + 1, codes.FILL, code) for code in (0, codes.OF_LOST_ORDER, OF_FORGOTTEN))
    )
    assert found["code_name"].tolist() == ["", "of_lost_order", "of_forgotten_order"]


def test_inputs_have_names_units_and_times(tmp_path: Path) -> None:
    asked = event(2, codes.OPERATOR, codes.ASK_FLATTEN)
    found = made(tmp_path, INPUT, tick(1), asked, event(3, codes.TIMER, 3))
    assert found["number"].tolist() == [1, 2, 3]
    assert found["kind"].tolist() == ["tick", "operator", "timer"]
    assert found["code_name"].tolist() == ["", "flatten", ""]
    assert found["price_paise"].tolist() == [12_345, 0, 0]
    assert found["time_ns"].tolist() == [OPENS_NS + 1_000_000_000, OPENS_NS, OPENS_NS]
    assert found["time"][1] == np.datetime64("2025-10-03T03:45:00", "ns")
    assert np.isnat(found["traded"][1])
    assert "spare" not in found
    assert not {"arrived", "decoded", "spent", "arrived_monotonic"} & set(found)  # no times of day
    assert {"arrived_monotonic_ns", "decoded_monotonic_ns", "spent_ns"} <= set(found)


@pytest.mark.parametrize(
    ("kind", "reason", "name"),
    [
        (codes.SUBMIT, 0, "entry"),
        (codes.SUBMIT, codes.STOP_LOSS, "stop_loss"),
        (codes.TRADE_CLOSED, codes.TAKE_PROFIT + 7, "take_profit_8"),
        (codes.DENIED, codes.CASH, "cash"),
        (codes.TICK_REJECTED, codes.TIME_BACKWARDS, "time_backwards"),
        (codes.HALTED, codes.BY_JOURNAL, "journal"),
        (codes.MARK, 0, ""),
    ],
)
def test_a_reason_is_named_by_the_kind_of_command(tmp_path: Path, kind: int, reason: int, name: str) -> None:
    found = made(tmp_path, COMMAND, command(1, kind, reason=reason, side=-1, net=-7))
    assert found["kind"].tolist() == [codes.COMMAND_NAMES[kind]]
    assert (found["reason"].tolist(), found["side"].tolist(), found["net_paise"].tolist()) == ([name], ["sell"], [-7])


def test_every_event_and_command_has_its_columns(tmp_path: Path) -> None:
    events = [event(kind, kind, codes.BY_JOURNAL if kind == codes.ALARM else 1) for kind in codes.EVENT_NAMES]
    found = made(tmp_path / "inputs", INPUT, *events)
    assert found["kind"].tolist() == list(codes.EVENT_NAMES.values())
    commands = [command(kind, kind, reason=1) for kind in codes.COMMAND_NAMES]
    assert made(tmp_path / "commands", COMMAND, *commands)["kind"].tolist() == list(codes.COMMAND_NAMES.values())


def test_days_and_notes_are_flat(tmp_path: Path) -> None:
    found = made(tmp_path / "days", DAY, day())
    assert found["flatten_ns"].tolist() == [OPENS_NS + 4]
    assert found["charges_stt_rate"].tolist() == [100_000]
    assert found["charges_brokerage_min_paise"].tolist() == [2_000]
    found = made(tmp_path / "notes", NOTE, note(3, record.STARTED, 41, 42))
    assert found["kind"].tolist() == ["started"]
    assert [found[f"value_{place}"].tolist() for place in (1, 2, 16)] == [[41], [42], [0]]


@pytest.mark.parametrize(
    ("holds", "body"),
    [(INPUT, event(1, 99)), (INPUT, event(1, codes.OPERATOR, 9)), (COMMAND, command(1, codes.DENIED, reason=99))],
)
def test_a_number_without_a_name_is_an_error(tmp_path: Path, holds: int, body: object) -> None:
    with pytest.raises(JournalError, match=r"record 1: \w+ 9+ has no name here: use the version that wrote it"):
        made(tmp_path, holds, body)


def test_no_records_have_the_same_columns(tmp_path: Path) -> None:
    for holds, body in ((INPUT, tick(1)), (COMMAND, command(1)), (DAY, day()), (NOTE, note(1))):
        some = made(tmp_path / str(holds), holds, body)
        assert {name: values.dtype for name, values in empty(HOLDS_NAMES[holds]).items()} == {
            name: values.dtype for name, values in some.items()
        }


def mixed(folder: Path, count: int = 30) -> None:
    writer = create(folder, segment_records=7)
    for sequence in range(1, count + 1):
        writer.append(INPUT, tick(sequence))
        if sequence % 3 == 0:
            writer.append(COMMAND, command(sequence // 3))


def test_parquet_holds_what_was_journaled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "ROW_GROUP_ROWS", 10)
    mixed(tmp_path / "s")
    target = tmp_path / "inputs.parquet"
    done = export(tmp_path / "s", target, "input")
    assert (done.rows, done.end.last, done.end.what) == (30, 40, NOTHING)
    table = pq.read_table(target)
    assert table["sequence"].to_pylist() == [*range(1, 31)]
    assert set(table["kind"].to_pylist()) == {"tick"}
    assert table.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert table["time"].cast(pa.int64()).to_pylist() == table["time_ns"].to_pylist()
    assert pq.ParquetFile(target).num_row_groups > 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inputs.parquet", "s"]


def test_csv_holds_what_was_journaled(tmp_path: Path) -> None:
    mixed(tmp_path / "s")
    assert export(tmp_path / "s", tmp_path / "commands.csv", "command").rows == 10
    with (tmp_path / "commands.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [int(row["sequence"]) for row in rows] == [*range(1, 11)]
    assert (rows[0]["kind"], rows[0]["time"]) == ("mark", "2025-10-03 03:45:00.000000000Z")


@pytest.mark.parametrize("kind", [*KINDS, *NAMED_NOTES])
@pytest.mark.parametrize("suffix", exports.SUFFIXES)
def test_a_journal_without_records_gives_a_table_without_rows(tmp_path: Path, kind: str, suffix: str) -> None:
    create(tmp_path / "s").close()
    target = tmp_path / f"none{suffix}"
    assert export(tmp_path / "s", target, kind).rows == 0
    assert target.stat().st_size > 0


def test_telemetry_and_ledger_have_a_column_for_each_value(tmp_path: Path) -> None:
    writer = create(tmp_path / "s", segment_records=50)
    for kind, code in ((record.BEAT, 0), (record.TELEMETRY, 0), (record.LEDGER, codes.BY_JOURNAL), (record.LEDGER, 0)):
        writer.append(NOTE, note(code, kind, *range(1, 17)))
    writer.append(NOTE, note(0, record.TELEMETRY, *[0] * 12, OPENS_NS))
    export(tmp_path / "s", tmp_path / "ledger.parquet", "ledger")
    ledger = pq.read_table(tmp_path / "ledger.parquet").to_pydict()
    assert ledger["number"] == [3, 4]
    assert ledger["halted_by"] == ["journal", ""]
    money = ("cash", "equity", "day_pnl", "drawdown", "charges", "open_value")
    assert [ledger[f"{name}_paise"][0] for name in money] == [1, 2, 3, 4, 5, 6]
    rest = ("trades", "positions", "entries_today", "orders_today", "unknown", "rejects_in_row", "funds_paise")
    assert [ledger[name][0] for name in rest] == [*range(7, 14)]
    assert ledger["day_stopped"] == [14, 14]
    assert not {"spare", "spare_too", "value_1", "code"} & ledger.keys()
    export(tmp_path / "s", tmp_path / "telemetry.csv", "telemetry")
    with (tmp_path / "telemetry.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    names = ("kind", "spent_max_ns", "queue_room", "looked_ns", "verbose")
    assert [first[name] for name in names] == ["telemetry", "1", "7", "13", "16"]
    assert second["looked"] == "2025-10-03 03:45:00.000000000Z"
    assert not {"spent_max", "late", "bare"} & first.keys()  # no times of day


def test_positions_and_what_was_sent_have_a_column_for_each_value(tmp_path: Path) -> None:
    writer = create(tmp_path / "s", segment_records=50)
    writer.append(NOTE, note(0, record.POSITION, *range(1, 5), OPENS_NS, *range(6, 17))._replace(instrument=3))
    for code in record.SENT_NAMES:
        writer.append(NOTE, note(code, record.SENT, *range(1, 10))._replace(instrument=2))
    export(tmp_path / "s", tmp_path / "position.parquet", "position")
    ((row),) = pq.read_table(tmp_path / "position.parquet").to_pylist()
    assert [row[name] for name in ("kind", "instrument", "position_id", "quantity", "bought", "tier")] == [
        *("position", 3, 1, 2, 3, 12),
    ]
    prices = ("entry_price", "cost", "stop", "floor", "highest", "activation", "target", "last_price", "trigger")
    assert [row[f"{name}_paise"] for name in prices] == [4, 6, 7, 8, 9, 10, 11, 13, 15]
    assert (row["opened_ns"], row["opened"].value, row["rests"]) == (OPENS_NS, OPENS_NS, 14)
    export(tmp_path / "s", tmp_path / "sent.parquet", "sent")
    rows = pq.read_table(tmp_path / "sent.parquet").to_pylist()
    assert [(each["request"], each["instrument"]) for each in rows] == [("submit", 2), ("modify", 2), ("cancel", 2)]
    names = ("order_id", "written_monotonic_ns", "waited_ns", "part", "parts", "quantity", "limit_paise")
    assert [rows[0][name] for name in (*names, "trigger_paise", "again")] == [*range(1, 10)]
    assert not {"spare", "written_monotonic", "waited", "value_1"} & (row.keys() | rows[0].keys())


def test_what_is_sound_of_a_damaged_journal_is_written(tmp_path: Path) -> None:
    mixed(tmp_path / "s")
    flip(segment(tmp_path / "s", 2), record_at(3))
    done = export(tmp_path / "s", tmp_path / "inputs.csv", "input")
    assert (done.end.last, done.end.what, done.rows) == (10, DAMAGE, 8)


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    mixed(tmp_path / "s")
    with pytest.raises(ConfigError, match=r"x.xlsx: unknown kind of file; end its name in .parquet or .csv"):
        export(tmp_path / "s", tmp_path / "x.xlsx", "input")
    with pytest.raises(ConfigError, match="can't be written"):
        export(tmp_path / "s", tmp_path / "no" / "x.csv", "input")
    with pytest.raises(ConfigError, match="can't be written"):
        export(tmp_path / "s", tmp_path / "no" / "x.parquet", "input")
