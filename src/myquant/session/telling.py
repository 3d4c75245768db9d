"""Which commands a session tells people of, and what of them."""

from typing import Any, Final

from myquant.core import codes
from myquant.core.records import Command

TOLD: Final = frozenset((codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED, codes.RESUMED))
DECISIONS: Final = TOLD | {codes.SUBMIT, codes.DENIED}  # where each decision is a line


def fields_of(command: Command) -> dict[str, Any]:
    """Return what of a command belongs into a line of the log; prices and money in rupees."""
    if command.kind in (codes.HALTED, codes.RESUMED):
        order = {"order": command.order_id} if command.order_id else {}
        return {"reason": codes.HALT_NAMES[command.reason]} | order
    price = command.price / 100
    if command.kind == codes.DENIED:
        return {"price": price, "reason": codes.DENIAL_NAMES[command.reason], "input": command.event_sequence}
    fields: dict[str, Any] = {"quantity": command.quantity, "price": price}
    if command.kind == codes.POSITION_OPENED:
        fields["stop"] = command.stop / 100
    elif command.kind == codes.SUBMIT:
        fields["side"] = "buy" if command.side == codes.BUY else "sell"
    else:
        fields |= {"reason": codes.EXIT_NAMES[command.reason], "net": command.net / 100}
    return fields | {"order": command.order_id, "input": command.event_sequence}
