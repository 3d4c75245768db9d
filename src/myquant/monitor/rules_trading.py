"""Rules on a session's feed, its orders, its positions and its money."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from myquant.core import codes
from myquant.monitor.faults import Fault, Look, is_silent, seconds_ns, told_s
from myquant.monitor.finding import CRITICAL, WARNING
from myquant.monitor.view import OrderView, SessionView
from myquant.results.text import grouped

UNANSWERED: Final = ("sent", "unknown")
ORDERS_MAX: Final = 10  # named; what is more is counted
WHOLE: Final = 100  # percent
BOOKS: Final = tuple(codes.HALT_NAMES[code] for code in (codes.BY_BOOKS, codes.BY_FOREIGN_TRADE))


def _severity(view: SessionView) -> str:
    """Return how bad it is to be cut off: worse while something is held."""
    return CRITICAL if view.holds else WARNING


def _trades_for_ns(view: SessionView, look: Look) -> int | None:
    """Return for how long packets should have come, since the market's open or the process's start; None: none should.

    A frozen process takes no packets, and says so itself.
    """
    opened, name = look.memory.opened_mono_ns, view.name
    if view.process is None or not view.is_market_open or is_silent(view, look):
        opened[name] = None
        return None
    # Met in the middle of the day it has been open before; a market that opens has its first packets to come.
    since_ns = opened.get(name, look.mono_ns - view.open_for_ns)
    opened[name] = since_ns = look.mono_ns if since_ns is None else since_ns
    return min(look.mono_ns - since_ns, look.age_ns(view.process))


def feed_stale(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a feed that the session calls stale."""
    trades_ns = _trades_for_ns(view, look)
    if trades_ns is None or not view.feed_stale:
        return
    if trades_ns < seconds_ns(look.settings.feed_age_s):
        return  # it connects
    stale = [str(number) for number, is_healthy in sorted(view.connections.items()) if not is_healthy]
    which = f" (connection {', '.join(stale)})" if stale else ""
    yield Fault(f"its feed is stale{which}: nothing is entered", view.feed_since_ns, severity=_severity(view))


