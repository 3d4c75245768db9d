"""An exchange to play with: an order to buy at 100 rupees is sent at 1000 ms and arrives at 1050."""

from myquant.core import codes
from myquant.core.money import RATE_SCALE
from myquant.core.records import Event
from myquant.exchange.venue import Venue
from myquant.exchange.venue_orders import LIMIT, Contract, VenueRules

MS = 1_000_000
AT = 1_000 * MS  # when the orders are sent; they arrive 50 ms later
ARRIVES = AT + 50 * MS
RULES = VenueRules(LIMIT, 50 * MS, 0, RATE_SCALE // 50, 4, RATE_SCALE // 10, 0)
CONTRACT = Contract(65, 5, 1800, 0, 0)
BLANK = Event(*[0] * len(Event._fields))
ACKNOWLEDGED = ("order_ack", 1050, 0, 0, 0)


def limit_venue(contract: Contract = CONTRACT, rules: VenueRules = RULES, instruments: int = 1) -> Venue:
    venue = Venue(instruments, rules, seed=1)
    for who in range(instruments):
        venue.prepare(who, contract)
    return venue


def tick(ms: int, price: int, volume: int = 650, bid: int = 0, ask: int = 0, who: int = 0) -> Event:
    return BLANK._replace(
        kind=codes.TICK, instrument=who, time_ns=ms * MS, price=price, volume=volume, bid=bid, ask=ask
    )


def timer(ms: int) -> Event:
    return BLANK._replace(kind=codes.TIMER, instrument=-1, time_ns=ms * MS)


def told_of(venue: Venue, *events: Event) -> list[Event]:
    """Let the exchange see events; return its answers, none of which comes from a later time."""
    found = []
    for event in events:
        venue.see(event)
        while (told := venue.answer()) is not None:
            assert told.time_ns <= event.time_ns
            found.append(told)
    return found


def played(venue: Venue, *events: Event) -> list[tuple[str, int, int, int, int]]:
    """Let the exchange see events; return its answers as (what, ms, quantity, value, code)."""
    return [
        (codes.EVENT_NAMES[told.kind], told.time_ns // MS, told.quantity, told.value, told.code)
        for told in told_of(venue, *events)
    ]


def bought(quantity: int = 130, contract: Contract = CONTRACT, rules: VenueRules = RULES) -> Venue:
    """Return an exchange that was sent order 7, to buy at 100 rupees: its limit is 102."""
    venue = limit_venue(contract, rules)
    venue.submit(0, 7, codes.BUY, quantity, 10_000, 0, AT)
    return venue


def protected(quantity: int = 130, contract: Contract = CONTRACT, rules: VenueRules = RULES) -> Venue:
    """Return an exchange that was sent order 7, a stop order to sell at 90 rupees: its limit is 88.20."""
    venue = limit_venue(contract, rules)
    venue.submit(0, 7, codes.SELL, quantity, 9_000, 9_000, AT)
    return venue
