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
    opened_ns: int  # exchange time
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
    since_ns: int  # the machine's clock
    reason: str


class EntriesStatus(TypedDict):
    """Whether entries are allowed, and why not (empty when they are)."""

    allowed: bool
    reason: str
    broker_funds_paise: int | None  # what the broker lets us spend, where that is less than our books hold; else None


class HaltStatus(TypedDict):
    """What has halted entries: a name (`core.codes.HALT_NAMES`), in words, and what to do."""

    reason: str
    text: str
    remedy: str
    since_ns: int | None  # the machine's clock; None: since before this process began


class OrdersStatus(TypedDict):
    """How many orders there were, and in which state they are."""

    sent: int
    working: int
    rejected: int  # by the broker or the exchange
    not_sent: int  # held back here
    unknown: int


class JournalStatus(TypedDict):
    """What the journal holds, and what its disk has left."""

    records: int
    used_bytes: int
    free_bytes: int


class ErrorStatus(TypedDict):
    """The last line that was logged as an error; its time is the machine's."""

    time_ns: int
    text: str


class SessionStatus(TypedDict):
    """The answer to `status`. Times: ns since the epoch (UTC); `time_zone`: the zone in which people read them.

    Two clocks: the machine's, and the exchange's, which is that of another day where a lab plays one.
    """

    session: str
    kind: str
    pid: int
    time_zone: str
    wall_now_ns: int  # the machine's clock
    exchange_now_ns: int | None  # the exchange's; None: no packet has told it yet
    started_ns: int  # when this process began; the machine's clock
    feed: FeedStatus
    entries: EntriesStatus
    halt: HaltStatus | None  # None: entries are not halted
    day_pnl_paise: int  # realised plus open, after charges
    instruments: list[InstrumentStatus]
    orders: OrdersStatus
    journal: JournalStatus
    errors: int  # lines that this process logged as errors
    last_error: ErrorStatus | None
