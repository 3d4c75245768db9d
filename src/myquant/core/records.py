"""The records of the core: what an instrument, the account, a day, the rules, an event and a command are.

Each is declared once, here, as a named tuple; `layout` makes its dtype and its load and store from this. Prices and
money are int64 paise, times int64 ns since the epoch (UTC), quantities units of the instrument, rates int64 in
hundred-millionths (`money.RATE_SCALE`).
"""

from typing import Final, NamedTuple


class Tick(NamedTuple):
    """One accepted trade print, as a strategy sees it."""

    time_ns: int  # exchange time
    price: float  # rupees
    price_paise: int
    volume: int  # units traded in this print
    bid: int  # paise; 0 where the feed carries none
    ask: int
    n: int  # accepted ticks of this instrument so far, this one included; 1: seed the indicators
    new_day: bool  # the first tick of a calendar day


class Context(NamedTuple):
    """What a strategy may know of its position and its day. Read-only; prices in rupees, 0 where there is none."""

    quantity: int  # units held
    entry_price: float
    stop: float
    highest: float  # highest price since the entry
    opened_ns: int
    last_exit: int  # code of the last exit (codes.EXIT_NAMES), 0: none yet
    last_exit_ns: int
    entries_today: int
    green: int  # rising ticks in a row
    day_pnl: float  # of the account, realised plus open, rupees


class Tape(NamedTuple):
    """What was last observed of an instrument."""

    last_ns: int
    last_price: int
    bid: int
    ask: int
    n: int
    green: int
    day_end_ns: int  # the first time that belongs to the next calendar day
    wake_ns: int  # from here on a tick needs more than to be observed: a new day begins or a mark is due


class Atr(NamedTuple):
    """Wilder's average true range of ticks, rupees; warm after length + 1 ticks."""

    changes: int
    value: float


class History(NamedTuple):
    """What the gates remember of an instrument."""

    entries_today: int
    after_stop: bool  # the last closed position ended by its stop, and nothing was entered since
    last_exit: int
    last_exit_ns: int


class Position(NamedTuple):
    """The open position of an instrument; quantity 0: flat."""

    id: int
    quantity: int
    bought: int  # units bought in all
    lot_size: int
    tick_size: int
    entry_price: int  # average, half up
    entry_value: int  # paise paid in all
    entry_charges: int
    value_out: int  # the part of entry_value that exits have carried
    charges_out: int  # the part of entry_charges that exits have carried
    opened_ns: int
    leave_ns: int  # from here on it is closed: the flattening of the day it was opened on; NEVER: not by its time
    stop: int
    highest: int  # since the entry; at first a paisa below the entry, so that only a tick reaches the activation
    activation: int  # the price that turns the trailing stop on; NEVER: none
    floor: int  # the higher of stop and trailing stop
    tier: int  # take-profit tiers done
    target: int  # price of the next tier
    exposed_ns: (
        int  # since when no order at the exchange has protected it for long enough; 0: one does, or none is wanted
    )
    exposed_before_ns: int  # how long that had lasted when the feed last said how it is: from there it counts on
    covered_ns: int  # since when an order at the exchange protects all of it; 0: none does


class Order(NamedTuple):
    """An entry or exit, or a protective stop order; one that has ended stays here until the next one."""

    id: int
    state: int
    side: int
    quantity: int
    filled: int
    value: int  # paise of what was filled
    price: int  # the price that the decision counted on; its limit hangs on it
    trigger: int  # of a stop order: the price that lets it work; 0: it works at once
    asked_price: int  # of a modification under way; 0: there is none; CANCEL_INSTEAD: it was refused
    asked_trigger: int
    asked_ns: int  # when something was last asked of it: sent, modified, cancelled
    reached_ns: int  # of a stop order: when a price had reached it; 0: none yet
    stop_distance: int  # of an entry whose strategy names its own stop: how far below the fill, paise
    reason: int  # exit code; 0: an entry
    cost: int  # of an entry: the paise that it may cost in all, charges included
    leave_ns: int  # of an entry: from here on what still works of it is cancelled
    sent_ns: int
    refused_ns: int  # of a stop order: when the exit before it in its place was refused; 0: it was not
    uncovered: int  # of a sell: units that it has filled beyond what was held; they are a short position of nobody's
    uncovered_value: int  # paise of those
    cancel_sent: bool


class Instrument(NamedTuple):
    """Everything the engine remembers of one instrument, save its counters and the strategy's part."""

    tape: Tape
    atr: Atr
    history: History
    position: Position
    order: Order
    stop_order: Order