def feed_age(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a feed that brings nothing while the session thinks that it is healthy."""
    age_ns = _trades_for_ns(view, look)
    if age_ns is None or view.feed_stale:
        return
    if view.packet_mono_ns is not None:
        age_ns = min(age_ns, (view.read_mono_ns or look.mono_ns) - view.packet_mono_ns)
    if age_ns >= seconds_ns(look.settings.feed_age_s):
        yield Fault(f"no packet has come for {told_s(age_ns)}", look.wall_ns - age_ns, severity=_severity(view))


def clock_offset(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a machine whose clock is not the exchange's."""
    delay_ns = view.delay_min_ns
    if delay_ns is None or not view.is_market_open or view.feed_stale:
        return
    if abs(delay_ns) >= seconds_ns(look.settings.clock_offset_s):
        way = "ahead of" if delay_ns > 0 else "behind"
        yield Fault(f"this machine's clock is {told_s(abs(delay_ns))} {way} the exchange's, or the feed is late")


def position_bare(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a position without a protective stop order where one is wanted."""
    longest_ns = seconds_ns(look.settings.bare_s)
    named = False
    for each in view.instruments:
        if not each.quantity or each.bare_since_ns is None:
            continue
        bare_ns = look.wall_ns - each.bare_since_ns
        if bare_ns >= longest_ns:
            named = True
            text = f"{each.quantity:,} {each.symbol} have had no stop order at work for {told_s(bare_ns)}"
            yield Fault(text, each.bare_since_ns, subject=each.symbol)
    # By the exchange's clock, which a lab may turn faster: so long it has to last by ours, too.
    told = view.telemetry
    lasts_ns = look.lasts_ns(view, "bare", is_so=told is not None and told.bare_ns > 0)
    if view.runs and not named and told is not None and min(told.bare_ns, lasts_ns) >= longest_ns:
        text = f"a position has had no stop order at work for {told_s(told.bare_ns)}, by the session's own account"
        yield Fault(text, look.wall_ns - told.bare_ns)


def order_unknown(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find orders that nobody has answered."""
    longest_ns = seconds_ns(look.settings.unknown_s)
    unanswered = [order for order in view.orders.values() if order.state in UNANSWERED]
    ages = [(_sent_ago_ns(order, look), order) for order in unanswered]
    late = [each for each in ages if each[0] >= longest_ns]
    for age_ns, order in islice(late, ORDERS_MAX):
        side, symbol = "buy" if order.is_buy else "sell", view.instruments[order.instrument].symbol
        text = f"order {order.order_id} ({side} {order.quantity:,} {symbol}) has had no answer for {told_s(age_ns)}"
        yield Fault(text, look.wall_ns - age_ns, subject=str(order.order_id))
    if len(late) > ORDERS_MAX:
        yield Fault(f"{len(late) - ORDERS_MAX:,} more orders have had no answer", subject="more")
    is_so = not unanswered and view.ledger is not None and view.ledger.unknown > 0  # it is of a second ago
    if look.lasts_ns(view, "unknown", is_so=is_so) >= longest_ns and view.ledger is not None:
        yield Fault(f"{view.ledger.unknown:,} orders have had no answer, by its own account", subject="ledger")


def _sent_ago_ns(order: OrderView, look: Look) -> int:
    """Return how long ago an order was sent: by the machine's clock where the other one says nothing, as after its restart."""
    if 0 < order.sent_mono_ns <= look.mono_ns:
        return look.mono_ns - order.sent_mono_ns
    return look.wall_ns - order.sent_wall_ns if order.sent_wall_ns else 0


def rejects_in_a_row(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find orders that were refused one after the other."""
    if view.ledger is not None and view.ledger.rejects_in_row >= look.settings.rejects:
        yield Fault(f"{view.ledger.rejects_in_row} orders were refused, one after the other")


def day_loss(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a day's loss that comes near its limit, or has reached it."""
    limit_paise = int(view.config.config.risk.max_day_loss * 100)
    if view.ledger is None or limit_paise <= 0:
        return
    loss_paise = -view.ledger.day_pnl
    for percent in look.settings.day_loss_percents:
        is_whole = percent >= WHOLE
        if loss_paise * WHOLE >= percent * limit_paise or (is_whole and view.ledger.day_stopped):
            share = loss_paise * WHOLE / limit_paise
            text = f"the day's loss is {_rupees(loss_paise)}, {share:.0f} % of its limit of {_rupees(limit_paise)}"
            end = "; the day is over for entries" if view.ledger.day_stopped else ""
            severity = CRITICAL if is_whole else WARNING
            yield Fault(f"{text}{end}", subject=f"{percent.normalize():f}", severity=severity)


def order_channel_down(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a session that can't send orders to its broker."""
    down_ns = view.telemetry.channel_down_ns if view.telemetry is not None else 0
    if down_ns > 0:
        text = f"no order can be sent to the broker for {told_s(down_ns)}"
        yield Fault(text, look.wall_ns - down_ns, severity=_severity(view))
    elif (
        view.telemetry is None and view.order_channel_up is False
    ):  # a journal without telemetry: the log is all there is
        yield Fault("no order can be sent to the broker, by its log", severity=_severity(view))


def books_differ(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a difference between the broker's books and the session's."""
    if view.telemetry is not None and (rise := look.risen(view, "differences", view.telemetry.differences)):
        yield Fault(f"{rise.risen:,} new differences between the broker's books and the session's", subject="books")
    if view.halt in BOOKS:
        text = f"the account is not as the session has it: entries are halted ({view.halt})"
        yield Fault(text, view.halt_since_ns, subject="halt")


def _rupees(paise: int) -> str:
    return f"{grouped(paise / 100)} rupees"
