"""What a running session answers to its operator: `SessionStatus` to status, `Message` to everything else.

Prices and amounts: paise. Times: ns since the epoch (UTC).
"""

from typing import TypedDict


class Message(TypedDict):
    """The answer to halt, resume, flatten and stop: what was done, for people."""

    message: str


class PositionStatus(TypedDict):
    """An open position; prices and amounts in paise."""

    quantity: int
    entry_price_paise: int
    opened_ns: int
    stop_paise: int
    trailing_stop_paise: int | None  # None: not turned on yet
    target_paise: int | None  # None: no tier is left
    open_pnl_paise: int


class InstrumentStatus(TypedDict):
    """One instrument; `order` says what works at the venue (`sell 75, acknowledged`), or is None."""

    symbol: str
    ticks: int
    last_tick_ns: int | None  # exchange time; None: no tick yet
    last_price_paise: int | None
    position: PositionStatus | None
    order: str | None
    stop_order: str | None  # likewise, the protective one


class FeedStatus(TypedDict):
    """Whether the feed is healthy, since when, and why not (empty when healthy)."""

    healthy: bool
    since_ns: int
    reason: str


class EntriesStatus(TypedDict):
    """Whether entries are allowed, and why not (empty when they are)."""

    allowed: bool
    reason: str


class OrdersStatus(TypedDict):
    """How many orders there were, and in which state they are."""

    sent: int
    working: int
    rejected: int
    unknown: int


class JournalStatus(TypedDict):
    """What the journal holds, and what its disk has left."""

    records: int
    used_bytes: int
    free_bytes: int


class ErrorStatus(TypedDict):
    """The last thing that went wrong."""

    time_ns: int
    text: str


class SessionStatus(TypedDict):
    """The answer to `status`. Times: ns since the epoch (UTC); `time_zone`: the zone in which people read them."""

    session: str
    kind: str
    pid: int
    time_zone: str
    now_ns: int
    started_ns: int  # when this process began
    feed: FeedStatus
    entries: EntriesStatus
    day_pnl_paise: int  # realised plus open, after charges
    instruments: list[InstrumentStatus]
    orders: OrdersStatus
    journal: JournalStatus
    last_error: ErrorStatus | None
