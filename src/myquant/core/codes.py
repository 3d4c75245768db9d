"""The vocabulary of the core as plain integers, and the names under which a person reads them.

Codes are stored in journals: a number keeps its meaning for ever, a new one takes the next free number.
"""

from typing import Final

# Events: what comes in.
TICK: Final = 1
TIMER: Final = 2
ORDER_ACK: Final = 3
ORDER_REJECT: Final = 4
FILL: Final = 5
CANCELLED: Final = 6
FEED_STATUS: Final = 7
OPERATOR: Final = 8
END_OF_DATA: Final = 9
QUOTE: Final = 10
ALARM: Final = 11
MODIFIED: Final = 12  # an order has the price that was asked for it
CHANGE_REJECT: Final = 13  # a modification or cancellation was refused: the order is as it was
FUNDS: Final = 14  # what the broker says can be spent
FOREIGN_TRADE: Final = 15  # someone else has sold what we hold

EVENT_NAMES: Final = {
    TICK: "tick",
    TIMER: "timer",
    ORDER_ACK: "order_ack",
    ORDER_REJECT: "order_reject",
    FILL: "fill",
    CANCELLED: "cancelled",
    FEED_STATUS: "feed_status",
    OPERATOR: "operator",
    END_OF_DATA: "end_of_data",
    QUOTE: "quote",
    ALARM: "alarm",
    MODIFIED: "modified",
    CHANGE_REJECT: "change_reject",
    FUNDS: "funds",
    FOREIGN_TRADE: "foreign_trade",
}
LAST_EVENT: Final = FOREIGN_TRADE

# Commands: what goes out.
SUBMIT: Final = 1
CANCEL: Final = 2
POSITION_OPENED: Final = 3
TRADE_CLOSED: Final = 4
DENIED: Final = 5
TICK_REJECTED: Final = 6
HALTED: Final = 7
MARK: Final = 8
MODIFY: Final = 9
RESUMED: Final = 10  # what had halted entries is over

COMMAND_NAMES: Final = {
    SUBMIT: "submit",
    CANCEL: "cancel",
    POSITION_OPENED: "position_opened",
    TRADE_CLOSED: "trade_closed",
    DENIED: "denied",
    TICK_REJECTED: "tick_rejected",
    HALTED: "halted",
    MARK: "mark",
    MODIFY: "modify",
    RESUMED: "resumed",
}
FOR_ORDER_PORT: Final = (SUBMIT, CANCEL, MODIFY)

# Sides of an order: the sign of the quantity it adds.
BUY: Final = 1
SELL: Final = -1

# Why a tick was not used. 0: it was.
ACCEPTED: Final = 0
UNPARSABLE_TIME: Final = 1
UNPARSABLE_PRICE: Final = 2
NON_FINITE_PRICE: Final = 3
NON_POSITIVE_PRICE: Final = 4
UNPARSABLE_VOLUME: Final = 5
TIME_BACKWARDS: Final = 6

REJECTION_NAMES: Final = {
    UNPARSABLE_TIME: "unparsable_time",
    UNPARSABLE_PRICE: "unparsable_price",
    NON_FINITE_PRICE: "non_finite_price",
    NON_POSITIVE_PRICE: "non_positive_price",
    UNPARSABLE_VOLUME: "unparsable_volume",
    TIME_BACKWARDS: "time_backwards",
}

# How a reader writes what it could not parse (see ticks/batch.py).
NO_TIME: Final = -(2**63)
BEFORE_ALL: Final = NO_TIME + 1  # the time of the last tick before there was one
PRICE_UNPARSABLE: Final = -1
PRICE_NOT_FINITE: Final = -2

# Which gate held an entry back: the first that was shut on an accepted tick that arrived flat.
WARM_UP: Final = 1
OUTSIDE_HOURS: Final = 2
MAX_POSITIONS: Final = 3
GREEN: Final = 4
SIGNAL: Final = 5

GATE_NAMES: Final = {
    WARM_UP: "warm_up",
    OUTSIDE_HOURS: "outside_hours",
    MAX_POSITIONS: "max_positions",
    GREEN: "green",
    SIGNAL: "signal",
}

# Why a rule refused an entry whose signal was true: the first that did. 0: none.
APPROVED: Final = 0
HALT: Final = 1
FEED_STALE: Final = 2
DAY_STOPPED: Final = 3
ORDER_RATE: Final = 4
NO_QUOTE: Final = 5
STOP_NOT_WARM: Final = 6
SIZE: Final = 7
CASH: Final = 8
EXPOSURE: Final = 9

DENIAL_NAMES: Final = {
    HALT: "halted",
    FEED_STALE: "feed_stale",
    DAY_STOPPED: "day_loss",
    ORDER_RATE: "order_rate",
    NO_QUOTE: "quote",
    STOP_NOT_WARM: "stop_not_warm",
    SIZE: "size",
    CASH: "cash",
    EXPOSURE: "exposure",
}

