"""A token of the feed is found under its own type of exchange, and nothing else is taken for one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.jit import jitted
from myquant.brokers.angelone.tokens import (
    ELSEWHERE,
    INSTRUMENT,
    NO_INSTRUMENT,
    ROW,
    UNKNOWN,
    Token,
    TokenTable,
    find,
    key_of,
)
from myquant.errors import DataError


@jitted
def look_up(frame: Any, table: Any, exchange_type: int) -> int:
    return find(table, key_of(frame, 0, 25), exchange_type)


def padded(token: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(token.ljust(25, b"\0"), np.uint8)


def found(table: TokenTable, token: bytes, exchange_type: int) -> object:
    slot = look_up(padded(token), table.slots, exchange_type)
    return slot if slot < 0 else tuple(table.slots[slot, [ROW, INSTRUMENT]].tolist())


DIGITS = st.text("0123456789", min_size=1, max_size=18)
NAMES = st.tuples(st.sampled_from([1, 2, 3, 4, 5, 7]), DIGITS)


@settings(deadline=None)  # the first call compiles
@given(st.lists(NAMES, max_size=60, unique=True), st.lists(NAMES, max_size=30))
def test_every_token_is_found_and_no_other(names: list[tuple[int, str]], others: list[tuple[int, str]]) -> None:
    table = TokenTable(Token(kind, text, number) for number, (kind, text) in enumerate(names))
    for number, (kind, text) in enumerate(names):
        assert found(table, text.encode(), kind) == (number, number)
    texts = {text for _, text in names}
    for kind, text in set(others) - set(names):
        assert found(table, text.encode(), kind) == (ELSEWHERE if text in texts else UNKNOWN)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=25))
@example(b"")
@example(b"35003 ")
@example(b"035003")
@example(b"3500")
@example(b"350030")
@example(b"+35003")
@example(b"\xb335003")
@example(b"1" * 19)
@example(b"1" * 25)
@example(str(2**64 - 10**19 + 135003).encode())  # its key would overflow to that of 35003
def test_bytes_that_are_not_the_token_are_not_taken_for_it(token: bytes) -> None:
    table = TokenTable([Token(2, "35003", 0), Token(2, "0", 1), Token(2, "1" * 18, 2)])
    text = token.split(b"\0")[0]
    numbers = {b"35003": 0, b"0": 1, b"1" * 18: 2}
    assert found(table, token, 2) == ((numbers[text], numbers[text]) if text in numbers else UNKNOWN)


def test_what_follows_the_end_of_a_token_is_no_part_of_it() -> None:
    table = TokenTable([Token(2, "35003", 0)])
    assert found(table, b"35003\0" + b"7" * 19, 2) == (0, 0)


def test_one_number_may_be_a_token_of_several_exchanges() -> None:
    table = TokenTable([Token(1, "26000", NO_INSTRUMENT), Token(2, "26000", 0)])
    assert [found(table, b"26000", kind) for kind in (1, 2, 4)] == [(0, -1), (1, 0), ELSEWHERE]
    assert table.rows == {0: 1}


def test_an_empty_table_finds_nothing() -> None:
    assert found(TokenTable([]), b"1", 1) == UNKNOWN


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([Token(2, "7", 0), Token(2, "7", 1)], "twice"),
        ([Token(2, "7", 0), Token(1, "8", 0)], "another token already"),
        ([Token(13, "7", 0)], "not in paise"),
        ([Token(6, "7", 0)], "not known"),
        ([Token(2, "", 0)], "1 to 18 digits"),
        ([Token(2, "1" * 19, 0)], "1 to 18 digits"),
        ([Token(2, "NIFTY", 0)], "1 to 18 digits"),
        ([Token(2, "٣٥", 0)], "1 to 18 digits"),
    ],
)
def test_tokens_that_could_not_be_told_apart_are_refused(tokens: list[Token], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TokenTable(tokens)
