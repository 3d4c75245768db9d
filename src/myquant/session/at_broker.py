"""An account at a broker without a session: for `flatten` and `doctor`, and where the fence of an account lies."""

import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from myquant.brokers.port import BrokerInstrument, BrokerPosition, OrderPort
from myquant.config.loading import LoadedConfig
from myquant.config.schema import Config
from myquant.errors import ConfigError, DataError
from myquant.market.contracts import contract
from myquant.session.flattening import Tradable

if TYPE_CHECKING:
    from myquant.brokers.angelone.opening import OpenAccount
    from myquant.brokers.angelone.settings import AngelOneCredentials

BROKERS: Final = ("angelone",)
SHOWN: Final = 2  # characters of a client code at either end


def refuse_unknown(broker: str) -> None:
    """Raise ConfigError for a broker that is not known."""
    if broker not in BROKERS:
        raise ConfigError(f"--broker {broker}: not known; one of {', '.join(BROKERS)}")


def masked(client_code: str) -> str:
    """Return a client code as a person recognises his own, and nobody learns another's."""
    if len(client_code) <= 2 * SHOWN:
        return "*" * len(client_code)
    return f"{client_code[:SHOWN]}{'*' * (len(client_code) - 2 * SHOWN)}{client_code[-SHOWN:]}"


def state_folder() -> Path:
    """Return where is kept what every session of this user must find: `MYQUANT_STATE`, else the user's folder of states."""
    chosen = os.environ.get("MYQUANT_STATE")
    return Path(chosen) if chosen else Path(platformdirs.user_state_dir("myquant"))


def fence_folder(state: Path, config: Config, client_code: str) -> Path:
    """Return the folder of an account's fence; `state`: `state_folder()`.

    Whoever sends orders for the account, and `flatten`, must use the same one: that of the client code at this service.
    """
    whose = hashlib.sha256(f"{config.angelone.rest_url}\n{client_code}".encode()).hexdigest()[:16]
    return state / f"fence-{whose}"


def refuse_beside(place: Path, name: str) -> None:
    """Raise ConfigError where another session sends orders for the account; `place`: the account's fence folder."""
    from myquant.journal.disk import DISK  # noqa: PLC0415  (heavy)
    from myquant.session.fence import holder  # noqa: PLC0415  (likewise)

    before = holder(place, DISK)
    if before is None or before.name == name or not _runs(before.pid):
        return
    raise ConfigError(
        f"session {before.name} (process {before.pid}) sends orders for this account, and two can't: stop it first"
        f" (`myquant stop {before.name}`); if it hangs, `myquant flatten --broker` fences it off"
    )


def _runs(pid: int) -> bool:
    """Return whether a process is one of this program."""
    try:
        return b"myquant" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != os.getpid()
    except OSError:
        return False


@dataclass(frozen=True)
class AtBroker:
    """An account that has logged in. `today`: the date at the exchange; `cache`: where tokens and master are kept."""

    account: "OpenAccount"
    config: Config
    cache: Path
    today: date

    def orders(self, key: int) -> OrderPort:
        """Return the order port, not started: its books can be asked for, and nothing can be sent."""
        port: OrderPort = self.account.orders(self.config, key)
        return port

    def contracts(self) -> "BrokerContracts":
        """Return what tells of contracts."""
        return BrokerContracts(self)


@dataclass(frozen=True)
class BrokerContracts:
    """Contracts as the broker's master has them, freeze quantities as the contract book has them; see `flattening.Contracts`."""

    at: AtBroker

    async def tradable(self, position: BrokerPosition) -> Tradable:
        """Return the contract of a position. Raises MyquantError where the master does not list it."""
        found = await self.instruments([position.symbol])
        instrument = next((each for each in found if each.token == position.token), None)
        if instrument is None:
            raise DataError(f"{position.symbol}: the broker's master has it under another token than {position.token}")
        return Tradable(instrument, self._freeze(instrument))

    async def last_price(self, instrument: BrokerInstrument) -> int:
        """Return the last traded price, paise."""
        return await self.at.account.client.last_price(instrument)

    async def instruments(self, symbols: Sequence[str]) -> tuple[BrokerInstrument, ...]:
        """Return contracts by their symbols. Raises MyquantError for one that the master does not list."""
        from myquant.brokers.angelone import master  # noqa: PLC0415  (only those who trade need it)

        client = self.at.account.client
        picked = await master.find(client.http, client.endpoints.master, self.at.today, self.at.cache, symbols)
        return picked.instruments

    def _freeze(self, instrument: BrokerInstrument) -> int:
        try:
            known = contract(instrument.symbol, self.at.today, lot_size=instrument.lot_size)
        except (DataError, ConfigError):  # then the broker's own limit has to do: it refuses what is above it
            return 0
        return known.freeze_quantity or 0


def account_secrets(broker: str, environ: Mapping[str, str]) -> "AngelOneCredentials":
    """Return the account's secrets. Raises ConfigError for an unknown broker, or naming those that are missing."""
    from myquant.brokers.angelone.opening import credentials  # noqa: PLC0415  (heavy)

    refuse_unknown(broker)
    return credentials(environ)


@asynccontextmanager
async def open_at_broker(
    loaded: LoadedConfig, own: "AngelOneCredentials", *, cache: Path, today: date, symbols: Sequence[str] = ()
) -> AsyncIterator[AtBroker]:
    """Log in, within one day's session where it is kept. Raises BrokerError or ConfigError."""
    from myquant.brokers.angelone.opening import open_account  # noqa: PLC0415  (heavy)
    from myquant.brokers.http import Http  # noqa: PLC0415  (likewise)
    from myquant.brokers.secrets import Redactor  # noqa: PLC0415  (likewise)

    config = loaded.config
    async with Http(Redactor(own.secrets())) as http:
        account = await open_account(http, config, symbols, own, cache=cache, today=today)
        yield AtBroker(account, config, cache, today)


def new_key() -> int:
    """Return the session key of the tags of one command's orders."""
    return secrets.randbits(63)
