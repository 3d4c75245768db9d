"""The reduced job as kernels by themselves, made of the core's functions, their state held in two ways."""

from typing import Any, NamedTuple

import numpy as np

from bench.limit import climit
from myquant.core.codes import NO_EXIT
from myquant.core.compiled import entry_point, inlined
from myquant.core.exits import exit_due, trail
from myquant.core.guard import count_green
from myquant.core.indicators import ema
from myquant.core.layout import record_access
from myquant.core.money import share_down, share_half_up
from myquant.core.records import NO_POSITION, Account, Position, Rules

FAST, SLOW = 18, 42  # ticks
TARGET, TICK_SIZE = 1_200, 5  # paise
LOT = 75
FEE = 30_000  # a rate of the core: 0.03 %


class Seen(NamedTuple):
    """What the job remembers of the ticks."""

    fast: float
    slow: float
    last_price: int
    green: int


class Hours(NamedTuple):
    """When entries are allowed on a day."""

    end_ns: int  # of the day
    open_ns: int
    close_ns: int


class Whole(NamedTuple):
    """The job's whole state."""

    seen: Seen
    hours: Hours
    position: Position
    cash: int
    trades: int


load_whole, store_whole = record_access(Whole).load, record_access(Whole).store
load_rules, load_account = record_access(Rules).load, record_access(Account).load


@inlined
def first_seen(price: int) -> Seen:
    return Seen(price / 100.0, price / 100.0, price, 0)


@inlined
def observe(seen: Seen, price: int, rules: Rules) -> Seen:
    """Take a tick into the averages and the count of rising ticks."""
    rupees = price / 100.0
    return Seen(
        ema(seen.fast, rupees, FAST),
        ema(seen.slow, rupees, SLOW),
        price,
        count_green(seen.green, price, seen.last_price, TICK_SIZE, rules),
    )


@inlined
def wants_entry(seen: Seen, n: int, rules: Rules) -> bool:
    return n >= rules.min_warmup_ticks and seen.green >= rules.green_ticks and seen.fast > seen.slow


@inlined
def hours_at(hours: Hours, time_ns: int) -> Hours:
    if time_ns < hours.end_ns:
        return hours
    midnight_ns = time_ns - (time_ns + climit.IST_OFFSET_NS) % climit.DAY_NS
    minute_ns = climit.MINUTE_NS
    return Hours(midnight_ns + climit.DAY_NS, midnight_ns + 560 * minute_ns, midnight_ns + 910 * minute_ns)


@inlined
def bought(cash: int, price: int, hours: Hours, rules: Rules) -> tuple[int, Position]:
    """Return the cash and the position after an entry at a price, as much as the job's share of the cash buys."""
    quantity = share_down(cash, rules.position_rate) // (LOT * price) * LOT
    turnover = quantity * price
    position = NO_POSITION._replace(
        quantity=quantity,
        leave_ns=hours.close_ns,
        stop=price - rules.base_sl,
        floor=price - rules.base_sl,
        highest=price,
        activation=price + rules.trail_activation,
        target=price + TARGET,
    )
    return cash - turnover - share_half_up(turnover, FEE), position


@inlined
def sold(cash: int, position: Position, price: int) -> int:
    turnover = position.quantity * price
    return cash + turnover - share_half_up(turnover, FEE)


@inlined
def watch_flat(price: Any, i: int, seen: Seen, rules: Rules) -> tuple[int, Seen]:
    """Observe until an entry is wanted; return the place of that tick."""
    while i < len(price):
        seen = observe(seen, price[np.uint64(i)], rules)
        if wants_entry(seen, i + 1, rules):
            break
        i += 1
    return i, seen


@inlined
def watch_held(
    time_ns: Any, price: Any, i: int, seen: Seen, position: Position, account: Account, rules: Rules
) -> tuple[int, Seen, Position]:
    """Observe until an exit is due; return the place of that tick."""
    while i < len(price):
        at = np.uint64(i)
        seen = observe(seen, price[at], rules)
        position = trail(position, price[at], rules)
        if exit_due(account, position, price[at], time_ns[at]) != NO_EXIT:
            break
        i += 1
    return i, seen, position


@entry_point
def run_folded(time_ns: Any, price: Any, cash: int, rules_record: Any, account_record: Any) -> tuple[int, int]:
    """State in local tuples; two hot loops that only observe, the cold path apart. Returns trades and cash."""
    rules, account = load_rules(rules_record[0]), load_account(account_record[0])
    seen = first_seen(price[0])
    hours, position = Hours(0, 0, 0), NO_POSITION
    trades = i = 0
    while i < len(price):
        if position.quantity == 0:
            i, seen = watch_flat(price, i, seen, rules)
            if i < len(price):
                hours = hours_at(hours, time_ns[i])
                if hours.open_ns <= time_ns[i] < hours.close_ns:
                    cash, position = bought(cash, price[i], hours, rules)
        else:
            i, seen, position = watch_held(time_ns, price, i, seen, position, account, rules)
            if i < len(price):
                cash, position = sold(cash, position, price[i]), NO_POSITION
                trades += 1
        i += 1
    return trades, cash


@inlined
def step(whole: Whole, n: int, time_ns: int, price: int, account: Account, rules: Rules) -> Whole:
    """Take one tick into the whole state: observe it, and do what it asks for."""
    seen = observe(whole.seen, price, rules)
    if whole.position.quantity > 0:
        position = trail(whole.position, price, rules)
        if exit_due(account, position, price, time_ns) == NO_EXIT:
            return whole._replace(seen=seen, position=position)
        cash = sold(whole.cash, position, price)
        return whole._replace(seen=seen, position=NO_POSITION, cash=cash, trades=whole.trades + 1)
    if not wants_entry(seen, n, rules):
        return whole._replace(seen=seen)
    hours = hours_at(whole.hours, time_ns)
    if not hours.open_ns <= time_ns < hours.close_ns:
        return whole._replace(seen=seen, hours=hours)
    cash, position = bought(whole.cash, price, hours, rules)
    return Whole(seen, hours, position, cash, whole.trades)


@inlined
def first_whole(price: int, cash: int) -> Whole:
    return Whole(first_seen(price), Hours(0, 0, 0), NO_POSITION, cash, 0)


@entry_point
def run_in_place(
    time_ns: Any, price: Any, cash: int, rules_record: Any, account_record: Any, record: Any
) -> tuple[int, int]:
    """State in one record that every tick reads and writes."""
    rules, account = load_rules(rules_record[0]), load_account(account_record[0])
    store_whole(record[0], first_whole(price[0], cash))
    for i in range(len(price)):
        store_whole(record[0], step(load_whole(record[0]), i + 1, time_ns[i], price[i], account, rules))
    return record[0]["trades"], record[0]["cash"]
