"""The files that grow with a session: what a row says, that both ways write the same bytes, and a disk that refuses."""

import csv
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.core import codes
from myquant.core.records import NO_COMMAND, Command
from myquant.errors import MyquantError
from myquant.results.units import iso_time
from myquant.session.later import at_once
from myquant.session.result_files import (
    BATCH_ROWS,
    DECISIONS,
    RING_ROWS,
    TICKS,
    BufferedRows,
    Results,
    RowText,
)
from myquant.session.tick_row import Earlier, TickRow
from session.supervised import Lines

ZONE = ZoneInfo("Asia/Kolkata")
TIME_NS = 1_759_463_467_120_000_000  # 2025-10-03 09:21:07.12 in India
TEXT = RowText(("NIFTY07OCT2524900CE", 'odd, "quoted"'), ZONE)


def tick(number: int, **changes: int) -> TickRow:
    values = {"who": 0, "price": 20_005 + number, "volume": 75, "bid": 20_000, "ask": 20_010} | changes
    time_ns = TIME_NS + number * 10**8
    return (codes.TICK, values["who"], number, time_ns, time_ns, *(values[name] for name in ("price", "volume", "bid", "ask")))  # type: ignore[return-value]  # fmt: skip


def command(kind: int, **fields: int) -> Command:
    return NO_COMMAND._replace(kind=kind, time_ns=TIME_NS, event_sequence=7, **fields)


def opened(folder: Path, variant: str = "direct", **options: Any) -> tuple[Results, Lines]:
    log = Lines()
    return Results(folder, variant, TEXT, log, **options), log


def contents(folder: Path) -> tuple[bytes, bytes]:
    return (folder / TICKS).read_bytes(), (folder / DECISIONS).read_bytes()


def test_a_tick_is_a_row(tmp_path: Path) -> None:
    results, _ = opened(tmp_path)
    results.take(tick(0))
    results.take(tick(9, who=1, bid=0, ask=0, price=5))
    assert contents(tmp_path)[0].decode().splitlines() == [
        "timestamp,symbol,price,volume,bid,ask",
        "2025-10-03T09:21:07.120+05:30,NIFTY07OCT2524900CE,200.05,75,200.00,200.10",
        '2025-10-03T09:21:08.020+05:30,"odd, ""quoted""",0.05,75,,',
    ]
    assert stat.S_IMODE((tmp_path / TICKS).stat().st_mode) == 0o600
    results.close()


def test_a_decision_is_a_row(tmp_path: Path) -> None:
    results, _ = opened(tmp_path)
    buy = {"side": codes.BUY, "quantity": 75, "order_id": 3}
    results.decide(
        [
            command(codes.SUBMIT, **buy, price=20_005),
            command(codes.MARK, price=20_005),
            command(codes.CANCEL, **buy),
            command(codes.POSITION_OPENED, **buy, price=20_010),
            command(codes.TICK_REJECTED, reason=codes.TIME_BACKWARDS),
        ]
    )
    results.decide([command(codes.TRADE_CLOSED, **buy | {"side": codes.SELL}, price=1, reason=codes.STOP_LOSS)])
    results.decide([command(codes.MARK, price=20_005)])
    results.decide([command(codes.DENIED, price=20_005, reason=codes.SIZE, instrument=1)])
    results.decide([command(codes.HALTED, reason=codes.BY_OPERATOR, instrument=-1)])
    end = "2025-10-03T09:21:07.120+05:30,7"
    assert contents(tmp_path)[1].decode().splitlines() == [
        "kind,symbol,side,quantity,price,reason,order_id,time,input",
        f"submit,NIFTY07OCT2524900CE,buy,75,200.05,entry,3,{end}",
        f"cancel,NIFTY07OCT2524900CE,buy,75,,entry,3,{end}",
        f"position_opened,NIFTY07OCT2524900CE,buy,75,200.10,,3,{end}",
        f"trade_closed,NIFTY07OCT2524900CE,sell,75,0.01,stop_loss,3,{end}",
        f'denied,"odd, ""quoted""",,,200.05,size,,{end}',
        f"halted,,,,,operator,,{end}",
    ]
    results.close()


