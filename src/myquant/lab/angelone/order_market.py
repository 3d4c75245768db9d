"""The market behind the orders: what can be traded on the day, and the day's rows as they are played."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from myquant.lab.angelone.day import Day, Rows
from myquant.lab.angelone.disturb import CODES, Mask
from myquant.lab.angelone.instruments import Listed
from myquant.lab.angelone.order_service import OrderService
from myquant.lab.angelone.orders import Tradable
from myquant.lab.angelone.play import Block
from myquant.market.contracts import Contract

FALSE: Final = [CODES[name] for name in ("duplicate", "crossed", "spike", "spike_outside")]  # what was not so


def tradables_of(day: Day, contracts: Sequence[Contract], beside: Sequence[Listed]) -> list[Tradable]:
    """Return the day's contracts, and what is listed beside them, which has no market and no known limits."""
    found = [Tradable(each) for each in beside if not each.is_index]
    for who, known in enumerate(contracts):
        low, high, close = (int(day.static[name][who]) for name in ("lower", "upper", "close"))
        found.append(Tradable(day.instruments[who], known.freeze_quantity or 0, low, high, close))
    return found


class Market:
    """Listens to the play without taking packets, and shows each true row to the orders."""

    takes = False
    is_full = False

    def __init__(self, day: Day, service: OrderService) -> None:
        self._rows: Rows = day.rows[["price", "bid", "ask", "last_quantity"]]
        self._tokens = [each.token for each in day.instruments]
        is_false = np.isin(day.rows["fault"], FALSE)
        self._is_seen: Mask = ~(is_false | day.static["is_index"][day.rows["who"]])
        self._service = service

    def take(self, block: Block, begin: int, end: int) -> Mask:
        """Look at the rows `begin` to `end`; none of them counts as heard."""
        places = np.flatnonzero(self._is_seen[begin:end]) + begin
        who = block.who[places - block.begin].tolist()
        last = dict(zip(who, places.tolist(), strict=True))
        for at, each in zip(places.tolist(), who, strict=True):
            if at == last[each] or self._service.book.working(self._tokens[each]):
                self._show(self._tokens[each], at)
        return np.zeros(end - begin, bool)

    def _show(self, token: str, at: int) -> None:
        price, bid, ask, volume = self._rows[at].tolist()
        self._service.take_price(token, price, bid, ask, volume)
