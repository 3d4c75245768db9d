"""The life of an order: one table (state, what happened) -> state.

A fill reports the order's quantity and value so far, not the difference: a message that arrives twice changes nothing.
An order that has ended keeps its state, whatever is told of it; of a late fill see `fills.apply_fill`.
`UNKNOWN` means sent and unanswered: only evidence from the broker leaves it, never a second order.
"""

from typing import Final

import numpy as np

from myquant.core.compiled import inlined

# States.
IDLE: Final = 0
SENT: Final = 1
WORKING: Final = 2
PARTIAL: Final = 3
FILLED: Final = 4
REJECTED: Final = 5
CANCELLED: Final = 6
UNKNOWN: Final = 7

STATE_NAMES: Final = {
    IDLE: "idle",
    SENT: "sent",
    WORKING: "working",
    PARTIAL: "partial",
    FILLED: "filled",
    REJECTED: "rejected",
    CANCELLED: "cancelled",
    UNKNOWN: "unknown",
}

AT_WORK: Final = (SENT, WORKING, PARTIAL, UNKNOWN)  # it may still fill: another one must not be sent meanwhile

# What can happen to an order.
ON_ACK: Final = 0
ON_REJECT: Final = 1
ON_PART_FILL: Final = 2
ON_FULL_FILL: Final = 3
ON_CANCEL: Final = 4
ON_TIMEOUT: Final = 5

HAPPENING_NAMES: Final = {
    ON_ACK: "ack",
    ON_REJECT: "reject",
    ON_PART_FILL: "part_fill",
    ON_FULL_FILL: "full_fill",
    ON_CANCEL: "cancel",
    ON_TIMEOUT: "timeout",
}

IMPOSSIBLE: Final = -1

NEXT: Final = {
    (SENT, ON_ACK): WORKING,
    (SENT, ON_REJECT): REJECTED,
    (SENT, ON_PART_FILL): PARTIAL,
    (SENT, ON_FULL_FILL): FILLED,
    (SENT, ON_CANCEL): CANCELLED,
    (SENT, ON_TIMEOUT): UNKNOWN,
    (WORKING, ON_ACK): WORKING,
    (WORKING, ON_REJECT): REJECTED,
    (WORKING, ON_PART_FILL): PARTIAL,
    (WORKING, ON_FULL_FILL): FILLED,
    (WORKING, ON_CANCEL): CANCELLED,
    (PARTIAL, ON_ACK): PARTIAL,
    (PARTIAL, ON_PART_FILL): PARTIAL,
    (PARTIAL, ON_FULL_FILL): FILLED,
    (PARTIAL, ON_CANCEL): CANCELLED,
    (UNKNOWN, ON_ACK): WORKING,
    (UNKNOWN, ON_REJECT): REJECTED,
    (UNKNOWN, ON_PART_FILL): PARTIAL,
    (UNKNOWN, ON_FULL_FILL): FILLED,
    (UNKNOWN, ON_CANCEL): CANCELLED,
    (UNKNOWN, ON_TIMEOUT): UNKNOWN,
    # An order that has ended may be told so again, or be acknowledged late; it does not come back to life.
    (FILLED, ON_ACK): FILLED,
    (FILLED, ON_FULL_FILL): FILLED,
    (REJECTED, ON_ACK): REJECTED,
    (REJECTED, ON_REJECT): REJECTED,
    (CANCELLED, ON_ACK): CANCELLED,
    (CANCELLED, ON_CANCEL): CANCELLED,
}

_TABLE = np.full((len(STATE_NAMES), len(HAPPENING_NAMES)), IMPOSSIBLE, np.int64)
for (_state, _happening), _next in NEXT.items():
    _TABLE[_state, _happening] = _next
_TABLE.setflags(write=False)


@inlined
def next_state(state: int, happening: int) -> int:
    """Return the state that follows, or `IMPOSSIBLE`."""
    return int(_TABLE[state, happening])


@inlined
def is_working(state: int) -> bool:
    """Return whether the order may still fill: another one must not be sent meanwhile."""
    return state in AT_WORK