# Why a position was closed, wholly or in part. 0: the order is an entry, or no exit is due.
NO_EXIT: Final = 0
SESSION_END: Final = 1
STOP_LOSS: Final = 2
TRAILING_STOP: Final = 3
DAY_LOSS: Final = 4
OPERATOR_EXIT: Final = 5
STRATEGY_EXIT: Final = 6
END_EXIT: Final = 7
FOREIGN_EXIT: Final = 8  # sold by someone else
UNPROTECTED_EXIT: Final = 9  # no stop order could be had for it
TAKE_PROFIT: Final = 10  # TAKE_PROFIT + i is tier i + 1

MAX_TIERS: Final = 8

EXIT_NAMES: Final = {
    SESSION_END: "session_end",
    STOP_LOSS: "stop_loss",
    TRAILING_STOP: "trailing_stop",
    DAY_LOSS: "day_loss",
    OPERATOR_EXIT: "operator",
    STRATEGY_EXIT: "strategy_exit",
    END_EXIT: "end_of_data",
    FOREIGN_EXIT: "foreign_trade",
    UNPROTECTED_EXIT: "unprotected",
    **{TAKE_PROFIT + tier: f"take_profit_{tier + 1}" for tier in range(MAX_TIERS)},
}

# Why entries were halted until a person resumes; a day that was stopped for its loss is over till the next. 0: not halted.
NOT_HALTED: Final = 0
BY_OPERATOR: Final = 1
BY_DAY_LOSS: Final = 2
BY_REJECTS: Final = 3
BY_UNKNOWN_ORDER: Final = 4
BY_IMPOSSIBLE_EVENT: Final = 5
BY_JOURNAL: Final = 6
BY_STALE_FEED: Final = 7
BY_FOREIGN_TRADE: Final = 8
BY_UNPROTECTED: Final = 9
BY_ORDER_RATE: Final = 10
BY_ORDER_CHANNEL: Final = 11
BY_MARGIN: Final = 12
BY_FENCE: Final = 13
BY_BOOKS: Final = 14

HALT_NAMES: Final = {
    BY_OPERATOR: "operator",
    BY_DAY_LOSS: "day_loss",
    BY_REJECTS: "rejects_in_a_row",
    BY_UNKNOWN_ORDER: "order_of_unknown_state",
    BY_IMPOSSIBLE_EVENT: "impossible_order_event",
    BY_JOURNAL: "journal",
    BY_STALE_FEED: "stale_feed",
    BY_FOREIGN_TRADE: "foreign_trade",
    BY_UNPROTECTED: "position_without_stop",
    BY_ORDER_RATE: "order_rate",
    BY_ORDER_CHANNEL: "order_channel_lost",
    BY_MARGIN: "margin",
    BY_FENCE: "fenced",
    BY_BOOKS: "books_differ",
}

GRAVE: Final = (BY_FOREIGN_TRADE, BY_FENCE, BY_BOOKS)  # no other reason takes their place

# What an operator may ask for (`Event.code` of OPERATOR), what the end of the data asks for
# (of END_OF_DATA), and what a feed may say of itself (of FEED_STATUS). `Event.code` of ALARM is a reason to halt; of
# ORDER_REJECT it says who refused, of FILL whose order it was.
ASK_HALT: Final = 1
ASK_RESUME: Final = 2
ASK_FLATTEN: Final = 3
ASK_LEAVE: Final = 4  # as ASK_HALT, by a stop that waits for orders: it lifts that halt itself
LAST_MARK: Final = 0
CLOSE_OPEN: Final = 1
FEED_HEALTHY: Final = 0
FEED_IS_STALE: Final = 1
OF_LOST_ORDER: Final = 1  # one of ours that the journal has lost: its entry, `quantity` units in all
BY_VENUE: Final = 0
NOT_SENT: Final = 1  # we did not send it
NOT_FOUND: Final = 2  # the broker's books do not know it, longer than anything is under way
IN_DOUBT: Final = 3  # the venue, a sell: perhaps of what somebody else has sold, so it does not count yet
COUNTS_NOW: Final = (
    4  # no order ends by it: by the books we hold what a sell in doubt was to sell, so its refusal counts
)

CANCEL_INSTEAD: Final = -1  # as `Order.asked_price`: another price was refused, so the order has to go

# Modes of the configuration.
STOP_BY_POINTS: Final = 0
STOP_BY_PERCENT: Final = 1
STOP_BY_ATR: Final = 2
STOP_BY_STRATEGY: Final = 3
FILL_AT_LTP: Final = 0
FILL_AT_QUOTE: Final = 1
FILL_AT_LIMIT: Final = 2

# Places in an instrument's counters (`Instrument` record, field `counts`).
COUNT_TICKS: Final = 0
COUNT_OFF_GRID: Final = 1
COUNT_QUOTE_FALLBACK: Final = 2
COUNT_STALE_ORDER_EVENT: Final = 3
COUNT_ORDER_REJECTS: Final = 4
COUNT_OPEN_TICKS: Final = 5
COUNT_CHANGE_REJECTS: Final = 6
COUNT_CHANGE_TIMEOUTS: Final = 7
COUNT_REJECTED: Final = 8  # + reason
COUNT_GATES: Final = 16  # + gate
COUNT_DENIED: Final = 24  # + reason
COUNT_NOT_SENT: Final = 39  # orders that we held back ourselves
COUNTS: Final = 40
