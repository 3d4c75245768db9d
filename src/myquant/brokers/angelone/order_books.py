"""Angel One's order book, trade book and positions, parsed strictly: what is not as documented is an error that names it."""

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, TypeVar

from myquant.brokers.angelone.answers import BROKER_NAME
from myquant.brokers.angelone.order_words import PRODUCTS, SIDES, STATES
from myquant.brokers.port import BrokerFill, BrokerPosition, OpenOrder, Remedy, RequestError
from myquant.brokers.secrets import Redactor
from myquant.core import orders

ORDER_BOOK: Final = "order book"
TRADE_BOOK: Final = "trade book"
POSITIONS: Final = "positions"

ROWS_MAX: Final = 100_000
NUMBER_MAX: Final = Decimal(10**10)
VALUE_MAX: Final = 2**62  # paise
WORDS_MAX: Final = 200

Row = dict[str, Any]
Symbols = Mapping[tuple[str, str], str]  # exchange and trading symbol -> token
WORD_MAX: Final = 40

Parsed = TypeVar("Parsed")


def order_rows(data: Any, redactor: Redactor) -> tuple[OpenOrder, ...]:
    """Return the orders of the book; an empty book is null."""
    return _rows(ORDER_BOOK, data, lambda row: order_row(ORDER_BOOK, row, redactor))


def order_row(book: str, row: Row, redactor: Redactor) -> OpenOrder:
    """Return one order.

    A status that we do not know, or that contradicts what was filled, makes its state `UNKNOWN`; so does what is said to be
    filled at no price, and then nothing of it counts as filled.
    """
    product(book, row)
    quantity, filled = units(book, row, "quantity"), units(book, row, "filledshares")
    value = half_up(number(book, row, "averageprice") * filled * 100)
    if value > VALUE_MAX:
        raise _wrong(book, "averageprice")
    state, words = _state(row, quantity, filled)
    if filled and not value:
        words = words if state == orders.UNKNOWN else f"{filled} filled at no price"
        state, filled = orders.UNKNOWN, 0
    return OpenOrder(
        broker_id=text(book, row, "orderid"),
        tag=optional(book, row, "ordertag"),
        token=text(book, row, "symboltoken"),
        side=side(book, row),
        quantity=quantity,
        filled=filled,
        value=value,
        limit=half_up(number(book, row, "price") * 100),
        trigger=half_up(number(book, row, "triggerprice") * 100),
        state=state,
        words=words or redactor.line(optional(book, row, "text"), WORDS_MAX),
    )


def symbols_of(data: Any) -> dict[tuple[str, str], str]:
    """Return the tokens of what the rows of a book name; a row that names none is left to its own parser."""
    named = {}
    for row in data if isinstance(data, list) else ():
        if isinstance(row, dict):
            key = str(row.get("exchange")), str(row.get("tradingsymbol"))
            if isinstance(row.get("symboltoken"), str):
                named[key] = row["symboltoken"]
    return named


def varieties_of(data: Any) -> dict[str, str]:
    """Return the variety of each order of the book: a request to cancel has to name it."""
    rows = data if isinstance(data, list) else ()
    return {row["orderid"]: text(ORDER_BOOK, row, "variety") for row in rows}


def fill_rows(data: Any, symbols: Symbols) -> tuple[BrokerFill, ...]:
    """Return the executions of the trade book, which names no token: `symbols` does."""

    def parsed(row: Row) -> BrokerFill:
        key = text(TRADE_BOOK, row, "exchange"), text(TRADE_BOOK, row, "tradingsymbol")
        if key not in symbols:
            raise RequestError(BROKER_NAME, TRADE_BOOK, "a trade of an instrument that no book has yet", Remedy.RETRY)
        return BrokerFill(
            broker_id=text(TRADE_BOOK, row, "orderid"),
            fill_id=text(TRADE_BOOK, row, "fillid"),
            token=symbols[key],
            side=side(TRADE_BOOK, row),
            quantity=units(TRADE_BOOK, row, "fillsize"),
            price=half_up(number(TRADE_BOOK, row, "fillprice") * 100),
        )

    return _rows(TRADE_BOOK, data, parsed)


