"""How an engine's account stands, in figures: what `myquant status` says, and the journal's LEDGER notes."""

from typing import Final

from myquant.core import codes
from myquant.core.records import Account
from myquant.journal.record import FLATTENED, Ledger
from myquant.session.engine import Engine

OWN_FUNDS: Final = -1  # of `Ledger.funds`: what may be spent is what our ledger has


def day_pnl(account: Account) -> int:
    """Return the day's profit or loss, paise: realised plus open, after charges."""
    return account.cash + account.open_value - account.day_start_equity


def broker_funds(account: Account) -> int | None:
    """Return what the broker lets us spend, paise, where that is less than our ledger has; else None."""
    return account.cash - account.reserved - account.shortfall if account.shortfall else None


def halted_code(account: Account) -> int:
    """Return what halts entries, as a LEDGER note has it (`record.HALTED_BY`)."""
    if account.halt != codes.NOT_HALTED:
        return account.halt
    return FLATTENED if account.flatten else codes.NOT_HALTED


def ledger_of(engine: Engine, account: Account) -> Ledger:
    """Return how an engine's account stands."""
    equity, funds = account.cash + account.open_value, broker_funds(account)
    brokerage, exchange, sebi = account.brokerage, account.exchange_charges, account.sebi_fees
    return Ledger(
        cash=account.cash,
        equity=equity,
        day_pnl=day_pnl(account),
        drawdown=max(0, account.peak_equity - equity),
        charges=brokerage + exchange + sebi + account.stt + account.stamp_duty + account.gst,
        open_value=account.open_value,
        trades=account.trades,
        positions=account.positions,
        entries_today=int(engine.instruments["core"]["history"]["entries_today"].max()),
        orders_today=account.orders_today,
        unknown=account.unknown,
        rejects_in_row=account.rejects_in_row,
        funds=OWN_FUNDS if funds is None else funds,
        day_stopped=int(account.day_stopped),
        spare=0,
        spare_too=0,
    )


def bare_ns(engine: Engine, exchange_now_ns: int) -> int:
    """Return for how long a position that wants a stop order at the exchange has had none, the longest; 0: none lacks it."""
    position = engine.instruments["core"]["position"]
    is_bare = (position["quantity"] != 0) & (position["exposed_ns"] != 0) & (position["covered_ns"] == 0)
    exposed = position["exposed_ns"][is_bare]
    return max(1, exchange_now_ns - int(exposed.min())) if len(exposed) else 0
