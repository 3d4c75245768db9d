"""Figures as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.results.text import counted, grouped, label, listed, percentage, signed, whole


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0.00"),
        (999.5, "999.50"),
        (1000.0, "1,000.00"),
        (99_999.99, "99,999.99"),
        (100_000.0, "1,00,000.00"),
        (12_345_678.9, "1,23,45,678.90"),
        (-1_234.5, "−1,234.50"),
        (-0.001, "0.00"),
        (None, "–"),
    ],
)
def test_digits_are_grouped_as_in_india(amount: float | None, text: str) -> None:
    assert grouped(amount) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_grouping_loses_no_digit(number: int) -> None:
    assert int(whole(number).replace(",", "").replace("−", "-")) == number


def test_a_sign_stands_before_the_unit() -> None:
    assert signed(1_00_000.0, unit="₹") == "+₹1,00,000.00"
    assert signed(-5.0, unit="₹") == "−₹5.00"
    assert signed(0.0, unit="₹") == "₹0.00"
    assert signed(None, unit="₹") == "–"


def test_percentage_and_label() -> None:
    assert percentage(66.6667) == "66.67 %"
    assert percentage(None) == "–"
    assert label("take_profit_1") == "Take profit 1"


def test_a_count_has_its_noun() -> None:
    assert [counted(count, "tick") for count in (0, 1, 34_100)] == ["0 ticks", "1 tick", "34,100 ticks"]
    assert counted(2, "entry", "entries") == "2 entries"


def test_a_long_list_is_cut() -> None:
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 more"
