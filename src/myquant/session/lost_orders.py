"""Orders of ours that the broker has and the journal has not: a machine that lost its power lost what was not yet on disk."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from myquant.brokers.port import Books, OpenOrder, order_of_tag
from myquant.core import codes
from myquant.core.orders import CANCELLED, FILLED, REJECTED

ENDED: Final = (FILLED, REJECTED, CANCELLED)


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

    def sales(self, books: Books, token: str) -> list[OpenOrder]:
        """Return the lost orders that have sold units of an instrument."""
        rows = (row for row in books.orders if row.token == token and row.side == codes.SELL and row.filled)
        return [row for row in rows if self.has(row)]

    def selling(self, books: Books) -> frozenset[str]:
        """Return the tokens at which a lost sell works: no other may leave beside it."""
        rows = [row for row in books.orders if row.side == codes.SELL and row.state not in ENDED] if self.sells else []
        named = ((row, order_of_tag(row.tag, self.session_key)) for row in rows)
        return frozenset(row.token for row, each in named if each is not None and each[0] in self.sells)
