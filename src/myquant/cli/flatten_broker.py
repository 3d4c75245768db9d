"""`myquant flatten --broker`: an account flat, whether an engine runs or not."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from myquant.cli.settings import load_settings
from myquant.errors import BrokerError, JournalError, MyquantError

if TYPE_CHECKING:
    from myquant.brokers.port import Books
    from myquant.config.loading import LoadedConfig
    from myquant.session.flattening import Scope

LOOK_S: Final = 1.0  # the books may be asked for once a second
NAME: Final = "myquant flatten"
UNKNOWN_SESSION: Final = "no session of this account at {url} is known here: addresses and product are those of --config, --set and the defaults"
QUESTION: Final = "Cancel these orders and close these positions? Type yes to do it: "


def flatten_broker(
    broker: str,
    symbols: Sequence[str],
    *,
    config: Sequence[Path] | None,
    assignments: Sequence[str] | None,
    confirm: Callable[[str], None] | None,
    wait: bool,
) -> None:
    """Fence off all engines of the account, then flatten it. `confirm` raises where a person says no; None: nobody is asked.

    Raises BrokerError where the books do not say flat at the end.
    """
    from myquant.session.quick_loop import run_loop

    loaded = _as_session(broker, load_settings(None, config=config, assignments=assignments), config, assignments)
    if not run_loop(_flatten(broker, symbols, loaded, confirm, wait=wait)):
        raise BrokerError(f"{broker}: not flat: close what is left in the broker's own application, or run this again")


def _as_session(
    broker: str, loaded: "LoadedConfig", config: Sequence[Path] | None, assignments: Sequence[str] | None
) -> "LoadedConfig":
    """Return the settings, those of the account as the last session used them where nothing says otherwise.

    Its addresses are not those of the defaults, and an order from another is refused when the engine is fenced off already.
    Where the service is stays as it is: that says whose fence it is.
    """
    from myquant.config.kinds import write
    from myquant.config.loading import DEFAULT, load_config
    from myquant.journal import disk
    from myquant.session.archive import account_settings
    from myquant.session.at_broker import account_secrets, fence_folder, state_folder
    from myquant.session.fence import holder

    place = fence_folder(state_folder(), loaded.config, account_secrets(broker, os.environ).client_code)
    try:
        last = holder(place, disk.DISK)
        if last is None or not last.session:
            _tell(UNKNOWN_SESSION.format(url=loaded.config.angelone.rest_url))
            return loaded
        used = account_settings(Path(last.session))
        taken = {
            name: value
            for name, value in used.items()
            if loaded.origins.get(name) == DEFAULT and value != loaded.values[name] and name != "angelone.rest_url"
        }
        values = {"angelone": {name.partition(".")[2]: value for name, value in taken.items()}}
        both = load_config(files=config or (), values=values, environment=os.environ, assignments=assignments or ())
    except MyquantError as error:
        _tell(f"the last session's settings can't be taken: {error}; those given here count")
        return loaded
    if taken:
        said = ", ".join(f"{name} = {write(value)}" for name, value in taken.items())
        _tell(f"as session {Path(last.session).name} had it: {said}")
    return both


async def _flatten(
    broker: str,
    symbols: Sequence[str],
    loaded: "LoadedConfig",
    confirm: Callable[[str], None] | None,
    *,
    wait: bool,
) -> bool:
    import time

    from myquant.compose import today
    from myquant.session.at_broker import account_secrets, fence_folder, new_key, open_at_broker, state_folder
    from myquant.session.flattening import Flattening, Scope, Times
    from myquant.session.simulated import venue_rules
    from myquant.strategies.cache import cache_folder

    config, own = loaded.config, account_secrets(broker, os.environ)
    cache, key = cache_folder() / broker, new_key()
    on = today(config.session.timezone)
    place = fence_folder(state_folder(), config, own.client_code)
    fencing = _Fencing(place)
    if confirm is None:  # nobody is asked: the fence waits for nothing, not for a broker that can't be reached, either
        fencing.raise_epoch()
    async with fencing.told(), open_at_broker(loaded, own, cache=cache, today=on) as at:
        contracts, port = at.contracts(), at.orders(key)
        listed = await contracts.instruments(symbols) if symbols else ()
        scope = Scope(config.angelone.product, frozenset(each.token for each in listed) or None)
        for note in at.account.notes:
            _tell(f"  note    {note}")
        _print_plan(await port.books(), scope)
        if confirm is not None:
            _print_fenced(place)
            confirm(QUESTION)
            fencing.raise_epoch()
        reprice_s = max(float(config.execution.reprice_s), 2 * LOOK_S)
        times = Times(LOOK_S, reprice_s, float(config.broker.settle_s))
        work = Flattening(
            port, contracts, scope, times, venue_rules(config), key=key, monotonic_ns=time.monotonic_ns, tell=_tell
        )
        port.on_doubt = _tell
        port.start()
        try:
            is_flat = await work.run(wait_for_late=wait)
        finally:
            await port.aclose()
    if is_flat:
        what = f"flat in {', '.join(symbols)}" if symbols else "flat"
        _tell(f"{what}: the broker's books say so")
        if not wait:
            _tell(
                f"not waited: an order that was under way may still fill in the next {times.settle_s:g} s; look again then"
            )
    return is_flat


@dataclass
class _Fencing:
    """The fence of an account, and whether it was raised."""

    place: Path
    is_done: bool = False

    def raise_epoch(self) -> None:
        self.is_done = _fence(self.place)

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Say, where the broker fails, whether engines can still send orders."""
        try:
            yield
        except BrokerError:
            if self.is_done:
                _tell(
                    "fenced, but not flat: no engine of this machine closes what is held, till the broker can be reached"
                )
            else:
                _tell(
                    "NOT FENCED: an engine that runs can send orders; `--yes` fences it off before the broker is asked"
                )
            raise