@settings(deadline=None)
@given(st.integers(0, 2**62), st.sampled_from(["Asia/Kolkata", "UTC", "America/New_York"]))
def test_a_time_reads_as_in_all_results(time_ns: int, zone: str) -> None:
    for rounded in (time_ns, time_ns // 10**3 * 10**3, time_ns // 10**6 * 10**6, time_ns // 10**9 * 10**9):
        line = RowText(("A",), ZoneInfo(zone)).tick((1, 0, 0, rounded, 0, 1, 1, 0, 0))
        assert line.partition(",")[0] == iso_time(rounded, ZoneInfo(zone))


@settings(deadline=None)
@given(st.integers(1, 10**10), st.integers(0, 10**10))
def test_rupees_are_exact(price: int, bid: int) -> None:
    (row,) = csv.reader([TEXT.tick(tick(1, price=price, bid=bid))])
    assert [round(float(text) * 100) for text in (row[2], row[4] or "0")] == [price, bid]
    assert row[2].partition(".")[2] == f"{price % 100:02d}"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 40)),
        st.tuples(st.just("decide"), st.integers(1, 40)),
        st.sampled_from([("flush", 0), ("due", 0), ("put_off", 0), ("at_once", 0)]),
    ),
    max_size=20,
)


@settings(deadline=None)
@given(STEPS)
def test_both_ways_write_the_same_bytes_whenever_batches_come_due(steps: list[tuple[str, int]]) -> None:
    def play(variant: str) -> tuple[bytes, bytes]:
        waiting: list[Callable[[], None]] = []
        with TemporaryDirectory() as folder:
            results, _ = opened(Path(folder), variant)
            taken = 0
            for step, count in steps:
                if step == "take":
                    taken += count
                    for number in range(taken - count, taken):
                        results.take(tick(number))
                elif step == "decide":
                    results.decide([command(codes.SUBMIT, order_id=order) for order in range(1, count)])
                elif step == "flush":
                    results.flush()
                elif step == "due" and waiting:
                    waiting.pop(0)()
                elif step == "put_off":
                    results.put_off(waiting.append)
                elif step == "at_once":
                    results.put_off(at_once)
            results.close()
            return contents(Path(folder))

    assert play("direct") == play("buffered")


def rows_in(folder: Path) -> int:
    return contents(folder)[0].count(b"\n") - 1


def test_batches_are_written_when_they_are_full_or_due(tmp_path: Path) -> None:
    results, _ = opened(tmp_path, "buffered")
    for number in range(BATCH_ROWS - 1):
        results.take(tick(number))
    assert rows_in(tmp_path) == 0
    results.take(tick(BATCH_ROWS))
    assert rows_in(tmp_path) == BATCH_ROWS
    results.take(tick(BATCH_ROWS + 1))
    results.flush()
    assert rows_in(tmp_path) == BATCH_ROWS + 1
    results.close()


def test_a_batch_that_does_not_get_its_time_is_written_all_the_same(tmp_path: Path) -> None:
    results, _ = opened(tmp_path, "buffered")
    waiting: list[Callable[[], None]] = []
    results.put_off(waiting.append)
    seen = []
    for number in range(RING_ROWS + BATCH_ROWS + 1):
        results.take(tick(number))
        seen.append(number + 1 - rows_in(tmp_path))
    assert max(seen) == RING_ROWS  # so many rows a killed process leaves to the journal
    assert rows_in(tmp_path) == 2 * BATCH_ROWS
    assert isinstance(results.ticks, BufferedRows)
    assert results.ticks.overflows == 2
    while waiting:
        waiting.pop(0)()
    assert rows_in(tmp_path) == 3 * BATCH_ROWS
    results.put_off(at_once)
    assert rows_in(tmp_path) == RING_ROWS + BATCH_ROWS + 1
    results.close()