class Account(NamedTuple):
    """Everything the engine remembers of the account that the instruments share."""

    cash: int
    reserved: int  # what working entries may still cost
    open_value: int  # open positions at their last prices
    first_ns: int  # time of the first accepted tick; 0: none yet
    day_end_ns: int
    day_start_equity: int
    peak_equity: int
    max_drawdown: int  # paise, >= 0
    drawdown_peak: int  # the peak that the deepest drawdown is below
    day_stopped: bool
    flatten: bool  # an operator asked for it; ends when he resumes
    halt: int  # codes.HALT_NAMES, save the day loss
    halts: int  # bits: all reasons since the last resume, each told once
    unknown: int  # orders of unknown state
    shortfall: int  # how much less the broker lets us spend than our ledger has, paise
    feed_stale: bool
    stale_since_ns: int  # when the feed became stale
    was_stale: bool  # before its last word, which each instrument takes in turn
    feed_word: int  # the number of the input that brought it
    second: int  # the exchange's calendar second of the last order
    orders_in_second: int
    orders_today: int
    rejects_in_row: int
    orders: int  # ids given so far
    positions: int
    trades: int
    commands: int  # commands emitted so far: the next one's sequence number
    marks: int  # marks emitted so far, counted as if at the present spacing
    mark_doublings: int  # how often the spacing of the marks has doubled
    brokerage: int  # what charges were paid for, paise
    exchange_charges: int
    sebi_fees: int
    stt: int
    stamp_duty: int
    gst: int


class Charges(NamedTuple):
    """The rates of one day: the percent model and the dated schedule are both of this form."""

    brokerage_min: int  # paise per order (per slice where per_slice)
    brokerage_rate: int
    exchange_rate: int
    sebi_rate: int
    stt_rate: int  # on sells
    stamp_rate: int  # on buys
    gst_rate: int
    gst_on_rounded: bool  # GST on the rounded parts, else on their exact sum
    per_slice: bool


class Day(NamedTuple):
    """The rules of one calendar day for one instrument. A closed day has entry_end_ns = flatten_ns = start_ns."""

    start_ns: int
    end_ns: int
    entry_from_ns: int
    entry_end_ns: int  # the first time at which no entry is allowed any more
    flatten_ns: int  # from here on a position is closed
    lot_size: int
    tick_size: int
    grid: int  # grid_factor(tick_size)
    freeze_quantity: int  # 0: none known
    charges: Charges


class Rules(NamedTuple):
    """The effective configuration, in the core's units."""

    min_warmup_ticks: int
    green_ticks: int
    control_base_sl: bool
    control_base_sl_green_ticks: int
    noise_filter_enabled: bool
    noise_rate: int  # of the previous price
    noise_ticks: int  # tick sizes, in hundred-millionths
    reset_daily: bool
    max_positions_per_day: int
    position_rate: int  # of cash
    stop_mode: int
    base_sl: int  # paise
    stop_rate: int
    atr_multiple: float
    atr_len: int
    tiers: int
    tp_points: tuple[int, int, int, int, int, int, int, int]
    tp_rates: tuple[int, int, int, int, int, int, int, int]
    use_trail_stop: bool
    trail_activation: int
    trail_distance: int
    slippage: int
    fill_model: int
    max_day_loss: int  # paise; 0: no limit
    exposure_rate: int  # of equity
    max_orders_per_second: int  # 0: no limit
    max_orders_per_day: int
    max_rejects: int
    order_timeout_ns: int
    works_orders: bool  # orders take their time: they are watched, re-priced and given up
    protects: bool  # a stop order rests at the exchange while a position is open
    entry_life_ns: int  # what has not filled of an entry after this is cancelled
    protection_rate: int  # of the price: how far an order's limit lies from it
    reprice_ns: int  # an exit that has not filled after this gets the price of the moment
    stop_follow_ns: int  # spacing at the least of a stop order's following the trailing stop
    exit_retry_ns: int  # from a refused exit or stop order to the next
    unprotected_max_ns: int  # a position without a stop order for longer is closed
    stale_halt_ns: int  # a feed that is stale for so long, with a position open, halts
    mark_interval_ns: int  # spacing of the marks at first
    max_marks: int  # when exceeded, the spacing doubles


class Event(NamedTuple):
    """One thing that happened; `kind` says which of the fields count."""

    kind: int
    instrument: int  # -1: all (TIMER, FEED_STATUS, OPERATOR, ALARM)
    sequence: int  # of the input
    time_ns: int  # exchange time
    receive_ns: int
    price: int
    volume: int
    bid: int
    ask: int
    order_id: int  # FUNDS: the highest that the broker's books have of this session
    quantity: int  # FILL: filled so far; FOREIGN_TRADE: sold
    value: int  # FILL: paise of what was filled so far; FOREIGN_TRADE: paise got; FUNDS: paise
    code: int


class Command(NamedTuple):
    """One thing decided; `kind` says which of the fields count."""

    sequence: int
    kind: int
    instrument: int
    time_ns: int
    event_sequence: int  # of the input that led to it
    order_id: int
    position_id: int
    trade_id: int
    side: int
    quantity: int
    price: int
    reason: int
    entry_time_ns: int
    entry_price: int
    gross: int
    charges: int
    net: int
    cash: int
    equity: int
    drawdown: int
    stop: int


NEVER: Final = 2**62  # a price above every price, a time after every time

NO_COMMAND = Command(*[0] * len(Command._fields))
NO_ORDER = Order(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, False)
NO_POSITION = Position(*[0] * len(Position._fields))