def _print_fenced(folder: Path) -> None:
    """Print whom the fence will keep from sending."""
    from myquant.journal import disk
    from myquant.session.fence import holder

    try:
        before = holder(folder, disk.DISK)
    except JournalError:  # `_fence` tells it
        return
    if before is not None and before.name != NAME:
        _tell(f"  fence   session {before.name} (process {before.pid}): it can send nothing any more, and leaves")


def _fence(folder: Path) -> bool:
    """Raise the fence's epoch, and return whether it is; else say so: a failing disk must not keep anybody from getting out.

    What that risks is bounded: orders of an engine that goes on are in the books, where each look finds and cancels them.
    """
    from myquant.journal import disk
    from myquant.session.fence import Fence, NotSyncedError, holder

    before = None
    with suppress(JournalError):  # it serves messages only
        before = holder(folder, disk.DISK)
    try:
        epoch = Fence.raise_epoch(folder, NAME, disk.DISK, session=before.session if before is not None else "")
    except JournalError as error:
        is_in_memory = isinstance(error, NotSyncedError)
        _tell(f"{'FENCED IN MEMORY ONLY' if is_in_memory else 'NOT FENCED'}: {error}")
        may = "that wakes up later may" if is_in_memory else "that runs, or wakes up, can"
        end = (
            f"kill -9 {before.pid}, session {before.name}, unless it has ended"
            if before
            else "`myquant status` names it"
        )
        _tell(
            f"an engine {may} send orders again: end it now, in another terminal ({end}); flattening goes on meanwhile"
        )
        return is_in_memory
    whom = f" (the last was {before.name}, process {before.pid})" if before is not None else ""
    _tell(f"fenced: no engine on this machine that began before can send orders for this account{whom}; epoch {epoch}")
    return True


def _print_plan(books: "Books", scope: "Scope") -> None:
    from myquant.core.codes import BUY
    from myquant.session.flattening import left_alone, open_positions, working_orders

    names = {**books.symbols, **{each.token: each.symbol for each in books.positions}}
    orders, positions = working_orders(books, scope), open_positions(books, scope)
    for order in orders:
        word = "buy" if order.side == BUY else "sell"
        name = names.get(order.token, f"token {order.token}")
        _tell(f"  cancel  {order.broker_id}: {word} {order.quantity - order.filled} {name} at {order.limit / 100:.2f}")
    for position in positions:
        _tell(f"  close   {position.quantity:+} {position.symbol}, {position.product}")
    if not orders and not positions:
        _tell("  nothing works, nothing is held")
    others, held = left_alone(books, scope)
    if others or held:
        kept = [f"order {each.broker_id}" for each in others]
        kept += [f"{each.quantity:+} {each.symbol} ({each.product})" for each in held]
        _tell(f"  left alone: {', '.join(kept)}")


def _tell(line: str) -> None:
    print(line, flush=True)
