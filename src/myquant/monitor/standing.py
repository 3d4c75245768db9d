"""What a session holds, and what protects it: a line in each message on which a person must act."""

from typing import Final

from myquant.monitor.faults import is_simulated
from myquant.monitor.view import InstrumentView, OrderView, SessionView

RESTS: Final = ("working", "partial")  # a stop order of such a state is at the exchange
MAYBE_RESTS: Final = ("sent", "unknown")


def standing(view: SessionView) -> str:
    """Return what a session holds and what protects it: `holds 75 X at 268.81; stop order 253.80 works at the exchange`."""
    held = [each for each in view.instruments if each.quantity]
    if not held:
        return "holds nothing"
    if is_simulated(view):
        return f"holds {', '.join(map(_position, held))} on paper; nothing is at the broker"
    return "; ".join(f"holds {_position(each)}; {_cover(view, each)}" for each in held)


def protection(view: SessionView, symbol: str, units: int) -> str:
    """Return which stop order protects what is held of a symbol."""
    stops = _stops(view, symbol)
    resting = [order for order in stops if order.state in RESTS]
    rest = _units(resting)
    told = ", ".join(map(_stop_text, resting or stops))
    what = "it" if len(view.holds) == 1 else symbol
    if not stops:
        return f"nothing protects {what}"
    if not resting:
        return f"perhaps nothing protects {what} (never confirmed: {told})"
    return f"{what} is protected by {told}" + (f", which covers only {rest:,} of {units:,}" if rest < units else "")


def is_protected(view: SessionView) -> bool:
    """Whether stop orders that are at the exchange cover all that a session holds."""
    at_rest = {symbol: [order for order in _stops(view, symbol) if order.state in RESTS] for symbol in view.holds}
    return all(_units(at_rest[symbol]) >= units for symbol, units in view.holds.items())


def _position(each: InstrumentView) -> str:
    price = "" if each.entry_price is None else f" at {each.entry_price / 100:.2f}"
    return f"{each.quantity:,} {each.symbol}{price}"


def _cover(view: SessionView, each: InstrumentView) -> str:
    stops = _stops(view, each.symbol)
    resting = [order for order in stops if order.state in RESTS]
    if resting:
        at, rest = ", ".join(f"{order.trigger / 100:.2f}" for order in resting), _units(resting)
        works = f"stop order {at} works at the exchange"
        return works if rest >= each.quantity else f"{works}, and COVERS ONLY {rest:,}"
    if stops:
        return f"PERHAPS NOTHING protects it: {', '.join(map(_stop_text, stops))} was never confirmed"
    execution = view.config.config.execution
    if view.runs and not (execution.fill_model == "limit" and execution.protective_stop):
        return "no stop order is at the exchange, the session's own stop is all"
    return "NOTHING protects it"


def _stops(view: SessionView, symbol: str) -> list[OrderView]:
    """Return the stop orders of a symbol that may be at the exchange."""
    at_work = RESTS + MAYBE_RESTS
    return [
        order
        for order in view.orders.values()
        if order.trigger > 0 and order.state in at_work and view.symbol_of(order.instrument) == symbol
    ]


def _units(orders: list[OrderView]) -> int:
    return sum(order.quantity - order.filled for order in orders)


def _stop_text(order: OrderView) -> str:
    side = "buy" if order.is_buy else "sell"
    return f"stop order {order.order_id}: {side} {order.quantity - order.filled:,} at {order.trigger / 100:.2f}"
