"""An exchange that fills every order at once, wholly, at the price of the configured fill model."""

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.pricing import buy_price, sell_price
from myquant.core.records import Event, Order, Rules, Tape


@inlined
def fill_at_once(order: Order, tape: Tape, rules: Rules, event: Event) -> Event:
    """Return the fill of an order on the event that caused it."""
    price = buy_price(tape, rules) if order.side == codes.BUY else sell_price(tape, rules)
    return event._replace(
        kind=codes.FILL,
        time_ns=tape.last_ns,
        order_id=order.id,
        quantity=order.quantity,
        value=order.quantity * price,
        code=0,
    )
