"""What of a session is under way, in words: the orders that work, and what is held without the stop order that it should have."""

from typing import Any, Final

from myquant.core import codes
from myquant.core.orders import AT_WORK, PARTIAL, STATE_NAMES, WORKING
from myquant.session.engine import Engine

RESTING: Final = (WORKING, PARTIAL)


def order_text(order: Any) -> str | None:
    """Return an order that works, as `sell 75 at 85.05, working`; None: it has ended, or there is none."""
    state = int(order["state"])
    if state not in AT_WORK:
        return None
    side = "buy" if order["side"] == codes.BUY else "sell"
    trigger = f" at {int(order['trigger']) / 100:.2f}" if order["trigger"] else ""
    return f"{side} {int(order['quantity'] - order['filled'])}{trigger}, {STATE_NAMES[state]}"


def open_ends(engine: Engine, *, flat: bool) -> list[str]:
    """Return what is not at rest, a text for each: entries and exits that work, and what is held without its stop order.

    `flat`: what is held is to be closed, so that it, and each order, is an open end.
    """
    protects = bool(engine.desk[0]["rules"]["protects"])
    found = []
    for name, core in zip(engine.names, engine.instruments["core"], strict=True):
        order, stop = order_text(core["order"]), core["stop_order"]
        held = int(core["position"]["quantity"])
        rests = int(stop["quantity"] - stop["filled"]) if stop["state"] in RESTING else 0
        texts = [order] if order else []
        is_to_close = flat and held > 0
        if is_to_close:
            texts.append(f"{held} held")
        elif protects and rests < held:
            texts.append(f"{held - rests} held without a stop order")
        if protects and (is_to_close or rests != held) and (text := order_text(stop)) is not None:
            texts.append(text)
        found += [f"{name.symbol}: {'; '.join(texts)}"] if texts else []
    return found
