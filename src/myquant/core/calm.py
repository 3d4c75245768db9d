"""The calm between two acts: what then can't happen, and the prices at which an open position asks for nothing."""

from typing import NamedTuple

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.orders import IDLE, is_working
from myquant.core.records import NEVER, Account, Instrument, Position, Rules


@inlined
def is_calm(account: Account, instrument: Instrument, rules: Rules) -> bool:
    """Return whether only the ticks themselves can ask for something now: warm, no order at work, nothing stopped."""
    stopped = account.day_stopped or account.flatten or rules.max_day_loss != 0 or rules.works_orders
    return instrument.tape.n >= rules.min_warmup_ticks and not stopped and not is_working(instrument.order.state)


@inlined
def as_calm(account: Account, instrument: Instrument, rules: Rules) -> tuple[Account, Instrument, Rules]:
    """Return what makes it calm as constants, so that the loop is compiled without asking for it.

    The time to leave a position becomes one to be interrupted at.
    """
    account = account._replace(day_stopped=False, flatten=False)
    tape, position = instrument.tape, instrument.position
    if position.quantity > 0:
        tape = tape._replace(wake_ns=min(tape.wake_ns, position.leave_ns))
    instrument = instrument._replace(
        tape=tape,
        order=instrument.order._replace(state=IDLE),
        position=position._replace(tier=0, leave_ns=NEVER),
    )
    rules = rules._replace(min_warmup_ticks=codes.NO_TIME, max_day_loss=0, works_orders=False)
    return account, instrument, rules


@inlined
def after_calm(before: Instrument, after: Instrument) -> Instrument:
    """Return an instrument with what `as_calm` had made constant as it was before."""
    position = before.position
    return after._replace(
        tape=after.tape._replace(wake_ns=before.tape.wake_ns),
        order=before.order,
        position=after.position._replace(tier=position.tier, leave_ns=position.leave_ns),
    )


class Band(NamedTuple):
    """Prices at which a tick changes neither the peak of the equity, nor its drawdown, nor an open position."""

    low: int  # from here,
    high: int  # to here
    deepest: int  # below it the drawdown grows
    highest: int  # above it the equity has a new peak


NO_BAND = Band(0, -1, 0, 0)


@inlined
def next_band(band: Band, account: Account, position: Position, price: int) -> Band:
    """Return the band of an open position after a price outside the last one (`NO_BAND`: none yet), its equity observed."""
    quantity = position.quantity
    if band.highest == 0:
        below_peak = (
            account.peak_equity - account.cash - account.open_value + quantity * price
        )  # quantity times a price
        return _within(position, -((account.max_drawdown - below_peak) // quantity), below_peak // quantity)
    if price > band.highest:
        return _within(position, price - account.max_drawdown // quantity, price)
    return _within(position, min(band.deepest, price), band.highest)


@inlined
def _within(position: Position, deepest: int, highest: int) -> Band:
    low, high = max(deepest, position.floor + 1), min(highest, position.highest, position.target - 1)
    return Band(low, high, deepest, highest)
