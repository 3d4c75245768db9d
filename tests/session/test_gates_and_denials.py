"""Every gate that holds an entry back is counted, and every refusal of one is said with its reason."""

from decimal import Decimal
from typing import Any

import pytest

from myquant.core import codes
from session.play import Play

# gate: settings, a table at whose end it has held back as many entries
GATES: dict[str, tuple[dict[str, Any], str, int]] = {
    "warm_up": (
        {"strategy__min_warmup_ticks": 3},
        """
        10:00:00  tick 100        |
        10:00:01  tick 100.05     |
        10:00:02  tick 100.10     | buy 300 at 100.10 #1
        """,
        2,
    ),
    "outside_hours": (  # 09:15 and five minutes to 15:30 less twenty, the moment itself excluded
        {},
        """
        09:19:58  tick 100        |
        09:19:59  tick 100.05     |
        09:20:00  tick 100.10     | buy 300 at 100.10 #1
        09:20:01  reject #1       |
        15:09:59  tick 100.15     | buy 300 at 100.15 #2
        15:09:59  reject #2       |
        15:10:00  tick 100.20     |
        15:31:00  tick 100.25     |
        """,
        4,
    ),
    "max_positions": (
        {"risk__max_positions_per_day": 1},
        """
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:04  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:00:05  tick 85.05              |
        10:00:06  tick 85                 |
        day 2
        10:00:00  tick 85.05              | buy 300 at 85.05 #3
        """,
        2,
    ),
    "green": (
        {"strategy__consecutive_green_bars": 2, "strategy__control_base_sl": True},
        """
        10:00:00  tick 100                |
        10:00:01  tick 100.05             |
        10:00:02  tick 100.10             | buy 300 at 100.10 #1
        10:00:03  fill #1 300 at 100.10   | opened 300 at 100.10 stop 85.10
        10:00:04  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:05  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:00:06  tick 85.05              |
        10:00:07  tick 85.10              |
        10:00:08  tick 85.15              |
        10:00:09  tick 85.20              | buy 300 at 85.20 #3
        10:00:10  fill #3 300 at 85.20    | opened 300 at 85.20 stop 70.20
        10:00:11  operator flatten        | sell 300 at 85.20 #4 operator
        10:00:11  fill #4 300 at 85.20    | closed 300 at 85.20 operator
        10:00:12  operator resume         |
        10:00:13  tick 85.15              |
        10:00:14  tick 85.20              |
        10:00:15  tick 85.25              | buy 300 at 85.25 #5
        """,
        2 + 3 + 2,
    ),
    "signal": (
        {"strategy__use_vwap": True},
        """
        10:00:00  tick 100        |
        10:00:01  tick 90         |
        10:00:02  tick 90.05      |
        10:00:03  tick 99         | buy 300 at 99.00 #1
        """,
        1,
    ),
}


@pytest.mark.parametrize("gate", GATES)
def test_gate(gate: str) -> None:
    changes, table, times = GATES[gate]
    stage = Play(**changes).play(table)
    code = next(code for code, name in codes.GATE_NAMES.items() if name == gate)
    assert stage.count(codes.COUNT_GATES + code) == times


def test_every_gate_is_in_the_table() -> None:
    assert set(GATES) == set(codes.GATE_NAMES.values())


