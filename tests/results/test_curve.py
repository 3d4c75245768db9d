"""The equity curve: in the order of events, from the first tick to the final state."""

from dataclasses import replace

import numpy as np

from myquant.results.curve import equity_curve
from results.sample import DAY_1, LOT, TWO_POSITIONS, Held, at, make_record, rich_record


def test_it_starts_with_the_capital_at_the_first_tick_and_ends_with_the_final_state() -> None:
    record = rich_record()
    curve = equity_curve(record)
    assert (curve.time_ns[0], curve.cash[0], curve.equity[0]) == (record.first_ns, 10_000_000, 10_000_000)
    final = record.account.cash + record.account.open_value
    assert (curve.time_ns[-1], curve.cash[-1], curve.equity[-1]) == (record.last_ns, record.account.cash, final)


def test_rows_follow_the_sequence_and_time_never_goes_back() -> None:
    record = make_record(TWO_POSITIONS)
    marks = record.marks.copy()
    # Another instrument's mark: its own last tick is an hour old, the account is not.
    marks["time_ns"][-1] = at("10:05:09")
    curve = equity_curve(replace(record, marks=marks))
    assert (np.diff(curve.time_ns) >= 0).all()
    assert curve.equity.tolist() == equity_curve(record).equity.tolist()


def test_the_input_order_of_the_commands_does_not_matter() -> None:
    record = make_record(TWO_POSITIONS)
    turned = replace(record, marks=record.marks[::-1], trades=record.trades[::-1])
    for ours, theirs in zip(equity_curve(record), equity_curve(turned), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_no_row_stands_twice_in_a_row() -> None:
    record = make_record(TWO_POSITIONS)
    doubled = np.repeat(record.marks, 2)
    doubled["sequence"] = 2 * doubled["sequence"] + np.tile([0, 1], len(record.marks))
    others = (record.trades.copy(), record.openings.copy())
    for rows in others:
        rows["sequence"] *= 2
    again = equity_curve(replace(record, marks=doubled, trades=others[0], openings=others[1]))
    assert again.equity.tolist() == equity_curve(record).equity.tolist()


def test_drawdown_is_below_the_highest_row_so_far() -> None:
    curve = equity_curve(make_record(TWO_POSITIONS))
    peak = 0
    for equity, drawdown in zip(curve.equity.tolist(), curve.drawdown.tolist(), strict=True):
        peak = max(peak, equity)
        assert drawdown == peak - equity


def test_without_trades_there_are_two_rows() -> None:
    curve = equity_curve(make_record())
    assert curve.equity.tolist() == [10_000_000, 10_000_000]


def test_an_entry_moves_cash_into_open_value() -> None:
    curve = equity_curve(make_record([Held("10:00:00", 20_000, LOT, day=DAY_1)]))
    bought = curve.time_ns.tolist().index(at("10:00:00"))
    assert curve.cash[bought] == 10_000_000 - 20_000 * LOT
    assert curve.equity[bought] == 10_000_000
