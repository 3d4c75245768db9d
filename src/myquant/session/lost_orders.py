"""Orders of ours that the broker has and this journal has not: those of another session, and lost ones.

A machine that lost its power lost what was not yet on disk.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from myquant.brokers.port import TAG_LENGTH, Books, OpenOrder, order_of_tag
from myquant.core import codes
from myquant.core.orders import CANCELLED, FILLED, REJECTED

ENDED: Final = (FILLED, REJECTED, CANCELLED)
KEY_LIMIT: Final = 2**63  # session keys are below it
_KEY_DIGITS: Final = 13
_TAG_DIGITS: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True)
class Lost:
    """The ids of the lost orders of a session, which are known since its first look at the books."""

    session_key: int = 0
    ids: frozenset[int] = frozenset()
    sells: frozenset[int] = (
        frozenset()
    )  # those, and others that the engine does not have at work, which sell all the same

    @classmethod
    def found(cls, books: Books, last_id: int, session_key: int, at_work: Collection[int] = ()) -> Self:
        """Return what is lost: the orders of the books above the last id that the journal has."""
        named = [(row, order_of_tag(row.tag, session_key)) for row in books.orders]
        ours = [(row, each[0]) for row, each in named if each is not None]
        ids = frozenset(each for _, each in ours if each > last_id)
        sells = {
            each for row, each in ours if row.side == codes.SELL and row.state not in ENDED and each not in at_work
        }
        return cls(session_key, ids, ids | sells)

    def has(self, row: OpenOrder) -> bool:
        """Return whether an order of the books is lost."""
        named = order_of_tag(row.tag, self.session_key) if self.ids else None
        return named is not None and named[0] in self.ids

    def sold(self, books: Books, token: str) -> tuple[int, int]:
        """Return the units of an instrument that lost orders have sold, and what for."""
        rows = (row for row in books.orders if row.token == token and row.side == codes.SELL and row.filled)
        sales = [row for row in rows if self.has(row)]
        return sum(row.filled for row in sales), sum(row.value for row in sales)

    def bought(self, books: Books, token: str) -> tuple[int, int, int]:
        """Return the last lost entry, the units that are left of it, and what they cost; none while one may still buy."""
        mine = [row for row in books.orders if row.token == token and self.has(row)]
        rows = [row for row in mine if row.filled]
        named = [(order_of_tag(row.tag, self.session_key), row) for row in rows if row.side == codes.BUY]
        last = max((found[0] for found, _ in named if found is not None), default=0)
        parts = [row for found, row in named if found is not None and found[0] == last]
        units, filled = sum(row.side * row.filled for row in rows), sum(row.filled for row in parts)
        buys = any(
            row.side == codes.BUY and row.state not in ENDED for row in mine
        )  # a slice that has filled nothing, too
        if buys or not 0 < units <= filled:
            return 0, 0, 0
        return last, units, sum(row.value for row in parts) * units // filled

    def selling(self, books: Books) -> frozenset[str]:
        """Return the tokens at which a lost sell works: no other may leave beside it."""
        rows = [row for row in books.orders if row.side == codes.SELL and row.state not in ENDED] if self.sells else []
        named = ((row, order_of_tag(row.tag, self.session_key)) for row in rows)
        return frozenset(row.token for row, each in named if each is not None and each[0] in self.sells)


def is_tag_of_ours(tag: str) -> bool:
    """Return whether a tag has the form of `port.order_tag`, of whichever session."""
    is_well_formed = len(tag) == TAG_LENGTH and set(tag) <= _TAG_DIGITS
    key = int(tag[:_KEY_DIGITS], 36) if is_well_formed else KEY_LIMIT
    return key < KEY_LIMIT and order_of_tag(tag, key) is not None