def position_rows(data: Any) -> tuple[BrokerPosition, ...]:
    """Return the net positions of the day."""

    def parsed(row: Row) -> BrokerPosition:
        return BrokerPosition(
            token=text(POSITIONS, row, "symboltoken"),
            segment=text(POSITIONS, row, "exchange"),
            symbol=text(POSITIONS, row, "tradingsymbol"),
            product=product(POSITIONS, row),
            quantity=units(POSITIONS, row, "netqty", least=-int(NUMBER_MAX)),
            average_price=half_up(number(POSITIONS, row, "avgnetprice") * 100),
        )

    return _rows(POSITIONS, data, parsed)


def text(book: str, row: Row, name: str) -> str:
    """Return a text of a row that must be there."""
    value = row.get(name)
    if not isinstance(value, str) or not value or len(value) > WORDS_MAX:
        raise _wrong(book, name)
    return value


def optional(book: str, row: Row, name: str) -> str:
    """Return a text of a row that may be missing, null or empty."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(book, name)
    return value


def number(book: str, row: Row, name: str, least: Decimal = Decimal(0)) -> Decimal:
    """Return a number of a row, which may be a text; an empty text is not one."""
    value = row.get(name)
    try:
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            parsed = Decimal(value)
            if parsed.is_finite() and least <= parsed <= NUMBER_MAX:
                return parsed
    except ArithmeticError:
        pass
    raise _wrong(book, name)


def units(book: str, row: Row, name: str, least: int = 0) -> int:
    """Return a whole number of units."""
    value = number(book, row, name, Decimal(least))
    if value != int(value):
        raise _wrong(book, name)
    return int(value)


def side(book: str, row: Row) -> int:
    """Return the side of a row."""
    said = text(book, row, "transactiontype")
    if said.upper() not in SIDES:
        raise RequestError(BROKER_NAME, book, f"unknown transactiontype {named(said)}", Remedy.UNKNOWN)
    return SIDES[said.upper()]


def product(book: str, row: Row) -> str:
    """Return the product of a row; one that we do not know is named."""
    said = text(book, row, "producttype")
    word = said.upper()
    if word not in PRODUCTS:
        raise RequestError(BROKER_NAME, book, f"unknown producttype {named(said)}", Remedy.UNKNOWN)
    return word


def half_up(value: Decimal) -> int:
    """Return the nearest integer, the higher one of two that are as near."""
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


def _state(row: Row, quantity: int, filled: int) -> tuple[int, str]:
    """Return the state of an order, and why it is `UNKNOWN`."""
    said = row.get("orderstatus") or row.get("status")
    word = said.strip().lower() if isinstance(said, str) else ""
    if word not in STATES:
        return orders.UNKNOWN, f"unknown order status {named(said or '')}"
    state = STATES[word]
    is_whole = filled == quantity
    if filled > quantity or (state == orders.FILLED and not is_whole) or (state == orders.REJECTED and filled):
        return orders.UNKNOWN, f"status {word!r}, yet {filled} of {quantity} filled"
    return (orders.PARTIAL if state == orders.WORKING and filled else state), ""


def _rows(book: str, data: Any, parsed: Callable[[Row], Parsed]) -> tuple[Parsed, ...]:
    if data is None:
        return ()
    if not isinstance(data, list) or len(data) > ROWS_MAX or not all(isinstance(row, dict) for row in data):
        raise RequestError(BROKER_NAME, book, "its answer is no list of rows", Remedy.UNKNOWN)
    rows: Iterable[Row] = data
    return tuple(parsed(row) for row in rows)


def _wrong(book: str, name: str) -> RequestError:
    return RequestError(BROKER_NAME, book, f"a row has no {name} that can be read", Remedy.UNKNOWN)


def named(said: object) -> str:
    """Return a word of the broker's that we do not know, as it stands: what takes secrets out of lines must find it whole."""
    text = str(said)
    return repr(text) if len(text) <= WORD_MAX else f"of {len(text)} letters"
