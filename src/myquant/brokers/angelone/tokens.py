"""Which instrument a token of the feed belongs to: a hash table in an int64 array, looked up in compiled code."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from myquant.core.compiled import inlined
from myquant.errors import DataError

# Types of exchanges whose prices are in paise (13, currency, counts in ten-millionths of a rupee).
EXCHANGE_NAMES: Final = {1: "nse_cm", 2: "nse_fo", 3: "bse_cm", 4: "bse_fo", 5: "mcx_fo", 7: "ncx_fo"}

DIGITS_MAX: Final = 18  # a 1 and so many digits fit into an int64

NO_INSTRUMENT: Final = -1  # of a token that only shows that the feed lives

KEY, EXCHANGE, ROW, INSTRUMENT = range(4)  # columns of the table; KEY 0: a free slot

# What `find` returns where it finds none.
UNKNOWN: Final = -1
ELSEWHERE: Final = -2

_ODD: Final = (
    -7046029254386353131
)  # 2^64 divided by the golden ratio, as int64: it spreads keys that lie close together


class Token(NamedTuple):
    """A token as it is subscribed: digits, unique within its type of exchange."""

    exchange_type: int
    text: str
    instrument: int  # the engine's number, or NO_INSTRUMENT


@inlined
def key_of(frame: Any, begin: int, end: int) -> int:
    """Return the key of a NUL-padded ASCII token, or 0 if it is none of up to `DIGITS_MAX` digits.

    The key is the number with a 1 before it, so that `7` and `07` are two tokens.
    """
    key = 1
    for at in range(begin, end):
        if frame[at] == 0:
            break
        digit = int(frame[at]) - 48
        if not 0 <= digit <= 9 or at - begin >= DIGITS_MAX:
            return 0
        key = 10 * key + digit
    return key if key > 1 else 0


def slot_of(key: int, slots: int) -> int:
    """Return where to look for a key first; `slots` is a power of two."""
    return ((key * _ODD) >> 32) & (slots - 1)


_slot_of = inlined(slot_of)


@inlined
def find(table: np.ndarray[Any, Any], key: int, exchange_type: int) -> int:
    """Return the slot of a token, `UNKNOWN`, or `ELSEWHERE` if only another type of exchange has it."""
    missing = UNKNOWN
    slot = _slot_of(key, len(table))
    while table[slot, KEY] != 0:  # a free slot ends it: half of them are free
        if table[slot, KEY] == key:
            if table[slot, EXCHANGE] == exchange_type:
                return slot
            missing = ELSEWHERE
        slot = (slot + 1) & (len(table) - 1)
    return missing


class TokenTable:
    """The tokens of one feed; each has a row in the feed's memory, in the order given.

    `slots` is int64 of shape (2^k, 4): key, type of exchange, row, instrument. Raises DataError at a token that can't be
    told from others, or whose prices are not in paise.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.tokens = tuple(tokens)
        self.slots = np.zeros((2 << max(len(self.tokens), 4).bit_length(), 4), np.int64)
        self.rows: dict[int, int] = {}  # by instrument
        for row, token in enumerate(self.tokens):
            self._add(row, token)

    def _add(self, row: int, token: Token) -> None:
        where = f"token {token.text!r} of exchange type {token.exchange_type}"
        if token.exchange_type not in EXCHANGE_NAMES:
            known = ", ".join(f"{number} {name}" for number, name in EXCHANGE_NAMES.items())
            raise DataError(f"{where}: the type is not known, or its prices are not in paise; take one of {known}")
        if not (token.text.isascii() and token.text.isdigit() and len(token.text) <= DIGITS_MAX):
            raise DataError(f"{where}: a token is 1 to {DIGITS_MAX} digits; look it up in the instrument master")
        if token.instrument != NO_INSTRUMENT and token.instrument in self.rows:
            raise DataError(f"{where}: its instrument {token.instrument} has another token already; leave one out")
        key = int(f"1{token.text}")
        slot = slot_of(key, len(self.slots))
        while self.slots[slot, KEY] != 0:
            if tuple(self.slots[slot, [KEY, EXCHANGE]]) == (key, token.exchange_type):
                raise DataError(f"{where} is there twice; leave one out")
            slot = (slot + 1) % len(self.slots)
        self.slots[slot] = key, token.exchange_type, row, token.instrument
        if token.instrument != NO_INSTRUMENT:
            self.rows[token.instrument] = row
