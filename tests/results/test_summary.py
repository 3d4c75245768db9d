"""The figures of summary.json against numbers worked out by hand, and laws between them."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.core import codes
from myquant.results.record import RunRecord
from myquant.results.summary import summary, summary_json
from results.sample import (
    DAY_1,
    DAY_2,
    FREE,
    LOT,
    SCHEDULE,
    TWO_POSITIONS,
    Held,
    Out,
    counted,
    make_record,
    rich_record,
)


def closed(price: int, *nets: int) -> list[Held]:
    """Return one-lot positions in a row, each closed by its stop with this P&L per unit (paise)."""
    clocks = [(f"10:{minute:02d}:00", f"10:{minute:02d}:30") for minute in range(len(nets))]
    return [
        Held(opened, price, LOT, (Out(left, price + net, LOT, codes.STOP_LOSS),))
        for (opened, left), net in zip(clocks, nets, strict=True)
    ]


# Of TWO_POSITIONS, free of charges: +375.00, +75.00 (position 1) and -1,125.00 (position 2) on 225 units.
BY_HAND: dict[str, Any] = {
    "trades": 3,
    "positions": 2,
    "gross_pnl": -675.0,
    "charges": 0.0,
    "net_pnl": -675.0,
    "winning_trades": 2,
    "losing_trades": 1,
    "win_rate_percent": 66.6667,
    "winning_positions": 1,
    "losing_positions": 1,
    "position_win_rate_percent": 50.0,
    "profit_factor": 0.4,
    "average_win": 225.0,
    "average_loss": -1125.0,
    "largest_win": 375.0,
    "largest_loss": -1125.0,
    "expectancy": -225.0,
    "longest_losing_run": 1,
    "cost_per_trade": 0.0,
    "break_even_slippage_points": -1.5,  # -675 over 2 x 225
    "max_drawdown": 1425.0,  # from 100,750 at 09:22:00 to 99,325
    "max_drawdown_percent": 1.4144,
    "return_percent": -0.675,
    "initial_cash": 100_000.0,
    "final_cash": 99_325.0,
    "initial_equity": 100_000.0,
    "final_equity": 99_325.0,
    "first_tick": "2025-10-03T09:15:00+05:30",
    "last_tick": "2025-10-03T15:29:59+05:30",
    "contract_notes": None,
}


@pytest.mark.parametrize("key", BY_HAND)
def test_figure_worked_out_by_hand(key: str) -> None:
    assert summary(make_record(TWO_POSITIONS))[key] == BY_HAND[key]


@pytest.mark.parametrize(
    ("nets", "expected"),
    [
        ((10, 10), {"profit_factor": None, "average_loss": None, "largest_loss": None, "longest_losing_run": 0}),
        ((-10, -20, 0, -10), {"profit_factor": 0.0, "average_win": None, "largest_win": None, "longest_losing_run": 2}),
        ((0,), {"win_rate_percent": 0.0, "profit_factor": None, "winning_trades": 0, "losing_trades": 0}),
        ((-1, -1, 5, -1, -1, -1), {"longest_losing_run": 3, "win_rate_percent": 16.6667, "profit_factor": 1.0}),
        ((20, -10), {"max_drawdown": 7.5, "max_drawdown_percent": 0.0075, "expectancy": 3.75}),
        ((30, 20), {"max_drawdown": 0.0, "max_drawdown_percent": 0.0, "break_even_slippage_points": 0.125}),
    ],
)
def test_runs_of_wins_and_losses(nets: tuple[int, ...], expected: dict[str, Any]) -> None:
    figures = summary(make_record(closed(20_000, *nets)))
    assert {key: figures[key] for key in expected} == expected


def test_a_run_without_trades_is_undefined_where_it_must_be() -> None:
    figures = summary(make_record())
    undefined = {key for key, value in figures.items() if value is None}
    assert undefined == {
        "win_rate_percent",
        "position_win_rate_percent",
        "profit_factor",
        "average_win",
        "average_loss",
        "largest_win",
        "largest_loss",
        "expectancy",
        "cost_per_trade",
        "break_even_slippage_points",
        "exposure_percent",
        "contract_notes",
    }
    assert (figures["trades"], figures["net_pnl"], figures["exits"], figures["open_positions"]) == (0, 0.0, {}, [])


def test_reasons_symbols_and_days() -> None:
    figures = summary(rich_record(FREE))
    assert {reason: (group["trades"], group["net_pnl"]) for reason, group in figures["exits"].items()} == {
        "session_end": (1, 375.0),
        "stop_loss": (1, -1125.0),
        "trailing_stop": (1, 75.0),
        "take_profit_1": (2, 750.0),
    }
    assert [group["net_pnl"] for group in figures["by_symbol"].values()] == [-675.0, 750.0]
    assert [(day["date"], day["trades"], day["positions"], day["net_pnl"]) for day in figures["days"]] == [
        ("2025-10-03", 3, 2, -675.0),
        ("2025-10-06", 2, 2, 750.0),
    ]
    assert [(day["final_equity"], day["max_drawdown"]) for day in figures["days"]] == [
        (99_325.0, 1425.0),
        (100_450.0, 0),
    ]


def test_a_day_starts_from_the_equity_of_the_day_before() -> None:
    overnight = [
        Held("15:00:00", 20_000, LOT, (Out("15:01:00", 21_000, LOT, codes.SESSION_END),), DAY_1),
        Held("09:30:00", 20_000, LOT, (Out("09:31:00", 19_000, LOT, codes.STOP_LOSS),), DAY_2),
    ]
    record = make_record(overnight, days=(DAY_1, DAY_2))
    # Without the marks the second day's first row stands after its loss.
    figures = summary(replace(record, marks=record.marks[:0], openings=record.openings[:0]))
    assert figures["days"][1]["max_drawdown"] == 750.0


def test_charges_are_those_of_the_account_by_component() -> None:
    record = make_record(TWO_POSITIONS, rates=SCHEDULE)
    figures = summary(record)
    parts = dict(figures["charges_paid"])
    assert parts.pop("total") == figures["charges"] == round(sum(parts.values()), 2)
    # Five orders, the first of two lots: 290.05 x 150 and 300 x 75 bought; 295.05, 291.05 and 285 x 75 sold.
    assert parts["brokerage"] == 100.0
    assert parts["stt"] == round(22.13 + 21.83 + 21.38, 2)
    assert parts["stamp"] == round(1.31 + 0.68, 2)


def test_what_is_open_is_shown_apart() -> None:
    figures = summary(rich_record(FREE))
    assert figures["open_positions"] == [
        {
            "position_id": 4,
            "symbol": "NIFTY07OCT2524900PE",
            "quantity": 75,
            "entry_time": "2025-10-06T15:20:00+05:30",
            "entry_price": 210.0,
            "last_price": 215.0,
            "open_pnl": 375.0,
        }
    ]
    assert (figures["winning_positions"], figures["losing_positions"]) == (2, 1)
    assert figures["final_equity"] - figures["initial_equity"] == figures["net_pnl"] + 375.0


def test_counts_of_ticks_gates_denials_and_orders() -> None:
    figures = summary(rich_record())
    assert figures["ticks"]["used"] == 1000
    assert figures["ticks"]["rejected"] == 8
    assert (figures["ticks"]["off_grid"], figures["ticks"]["quote_fallbacks"]) == (3, 1)
    rejected = figures["ticks"]["rejected_by_reason"]
    assert list(rejected) == list(codes.REJECTION_NAMES.values())
    assert rejected["time_backwards"]["count"] == 7
    assert rejected["time_backwards"]["examples"] == [
        {"file": "a <b>.csv", "line": 17},
        {"file": "a <b>.csv", "line": 29},
    ]
    assert rejected["non_finite_price"] == {"count": 0, "examples": []}
    assert figures["gates"] == {"warm_up": 0, "outside_hours": 0, "max_positions": 0, "green": 400, "signal": 50}
    assert figures["denied_entries"] == dict.fromkeys(codes.DENIAL_NAMES.values(), 0) | {"size": 4}
    assert figures["exposure_percent"] == 25.0
    assert figures["orders"] == {"sent": 9, "rejected": 0, "not_sent": 0, "stale_answers": 0}


@pytest.mark.parametrize(
    ("first", "names", "found"),
    [
        ("COUNT_GATES", "GATE_NAMES", lambda figures: figures["gates"]),
        ("COUNT_DENIED", "DENIAL_NAMES", lambda figures: figures["denied_entries"]),
        (
            "COUNT_REJECTED",
            "REJECTION_NAMES",
            lambda figures: {name: part["count"] for name, part in figures["ticks"]["rejected_by_reason"].items()},
        ),
    ],
)
def test_every_counter_goes_under_its_own_name(first: str, names: str, found: Any) -> None:
    counts = np.zeros((2, codes.COUNTS), dtype=np.int64)
    named: dict[int, str] = getattr(codes, names)
    for code in named:
        counts[0, getattr(codes, first) + code] = code
        counts[1, getattr(codes, first) + code] = 100
    record = make_record(symbols=("A", "B"), counts=counts)
    assert found(summary(record)) == {name: code + 100 for code, name in named.items()}


def test_halts() -> None:
    record = rich_record()
    halts = np.repeat(record.halts, 2)
    halts["instrument"][0], halts["reason"][0] = 1, codes.BY_REJECTS
    assert summary(replace(record, halts=halts))["halts"] == [
        {"time": "2025-10-06T15:22:00+05:30", "symbol": "NIFTY07OCT2524900PE", "reason": "rejects_in_a_row"},
        {"time": "2025-10-06T15:22:00+05:30", "symbol": None, "reason": "operator"},
    ]


def test_order_counters() -> None:
    record = make_record()
    record = replace(record, account=record.account._replace(orders=7))
    record = counted(record, COUNT_ORDER_REJECTS=2, COUNT_NOT_SENT=3, COUNT_STALE_ORDER_EVENT=5)
    assert summary(record)["orders"] == {"sent": 4, "rejected": 2, "not_sent": 3, "stale_answers": 5}


def test_the_same_record_gives_the_same_bytes() -> None:
    assert summary_json(summary(rich_record())) == summary_json(summary(rich_record()))


def test_json_is_strict_and_says_what_the_figures_say() -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    for record in (make_record(), rich_record()):
        figures = summary(record)
        assert json.loads(summary_json(figures), parse_constant=refuse) == figures


outs = st.tuples(st.integers(15_000, 25_000), st.sampled_from(sorted(codes.EXIT_NAMES)))
positions = st.lists(st.tuples(st.integers(15_000, 25_000), st.lists(outs, min_size=1, max_size=3)), max_size=6)


def random_record(shapes: list[tuple[int, list[tuple[int, int]]]], *, leave_open: bool) -> RunRecord:
    """Return a record of these positions (entry price, exits), half a day each; `leave_open`: the last keeps a lot."""
    held = []
    for number, (price, exits) in enumerate(shapes):
        kept = 1 if leave_open and number == len(shapes) - 1 else 0
        left = [Out(f"10:{number:02d}:{second:02d}", out, LOT, why) for second, (out, why) in enumerate(exits, 1)]
        day = DAY_1 if 2 * number < len(shapes) else DAY_2
        held.append(Held(f"10:{number:02d}:00", price, LOT * (len(exits) + kept), left, day, number % 2))
    return make_record(held, rates=SCHEDULE, symbols=("A", "B"), days=(DAY_1, DAY_2), initial_capital=10**9)


@settings(deadline=None, max_examples=50)
@given(positions, st.booleans())
def test_every_breakdown_adds_up(shapes: list[tuple[int, list[tuple[int, int]]]], leave_open: bool) -> None:
    figures = summary(random_record(shapes, leave_open=leave_open))
    for key in ("trades", "gross_pnl", "charges", "net_pnl"):
        for groups in (figures["exits"].values(), figures["by_symbol"].values(), figures["days"]):
            assert round(sum(group[key] for group in groups), 2) == figures[key]
    assert round(figures["gross_pnl"] - figures["charges"], 2) == figures["net_pnl"]
    open_pnl = sum(position["open_pnl"] for position in figures["open_positions"])
    change = figures["final_equity"] - figures["initial_equity"]
    assert round(change, 2) == round(figures["net_pnl"] + open_pnl, 2)
    if not figures["open_positions"]:
        assert figures["charges_paid"]["total"] == figures["charges"]
    assert figures["max_drawdown"] >= max(day["max_drawdown"] for day in figures["days"])