RISING = """
    10:00:00  tick 100        |
    10:00:01  tick 100.05     | denied {reason}
"""
DENIALS: dict[str, tuple[dict[str, Any], str]] = {
    "halted": ({}, "10:00:00 operator halt | halted operator\n" + RISING),
    "feed_stale": ({}, "10:00:00 feed stale |\n" + RISING),
    "day_loss": (
        {"risk__max_day_loss": 1000},
        """
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 90                 | halted day_loss ; sell 300 at 90.00 #2 day_loss
        10:00:04  fill #2 300 at 90       | closed 300 at 90.00 day_loss
        10:00:05  tick 90.05              | denied day_loss
        """,
    ),
    "order_rate": (
        {"risk__max_orders_per_second": 1},
        """
        10:00:00      tick 100       |
        10:00:00.250  tick 100.05    | buy 300 at 100.05 #1
        10:00:00.500  reject #1      |
        10:00:00.999  tick 100.10    | denied order_rate
        10:00:01      tick 100.15    | buy 300 at 100.15 #2
        """,
    ),
    "quote": (
        {"execution__fill_model": "quote"},
        """
        10:00:00  tick 100 bid 99.95 ask 100.05       |
        10:00:01  tick 100.05                         | denied quote
        10:00:02  tick 100.10 bid 100 ask 0           | denied quote
        10:00:03  tick 100.15 bid 100.20 ask 100.10   | denied quote
        10:00:04  tick 100.20 bid 0 ask 100.25        | denied quote
        10:00:05  tick 100.25 bid 100.20 ask 100.20   | buy 300 at 100.20 #1
        """,
    ),
    "stop_not_warm": (
        {"risk__stop_loss_mode": "atr", "strategy__atr_len": 2, "risk__atr_multiple": 3},
        RISING
        + """
        10:00:02  tick 100.15             | buy 300 at 100.15 #1
        10:00:03  fill #1 300 at 100.15   | opened 300 at 100.15 stop 99.90
        """,  # the average move is 0.075: 100.15 - 0.225, down to the tick
    ),
    "size": ({"capital__initial_capital": 25_012}, RISING),  # 30 % of it is a paisa and a half short of one lot
    "cash": ({"capital__initial_capital": 7504, "risk__max_position_value_percent": 100}, RISING),
    "exposure": ({"risk__max_exposure_percent": 20}, RISING),
}


@pytest.mark.parametrize("reason", DENIALS)
def test_denial(reason: str) -> None:
    changes, table = DENIALS[reason]
    stage = Play(**changes).play(table.replace("{reason}", reason))
    code = next(code for code, name in codes.DENIAL_NAMES.items() if name == reason)
    assert stage.count(codes.COUNT_DENIED + code) > 0
    assert stage.history("entries_today") <= 1


def test_every_denial_is_in_the_table() -> None:
    assert set(DENIALS) == set(codes.DENIAL_NAMES.values())


def test_orders_a_day_hold_entries_back_until_the_next_and_never_exits() -> None:
    Play(risk__max_orders_per_day=1).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100.05             | buy 300 at 100.05 #1
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  tick 85                 | sell 300 at 85.00 #2 stop_loss
        10:00:04  fill #2 300 at 85       | closed 300 at 85.00 stop_loss
        10:00:05  tick 85.05              | denied order_rate
        day 2
        10:00:00  tick 85.10              | buy 300 at 85.10 #3
    """)


def test_exposure_counts_what_is_open_and_what_is_being_bought() -> None:
    Play(instruments=3, risk__max_exposure_percent=60).play("""
        10:00:00  A tick 100              |
        10:00:00  B tick 100              |
        10:00:00  C tick 100              |
        10:00:01  A tick 100.05           | buy 300 at 100.05 #1
        10:00:02  fill #1 300 at 100.05   | opened 300 at 100.05 stop 85.05
        10:00:03  B tick 100.05           | B buy 225 at 100.05 #2
        10:00:04  C tick 100.05           | C denied exposure
        10:00:05  reject #2               |
        10:00:06  C tick 100.10           | C buy 225 at 100.10 #3
    """)


def test_the_size_is_whole_lots_within_the_share_of_cash_at_the_price_with_slippage() -> None:
    Play(risk__slippage_points=Decimal("0.20"), capital__initial_capital=Decimal("100249.99")).play("""
        10:00:00  tick 100        |
        10:00:01  tick 100.05     | buy 225 at 100.25 #1
    """)
    Play(risk__slippage_points=Decimal("0.20"), capital__initial_capital=Decimal("100250.00")).play("""
        10:00:00  tick 100        |
        10:00:01  tick 100.05     | buy 300 at 100.25 #1
    """)


def test_bad_ticks_are_refused_in_words() -> None:
    Play().play("""
        10:00:00  tick 100        |
        09:59:59  tick 100.05     | refused time_backwards
        10:00:01  tick 0          | refused non_positive_price
        10:00:01  tick -0.01      | refused unparsable_price
        10:00:01  tick -0.02      | refused non_finite_price
        10:00:01  tick 100.05     | buy 300 at 100.05 #1
    """)
