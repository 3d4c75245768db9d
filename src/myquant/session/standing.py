"""How an engine's account and positions stand, in figures: what `myquant status` says, and the journal's notes."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.orders import PARTIAL, WORKING
from myquant.core.records import NEVER, Account
from myquant.journal.record import FLATTENED, Holding, Ledger
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


def holdings_of(engine: Engine) -> Iterator[tuple[int, Holding]]:
    """Yield each instrument that holds something, by its number, and what it holds."""
    cores = engine.instruments["core"]
    for who in np.flatnonzero(cores["position"]["quantity"]).tolist():
        yield who, _holding_of(cores[who])


def _holding_of(core: Any) -> Holding:
    position, order = core["position"], core["stop_order"]
    is_resting = order["state"] in (WORKING, PARTIAL) and order["trigger"] != 0  # without one: an exit in its place
    return Holding(
        position_id=int(position["id"]),
        quantity=int(position["quantity"]),
        bought=int(position["bought"]),
        entry_price=int(position["entry_price"]),
        opened_ns=int(position["opened_ns"]),
        cost=int(position["entry_value"] - position["value_out"]),
        stop=int(position["stop"]),
        floor=int(position["floor"]),
        highest=int(position["highest"]),
        activation=_reachable(position["activation"]),
        target=_reachable(position["target"]),
        tier=int(position["tier"]),
        last_price=int(core["tape"]["last_price"]),
        rests=int(order["quantity"] - order["filled"]) if is_resting else 0,
        trigger=int(order["trigger"]) if is_resting else 0,
        spare=0,
    )


def _reachable(price: Any) -> int:
    """Return a price; 0 for one that no price reaches."""
    return 0 if price >= NEVER else int(price)


def bare_ns(engine: Engine, exchange_now_ns: int) -> int:
    """Return for how long a position that wants a stop order at the exchange has had none, the longest; 0: none lacks it."""
    position = engine.instruments["core"]["position"]
    is_bare = (position["quantity"] != 0) & (position["exposed_ns"] != 0) & (position["covered_ns"] == 0)
    exposed = position["exposed_ns"][is_bare]
    return max(1, exchange_now_ns - int(exposed.min())) if len(exposed) else 0
