"""Orders of ours that the broker has and the journal has not: a machine that lost its power lost what was not yet on disk."""

from dataclasses import dataclass
from typing import Self

from myquant.brokers.port import Books, OpenOrder, order_of_tag
from myquant.core import codes
from myquant.core.orders import PARTIAL, WORKING


@dataclass(frozen=True)
class Lost:
    """The ids of the lost orders of a session, which are known since its first look at the books."""

    session_key: int = 0
    ids: frozenset[int] = frozenset()

    @classmethod
    def found(cls, books: Books, last_id: int, session_key: int) -> Self:
        """Return what is lost: the orders of the books above the last id that the journal has."""
        named = (order_of_tag(row.tag, session_key) for row in books.orders)
        return cls(session_key, frozenset(each[0] for each in named if each is not None and each[0] > last_id))

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
        rows = (row for row in books.orders if row.side == codes.SELL and row.state in (WORKING, PARTIAL))
        return frozenset(row.token for row in rows if self.has(row))
