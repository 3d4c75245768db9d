"""Rules on a session's feed, its orders, its positions and its money."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from myquant.monitor.faults import Fault, Look, differences_named, is_cut_off, is_silent, seconds_ns, told_s
from myquant.monitor.finding import CRITICAL, WARNING
from myquant.monitor.view import OrderView, SessionView, passed_ns
from myquant.results.text import counted, grouped

UNANSWERED: Final = ("sent", "unknown")
ORDERS_MAX: Final = 10  # named; what is more is counted
WHOLE: Final = 100  # percent
NOTHING_TO_DO: Final = "nothing today: no entry comes any more, and nothing is held"
STILL_OPEN: Final = "no entry comes any more; what is held runs on to its exit: `myquant flatten` if that is too much"


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
    """Find a feed that the session calls stale, for longer than it takes to connect again."""
    trades_ns = _trades_for_ns(view, look)
    is_so = trades_ns is not None and view.feed_stale
    lasts_ns = look.lasts_ns(view, "stale", is_so=is_so)
    if trades_ns is None or not is_so or trades_ns < seconds_ns(look.settings.feed_age_s):
        return
    since_ns = look.wall_ns if view.feed_since_ns is None else view.feed_since_ns
    if max(lasts_ns, passed_ns(since_ns, view.feed_since_mono_ns, look.wall_ns, look.mono_ns)) < seconds_ns(
        look.settings.feed_stale_s
    ):
        return
    stale = [str(number) for number, is_healthy in sorted(view.connections.items()) if not is_healthy]
    which = f" (connection {', '.join(stale)})" if stale else ""
    why = f" ({view.feed_reason})" if view.feed_reason else ""
    text = f"its feed is stale{which}: nothing is entered{why}"
    yield Fault(text, view.feed_since_ns, severity=_severity(view))


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
        since_ns = each.bare_since_ns
        seen_ns = look.lasts_ns(view, f"bare {each.symbol}", is_so=since_ns is not None and each.quantity != 0)
        if not each.quantity or since_ns is None:
            continue
        bare_ns = max(seen_ns, passed_ns(since_ns, each.bare_since_mono_ns, look.wall_ns, look.mono_ns))
        if bare_ns >= longest_ns:
            named = True
            text = f"{each.quantity:,} {each.symbol} have had no stop order at work for {told_s(bare_ns)}"
            since_ns = since_ns if since_ns <= look.wall_ns else look.wall_ns - bare_ns
            yield Fault(text, since_ns, subject=each.symbol)
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
        side, symbol = "buy" if order.is_buy else "sell", view.symbol_of(order.instrument)
        text = f"order {order.order_id} ({side} {order.quantity:,} {symbol}) has had no answer for {told_s(age_ns)}"
        yield Fault(text, look.wall_ns - age_ns, subject=str(order.order_id))
    if len(late) > ORDERS_MAX:
        yield Fault(f"{len(late) - ORDERS_MAX:,} more orders have had no answer", subject="more")
    is_so = not unanswered and view.ledger is not None and view.ledger.unknown > 0  # it is of a second ago
    if look.lasts_ns(view, "unknown", is_so=is_so) >= longest_ns and view.ledger is not None:
        yield Fault(f"{view.ledger.unknown:,} orders have had no answer, by its own account", subject="ledger")


def _sent_ago_ns(order: OrderView, look: Look) -> int:
    return passed_ns(order.sent_wall_ns or look.wall_ns, order.sent_mono_ns, look.wall_ns, look.mono_ns)


def rejects_in_a_row(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find orders that were refused one after the other."""
    if view.ledger is not None and view.ledger.rejects_in_row >= look.settings.rejects:
        yield Fault(f"{view.ledger.rejects_in_row} orders were refused, one after the other")


def day_loss(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a day's loss that comes near its limit, or has reached it: one fault, which becomes worse."""
    ledger, reached = view.ledger, look.memory.reached
    limit_paise = int(view.config.config.risk.max_day_loss * 100)
    if ledger is None or limit_paise <= 0:
        return
    loss_paise = -ledger.day_pnl
    passed = [
        percent
        for percent in look.settings.day_loss_percents
        if loss_paise * WHOLE >= percent * limit_paise or (percent >= WHOLE and ledger.day_stopped)
    ]
    if not passed:
        reached.pop(view.name, None)
        return
    reached[view.name] = worst = max(*passed, reached.get(view.name, passed[0]))
    share = loss_paise * WHOLE / limit_paise
    text = f"the day's loss is {_rupees(loss_paise)}, {share:.0f} % of its limit of {_rupees(limit_paise)}"
    is_over, remedy = bool(ledger.day_stopped), ""
    if is_over:
        text += "; the day is over for entries"
        remedy = STILL_OPEN if view.holds else NOTHING_TO_DO
    severity = CRITICAL if worst >= WHOLE else WARNING
    yield Fault(text, severity=severity, remedy=remedy, state=f"{worst.normalize():f}")


def funds_short(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a broker's funds that buy no lot, from the entry that was denied for it until they suffice."""
    line, funded = view.short_of_funds, look.memory.funded
    if line is None or view.process is None or line.wall_ns < view.process.started_wall_ns:
        return
    needed, there = (_paise(line.fields.get(name)) for name in ("needed", "broker_funds"))
    if view.ledger is not None and view.telemetry_wall_ns is not None and view.telemetry_wall_ns > line.wall_ns:
        there = view.ledger.funds
        if there < 0 or (needed is not None and there >= needed):
            funded[view.name] = line
    if funded.get(view.name) == line:
        return
    has = "" if there is None else f": {_rupees(there)} are there"
    wants = "" if needed is None else f", a lot takes {_rupees(needed)}"
    what = str(line.fields.get("symbol", "an instrument"))
    yield Fault(f"nothing can be entered: the broker's funds buy no lot of {what}{has}{wants}", line.wall_ns)


def order_channel_down(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find a session that can't send orders to its broker."""
    seen_ns = look.lasts_ns(view, "cut off", is_so=is_cut_off(view))
    if not is_cut_off(view):
        return
    down_ns = seen_ns if view.telemetry is None else max(seen_ns, view.telemetry.channel_down_ns)
    if down_ns >= seconds_ns(look.settings.order_channel_s):
        text = f"no order can be sent to the broker for {told_s(down_ns)}"
        yield Fault(text, look.wall_ns - down_ns, severity=_severity(view))


def books_differ(view: SessionView, look: Look) -> Iterator[Fault]:
    """Find new differences between the broker's books and the session's. That it halted for them, `halted` says."""
    if view.telemetry is not None and (rise := look.risen(view, "differences", view.telemetry.differences)):
        text = f"{counted(rise.risen, 'new difference')} between the broker's books and the session's"
        named = differences_named(view, rise.since_ns)
        yield Fault(f"{text}{f': {named}' if named else ''}", subject="books")


def _paise(rupees: object) -> int | None:
    return round(rupees * 100) if isinstance(rupees, int | float) else None


def _rupees(paise: int) -> str:
    return f"{grouped(paise / 100)} rupees"
