"""The account that all instruments share: equity, drawdown, the day's loss limit, order rates, and what it pays."""

from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.layout import record_access
from myquant.core.money import OrderCosts, total
from myquant.core.orders import is_working
from myquant.core.records import NO_COMMAND, Account, Command, Day, Event, Order, Rules

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS

_store_command = record_access(Command).store


@inlined
def emit(commands: np.ndarray[Any, Any], account: Account, command: Command) -> Account:
    """Append a command to the outbox, a ring of records that the caller drains, and give it its sequence number."""
    sequence = account.commands + 1
    _store_command(
        commands[account.commands % len(commands)],
        command._replace(
            sequence=sequence,
            cash=account.cash,
            equity=account.cash + account.open_value,
            drawdown=account.max_drawdown,
        ),
    )
    return account._replace(commands=sequence)


@inlined
def equity(account: Account) -> int:
    """Return cash plus the open positions at their last prices, paise."""
    return account.cash + account.open_value


@inlined
def observe_equity(account: Account) -> Account:
    """Take the equity that the last event left into the peak and the drawdown."""
    now = account.cash + account.open_value
    peak = max(account.peak_equity, now)
    if peak - now > account.max_drawdown:
        return account._replace(peak_equity=peak, max_drawdown=peak - now, drawdown_peak=peak)
    return account._replace(peak_equity=peak)


@inlined
def count_mark(account: Account, rules: Rules) -> Account:
    """Return the account with one more mark; too many of them count as half as many at twice the spacing."""
    marks = account.marks + 1
    if marks <= rules.max_marks or rules.mark_interval_ns << account.mark_doublings >= DAY_NS:
        return account._replace(marks=marks)
    return account._replace(marks=marks // 2, mark_doublings=account.mark_doublings + 1)


@inlined
def open_account_day(account: Account, day: Day, time_ns: int) -> Account:
    """Start a calendar day for the account: its loss limit and its number of orders count anew."""
    return account._replace(
        first_ns=account.first_ns if account.first_ns != 0 else time_ns,
        day_end_ns=day.end_ns,
        day_start_equity=equity(account),
        day_stopped=False,
        orders_today=0,
    )


@inlined
def loses_too_much(account: Account, rules: Rules) -> bool:
    """Return whether the day's loss, realised plus open, has just reached its limit."""
    if rules.max_day_loss == 0 or account.day_stopped:
        return False
    return equity(account) - account.day_start_equity <= -rules.max_day_loss


@inlined
def stop_day(account: Account, event: Event, commands: np.ndarray[Any, Any]) -> Account:
    """Stop a day that has lost too much, and say so: positions are closed, entries wait for the next day."""
    command = NO_COMMAND._replace(
        kind=codes.HALTED,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        order_id=event.order_id,
        reason=codes.BY_DAY_LOSS,
    )
    return emit(commands, account._replace(day_stopped=True), command)


@inlined
def order_rate_reached(account: Account, rules: Rules, time_ns: int) -> bool:
    """Return whether one more order would break a limit per calendar second or per day."""
    in_second = account.orders_in_second if time_ns // SECOND_NS == account.second else 0
    return (0 < rules.max_orders_per_second <= in_second) or (0 < rules.max_orders_per_day <= account.orders_today)


@inlined
def count_order(account: Account, time_ns: int) -> Account:
    """Return the account with one more order sent, in this second and today; its id is `orders`."""
    second = time_ns // SECOND_NS
    in_second = account.orders_in_second + 1 if second == account.second else 1
    return account._replace(
        orders=account.orders + 1,
        orders_today=account.orders_today + 1,
        orders_in_second=in_second,
        second=second,
    )


@inlined
def reserve_again(account: Account, before: Order, after: Order) -> Account:
    """Return the account after a change of an order, with what working entries may still cost set aside anew."""
    return account._replace(reserved=account.reserved - _still_costs(before) + _still_costs(after))


@inlined
def _still_costs(order: Order) -> int:
    works = order.side == codes.BUY and is_working(order.state)
    return max(0, order.cost - order.value) if works else 0


@inlined
def settle(account: Account, cash: int, open_value: int, costs: OrderCosts) -> Account:
    """Book one order: `cash` moved by its turnover, `open_value` by its units at the last price, and its costs paid."""
    return account._replace(
        cash=account.cash + cash - total(costs),
        open_value=account.open_value + open_value,
        brokerage=account.brokerage + costs.brokerage,
        exchange_charges=account.exchange_charges + costs.exchange,
        sebi_fees=account.sebi_fees + costs.sebi,
        stt=account.stt + costs.stt,
        stamp_duty=account.stamp_duty + costs.stamp,
        gst=account.gst + costs.gst,
    )
