"""Requests about orders, as bytes that are ready but for what changes. Every value is a text, as the broker wants it."""

import json
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from myquant.brokers.angelone import settings
from myquant.brokers.port import BrokerInstrument, NewOrder
from myquant.brokers.slices import Slice
from myquant.core.codes import BUY, SELL
from myquant.errors import ConfigError

NORMAL: Final = "NORMAL"
STOPLOSS: Final = "STOPLOSS"
DURATION: Final = "DAY"

_Key = tuple[str, str, str, int, bool]


class OrderRequests:
    """The requests of one account at one service. `product`: of the orders, such as INTRADAY.

    Prices are paise; the broker gets rupees with two decimals.
    """

    def __init__(self, rest: str, product: str) -> None:
        self._host = urlsplit(rest).netloc
        self._product = product
        self._heads: dict[str, bytes] = {}
        self._bodies: dict[_Key, bytes] = {}

    def use(self, headers: Mapping[str, str]) -> None:
        """Send these headers from now on: they change with the session."""
        lines = "".join(f"{name}: {_line(name, value)}\r\n" for name, value in headers.items())
        for path in (settings.PLACE, settings.MODIFY, settings.CANCEL):
            head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n{lines}Content-Length: "
            self._heads[path] = head.encode("latin-1")

    def prepare(self, instruments: Iterable[BrokerInstrument]) -> None:
        """Build what can be built before an order of these instruments is due."""
        for instrument in instruments:
            for side in (BUY, SELL):
                self._place_body(instrument, side, is_stop=False)
            self._place_body(instrument, SELL, is_stop=True)

    def place(self, new: NewOrder, quantity: int, limit: int, trigger: int, tag: str) -> bytes:
        """Return the request that places a slice of an order."""
        instrument = new.instrument
        key = instrument.segment, instrument.token, instrument.broker_symbol, new.side, trigger > 0
        body = self._bodies.get(key) or self._place_body(instrument, new.side, is_stop=trigger > 0)
        content = body % (quantity, limit // 100, limit % 100, trigger // 100, trigger % 100, tag.encode())
        return b"%b%d\r\n\r\n%b" % (self._heads[settings.PLACE], len(content), content)

    def modify(self, piece: Slice, limit: int, trigger: int) -> bytes:
        """Return the request that gives a slice another limit and trigger; 0: it waits for none any more."""
        new = piece.order.new
        kind = _kind(is_stop=trigger > 0)
        body = {
            "variety": variety(is_stop=new.trigger > 0),
            "orderid": piece.broker_id,
            "ordertype": kind,
            **self._common(new.instrument),
            "price": rupees(limit),
            "quantity": str(piece.quantity),
            "triggerprice": rupees(trigger),
        }
        return self._request(settings.MODIFY, body)

    def cancel(self, broker_id: str, order_variety: str) -> bytes:
        """Return the request that cancels an order."""
        return self._request(settings.CANCEL, {"variety": order_variety, "orderid": broker_id})

    def _request(self, path: str, body: Mapping[str, str]) -> bytes:
        content = json.dumps(body, separators=(",", ":")).encode()
        return b"%b%d\r\n\r\n%b" % (self._heads[path], len(content), content)

    def _common(self, instrument: BrokerInstrument) -> dict[str, str]:
        return {
            "tradingsymbol": instrument.broker_symbol or instrument.symbol,
            "symboltoken": instrument.token,
            "exchange": instrument.segment,
            "producttype": self._product,
            "duration": DURATION,
        }

    def _place_body(self, instrument: BrokerInstrument, side: int, *, is_stop: bool) -> bytes:
        """Return the body of a new order with places for quantity, limit, trigger and tag."""
        fixed = {
            "variety": variety(is_stop=is_stop),
            "transactiontype": "BUY" if side == BUY else "SELL",
            "ordertype": _kind(is_stop=is_stop),
            **self._common(instrument),
            "squareoff": "0",
            "stoploss": "0",
        }
        text = json.dumps(fixed, separators=(",", ":")).replace("%", "%%").encode()
        changing = b',"quantity":"%d","price":"%d.%02d","triggerprice":"%d.%02d","ordertag":"%b"}'
        key = instrument.segment, instrument.token, instrument.broker_symbol, side, is_stop
        self._bodies[key] = body = text[:-1] + changing
        return body


def variety(*, is_stop: bool) -> str:
    """Return the variety of an order: stop orders are in one of their own."""
    return STOPLOSS if is_stop else NORMAL


def rupees(paise: int) -> str:
    """Return an amount of paise as rupees with two decimals."""
    return f"{paise // 100}.{paise % 100:02d}"


def _kind(*, is_stop: bool) -> str:
    return "STOPLOSS_LIMIT" if is_stop else "LIMIT"


def _line(name: str, value: str) -> str:
    """Return a header's value. One that would end its line is an error that does not show it."""
    if any(sign in value for sign in "\r\n\0"):
        raise ConfigError(f"header {name}: its value must be one line")
    return value