@pytest.mark.parametrize("variant", ["direct", "buffered"])
def test_a_start_writes_anew_what_the_journal_holds(tmp_path: Path, variant: str) -> None:
    results, _ = opened(tmp_path, variant)
    for number in range(100):
        results.take(tick(number))
    results.decide([command(codes.SUBMIT, order_id=1)])
    results.close()
    whole = contents(tmp_path)
    (tmp_path / TICKS).write_bytes(whole[0][:-700])  # a process was killed
    results, _ = opened(tmp_path, variant)
    results.recall(Earlier([tick(number) for number in range(60)], [tuple(command(codes.SUBMIT, order_id=1))]))
    results.recall(Earlier([tick(number) for number in range(60, 90)], [tuple(command(codes.MARK))]))
    for number in range(90, 100):
        results.take(tick(number))
    results.close()
    assert contents(tmp_path) == whole


class Disk:
    """Takes bytes as long as there is room, and refuses as long as `error` is set."""

    def __init__(self) -> None:
        self.error = 0
        self.room = 10**9

    def write(self, descriptor: int, content: bytes) -> int:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        written = os.write(descriptor, content[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("variant", ["direct", "buffered"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, 0])
def test_a_disk_that_refuses_is_counted_told_once_and_stops_nothing(tmp_path: Path, variant: str, error: int) -> None:
    disk = Disk()
    results, log = opened(tmp_path, variant, write=disk.write)
    for number in range(BATCH_ROWS):
        results.take(tick(number))
    disk.error, disk.room = error, disk.room if error else 30  # half a row fits
    for number in range(BATCH_ROWS, 3 * BATCH_ROWS):
        results.take(tick(number))
    assert results.lost == 2 * BATCH_ROWS
    disk.error, disk.room = 0, 10**9
    for number in range(3 * BATCH_ROWS, 4 * BATCH_ROWS):
        results.take(tick(number))
    results.close()
    expected = [TEXT.tick(tick(number)) for number in (*range(BATCH_ROWS), *range(3 * BATCH_ROWS, 4 * BATCH_ROWS))]
    assert contents(tmp_path)[0].decode().splitlines(keepends=True)[1:] == expected
    why = os.strerror(error) if error else "the disk is full"
    assert log.lines == [
        ("error", "rows can't be written; the journal has them", {"file": TICKS, "error": why}),
        ("warning", "rows are written again", {"file": TICKS, "lost": 2 * BATCH_ROWS}),
    ]


def test_what_is_missing_at_the_end_is_told(tmp_path: Path) -> None:
    disk = Disk()
    results, log = opened(tmp_path, write=disk.write)
    disk.error = errno.EIO
    results.decide([command(codes.SUBMIT), command(codes.SUBMIT)])
    results.close()
    results.close()
    assert log.of("warning") == ["rows are missing; the next start writes them {'file': 'decisions.csv', 'lost': 2}"]
    told = list(log.lines)
    results.take(tick(1))
    assert results.lost == 3
    assert log.lines == told


def test_half_a_row_that_can_not_be_cut_off_at_once_is_cut_off_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk = Disk()
    results, log = opened(tmp_path, write=disk.write)
    results.take(tick(0))
    with monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", refuse)
        disk.room = 10
        results.take(tick(1))
        disk.room = 10**9
        results.take(tick(2))
    results.take(tick(3))
    results.close()
    expected = [TEXT.tick(tick(number)) for number in (0, 3)]
    assert contents(tmp_path)[0].decode().splitlines(keepends=True)[1:] == expected
    assert results.lost == 2
    assert log.of("warning") == ["rows are written again {'file': 'ticks.csv', 'lost': 2}"]


def test_a_header_that_did_not_fit_comes_with_the_first_rows(tmp_path: Path) -> None:
    disk = Disk()
    disk.error = errno.ENOSPC
    results, log = opened(tmp_path, write=disk.write)
    disk.error = 0
    results.take(tick(0))
    assert contents(tmp_path)[0].decode().splitlines()[0] == "timestamp,symbol,price,volume,bid,ask"
    assert (results.lost, len(log.of("error"))) == (0, 2)
    results.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MyquantError, match=r"ticks\.csv: can't be written \(No such file or directory\): move it away"):
        opened(tmp_path / "none")
