"""A backtest from a source to its record: what was refused, what stayed open, and what it was made from."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from laws.driver import EMPTY, MemorySource, Ticks, random_ticks, run_engine, settings
from myquant import compose
from myquant.core import codes
from myquant.errors import DataError
from myquant.results.record import RunRecord
from myquant.session.engine import OUTBOX
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName, TickBatch

NIFTY = (InstrumentName("NIFTY"),)
LATE = {"session.end_hour": 23, "session.end_min": 59}  # so that the data ends with a position


class Files(MemorySource):
    """Rows of two files, with a header line each, in batches that do not end where the files do."""

    def batches(self) -> Any:
        ticks, half = self.ticks, len(self.ticks.time_ns) // 2
        files = (np.arange(2 * half) >= half).astype(np.int64)
        lines = np.arange(2 * half) % half + 2
        columns = {name: column for name, column in ticks._asdict().items() if len(column)}
        whole = TickBatch(**columns, lines=lines, files=files, names=("one.csv", "two.csv"))
        for start in range(0, 2 * half, self.batch_rows):
            yield whole.take(slice(start, start + self.batch_rows))


def backtest(ticks: Ticks, **values: object) -> RunRecord:
    loaded = settings({name.replace("__", "."): value for name, value in values.items()})
    source = Files(ticks, NIFTY, batch_rows=33, paths=("one.csv", "two.csv"))
    return compose.backtest(source, loaded, default_strategy())  # type: ignore[arg-type]  # it quacks like a source


def dirty(*rows: tuple[int, str]) -> Ticks:
    """Return a hundred good ticks but for some rows, counted from 0."""
    time_ns = random_ticks(1, count=100).time_ns[50] + np.arange(100) * 10**9
    ticks = Ticks(time_ns, np.full(100, 10_000), np.full(100, 75))
    for row, fault in rows:
        match fault:
            case "time":
                ticks.time_ns[row] = codes.NO_TIME
            case "back":
                ticks.time_ns[row] -= 60 * 10**9
            case "price":
                ticks.price[row] = codes.PRICE_UNPARSABLE
            case "volume":
                ticks.volume[row] = -1
    return ticks


DIRTY = dirty((3, "price"), (4, "time"), (7, "price"), (47, "back"), (60, "price"), (99, "volume"))


def test_examples_of_refused_rows_name_file_and_line() -> None:
    record = backtest(DIRTY)
    shown = {why: [(place.file, place.line) for place in places] for why, places in record.rejected_examples.items()}
    assert shown == {
        "unparsable_time": [("one.csv", 6)],
        "unparsable_price": [("one.csv", 5), ("one.csv", 9), ("two.csv", 12)],
        "unparsable_volume": [("two.csv", 51)],
        "time_backwards": [("one.csv", 49)],
    }


def test_only_so_many_examples_are_kept_and_all_are_counted() -> None:
    record = backtest(DIRTY, data_quality__rejected_examples=2)
    assert [place.line for place in record.rejected_examples["unparsable_price"]] == [5, 9]
    assert record.counts[0, codes.COUNT_REJECTED + codes.UNPARSABLE_PRICE] == 3
    assert record.counts[0, codes.COUNT_TICKS] == 94
    none = backtest(DIRTY, data_quality__rejected_examples=0)
    assert none.rejected_examples["unparsable_price"] == ()


def test_strict_stops_at_the_first_refused_row_with_its_place_and_remedy() -> None:
    with pytest.raises(DataError, match=r"^one\.csv:49: time_backwards; mend the row, or run without --strict"):
        backtest(dirty((47, "back"), (60, "price")), data_quality__strict=True)
    assert backtest(dirty(), data_quality__strict=True).counts[0, codes.COUNT_TICKS] == 100


def test_no_usable_row_is_an_error_that_says_what_was_found() -> None:
    rows = [(row, "time" if row == 70 else "price") for row in range(100)]
    with pytest.raises(DataError) as refused:
        backtest(dirty(*rows))
    assert str(refused.value) == (
        "one.csv, two.csv: none of 100 rows is a usable tick: "
        "unparsable_time (first: two.csv:22), unparsable_price (first: one.csv:2)"
    )
    with pytest.raises(DataError, match="none of 0 rows is a usable tick: there are none"):
        run_engine(Ticks(EMPTY, EMPTY, EMPTY), settings({}))


def test_a_position_stays_open_and_is_valued_at_the_last_price() -> None:
    record = run_engine(random_ticks(4), settings(LATE))
    (held,) = record.open_positions
    opening = record.openings[-1]
    assert (held.symbol, held.entry_time_ns) == ("NIFTY", int(opening["entry_time_ns"]))
    assert held.last_price == int(record.marks[-1]["price"])
    assert record.account.open_value == held.quantity * held.last_price
    # What trades and the open position gain is what the account gains.
    nets = int(record.trades["net"].sum())
    assert record.initial_capital + nets + held.open_pnl == record.account.cash + record.account.open_value


def test_closing_at_the_end_sells_what_is_open_at_the_last_price() -> None:
    ticks = random_ticks(4)
    left, closed = (run_engine(ticks, settings({**LATE, "execution.close_at_end": close})) for close in (False, True))
    assert closed.open_positions == ()
    assert closed.trades[: len(left.trades)].tobytes() == left.trades.tobytes()
    (last,) = closed.trades[len(left.trades) :]
    assert codes.EXIT_NAMES[int(last["reason"])] == "end_of_data"
    assert (last["price"], last["quantity"]) == (left.open_positions[0].last_price, left.open_positions[0].quantity)
    assert last["time_ns"] == closed.last_ns
    assert closed.account.cash == closed.initial_capital + int(closed.trades["net"].sum())


def test_the_record_says_what_it_was_made_from() -> None:
    loaded = settings({"capital.initial_capital": Decimal("250000.50")})
    ticks = random_ticks(2, days=2, instruments=2)
    record = run_engine(ticks, loaded, instruments=2)
    assert record.initial_capital == 25_000_050
    assert (record.config_hash, record.config_toml) == (loaded.hash, loaded.to_toml())
    assert [day.isoformat() for day in record.days] == ["2025-10-01", "2025-10-02"]
    assert set(record.rates) == {(who, day) for who in (0, 1) for day in record.days}
    assert record.lot_sizes == (75, 75)
    assert record.counts.shape == (2, codes.COUNTS)
    assert record.last_ns == int(record.marks["time_ns"].max())
    assert (record.account.trades, record.account.positions) == (len(record.trades), len(record.openings))
    assert record.engine_hash == default_strategy().engine_hash


def test_progress_is_told_batch_by_batch() -> None:
    told: list[int] = []
    source = MemorySource(random_ticks(1), NIFTY, batch_rows=400)
    compose.backtest(source, settings({}), default_strategy(), lambda batch: told.append(len(batch)))  # type: ignore[arg-type]  # it quacks like a source
    assert told == [400, 400, 400, 300]


def test_an_instrument_without_a_tick_takes_no_part() -> None:
    record = run_engine(random_ticks(2), settings({}), instruments=2)
    assert record.counts[1].sum() == 0
    assert record.lot_sizes == (75, 0)
    assert set(record.marks["instrument"].tolist()) == {0}


@pytest.mark.parametrize("count", [OUTBOX // 2 - 3, 4400, 3 * OUTBOX + 7])
def test_no_command_is_lost_however_many_come_before_an_order(count: int) -> None:
    """At `limit` a batch goes through the runner, which takes commands out only now and then."""
    opens_ns = int(random_ticks(1, count=2).time_ns[0])
    time_ns = opens_ns + np.arange(count, dtype=np.int64) * 10**9
    flat = Ticks(time_ns, np.full(count, 10_000), np.full(count, 75))
    source = MemorySource(flat, NIFTY, batch_rows=count)
    runs = [
        compose.backtest(
            source,  # type: ignore[arg-type]  # it quacks like a source
            settings({"execution.fill_model": model, "results.mark_interval_s": 1, "results.max_marks": 100_000}),
            default_strategy(),
        )
        for model in ("ltp", "limit")
    ]
    at_once, through_runner = (run.marks for run in runs)
    assert len(np.unique(at_once["time_ns"])) == len(at_once) > count * 0.9
    assert through_runner["time_ns"].tolist() == at_once["time_ns"].tolist()
