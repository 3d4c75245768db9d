"""What of a session is under way, in words: the orders that work, and what is held, with or without a stop order."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from myquant.core import codes
from myquant.core.orders import AT_WORK, PARTIAL, STATE_NAMES, WORKING
from myquant.session.engine import Engine

RESTING: Final = (WORKING, PARTIAL)

BrokerIds = Callable[[int], tuple[str, ...]]  # from the id of an order to those that the broker has given it


class Held(NamedTuple):
    """A position that nobody manages once the session leaves, and what becomes of it, in words."""

    text: str
    is_bare: bool  # nothing protects some of it


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


def held_on(engine: Engine, broker_ids: BrokerIds | None) -> list[Held]:
    """Return each position that is open, and what protects it without us; `broker_ids` None: fills are simulated."""
    found = []
    for name, core in zip(engine.names, engine.instruments["core"], strict=True):
        held, stop = int(core["position"]["quantity"]), core["stop_order"]
        if held <= 0:
            continue
        head = f"{name.symbol}: {held} held"
        if broker_ids is None:
            found.append(
                Held(f"{head}, with simulated fills; it is managed again from the next start on", is_bare=False)
            )
            continue
        goes = stop["cancel_sent"] or not stop["trigger"]  # it is being cancelled, or is an exit by now
        rests = int(stop["quantity"] - stop["filled"]) if stop["state"] in RESTING and not goes else 0
        ids = ", ".join(broker_ids(int(stop["id"]))) or "not known"
        bare = held - rests
        texts = [head]
        if rests:
            texts.append(f"a stop order rests at the broker ({order_text(stop)}; the broker's id: {ids})")
        elif (text := order_text(stop)) is not None:
            texts.append(f"{text} is on its way out" if goes else f"whether a stop order rests is not known ({text})")
        if bare > 0:
            texts.append(f"NOTHING protects {bare if rests else 'it'}")
        found.append(Held("; ".join(texts), is_bare=bare > 0))
    return found
