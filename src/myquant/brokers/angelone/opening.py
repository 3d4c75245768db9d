"""An Angel One account, opened: logged in, its instruments found, its feed and decoders to be had."""

import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from myquant.brokers.angelone import master, settings
from myquant.brokers.angelone.client import AngelOneClient
from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.feed import AngelOneFeed, shares
from myquant.brokers.angelone.order_updates import OrderUpdates
from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.brokers.angelone.settings import BROKER, SECRETS, AngelOneCredentials, Endpoints, Machine
from myquant.brokers.angelone.tokens import NO_INSTRUMENT, Token, TokenTable
from myquant.brokers.http import Http
from myquant.brokers.port import BrokerInstrument, FeedCalls, OnFrame, OnSlow, OnStatus, OnText, OpenOrder
from myquant.brokers.secrets import Redactor, read_secrets
from myquant.brokers.supervised import Timing
from myquant.brokers.token_cache import TokenCache
from myquant.brokers.wire import HttpWire
from myquant.config.schema import Config

SECOND_NS: Final = 10**9
SECRET_TOKENS: Final = ("jwt", "refresh", "feed")


@dataclass(frozen=True)
class OpenAccount:
    """A session at the broker. `notes`: what a person should know of the instruments."""

    client: AngelOneClient
    instruments: tuple[BrokerInstrument, ...]
    indices: tuple[BrokerInstrument, ...]
    notes: tuple[str, ...]

    def decoders(self, zone_offset_ns: int, max_clock_jump_ns: int) -> list[FrameDecoder]:
        """Return the decoder of each connection of the feed."""
        numbers = {(each.exchange_type, each.token): number for number, each in enumerate(self.instruments)}
        return [
            FrameDecoder(TokenTable(_tokens(share, numbers)), zone_offset_ns, max_clock_jump_ns)
            for share in shares(self.instruments, self.indices)
        ]

    def feed(
        self,
        config: Config,
        *,
        on_frame: OnFrame,
        on_status: OnStatus,
        on_text: OnText,
        on_slow: OnSlow,
        expects_data: Callable[[], bool],
    ) -> AngelOneFeed:
        """Return the feed of the account's instruments; it is not started yet."""
        return AngelOneFeed(
            self.client,
            self.instruments,
            self.indices,
            mode=config.feed.mode,
            on_frame=on_frame,
            on_status=on_status,
            on_text=on_text,
            on_slow=on_slow,
            expects_data=expects_data,
            timing=timing_of(config),
        )

    def orders(
        self,
        config: Config,
        session_key: int,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        ssl_context: ssl.SSLContext | None = None,
    ) -> AngelOneOrders:
        """Return the port of the account's orders; it is not started yet. `session_key`: of their tags."""
        client = self.client

        def updates(
            on_row: Callable[[OpenOrder], None], on_health: Callable[[bool, str], None], on_odd: Callable[[str], None]
        ) -> OrderUpdates:
            return OrderUpdates(
                client,
                on_row=on_row,
                on_health=on_health,
                on_odd=on_odd,
                timing=timing_of(config),
                ssl_context=ssl_context,
                monotonic_ns=monotonic_ns,
            )

        rest = client.endpoints.rest
        return AngelOneOrders(
            client,
            rest=rest,
            session_key=session_key,
            product=config.angelone.product,
            instruments=self.instruments,
            wire=HttpWire(rest, client.redactor, monotonic_ns=monotonic_ns, ssl_context=ssl_context),
            updates=updates,
            monotonic_ns=monotonic_ns,
        )

    def source(self, config: Config, cache: Path) -> "AccountSource":
        """Return what opens the account's feed elsewhere; `cache`: the folder where the day's tokens are kept."""
        endpoints, mode = self.client.endpoints, config.feed.mode
        return AccountSource(endpoints, cache, self.instruments, self.indices, mode, timing_of(config))


@dataclass(frozen=True)
class AccountSource:
    """Opens the feed of an account that has logged in already, in another thread or process, with the tokens kept on disk."""

    endpoints: Endpoints
    cache: Path
    instruments: tuple[BrokerInstrument, ...]
    indices: tuple[BrokerInstrument, ...]
    mode: str
    timing: Timing

    def redactor(self, environ: Mapping[str, str]) -> Redactor:
        """Return what hides the account's secrets, and the tokens of its day as far as they are known here."""
        redactor = Redactor(credentials(environ).secrets())
        kept = _kept(self.cache).load() or {}
        redactor.add(*(kept[name] for name in SECRET_TOKENS if name in kept))
        return redactor

    @asynccontextmanager
    async def open(self, calls: FeedCalls, environ: Mapping[str, str]) -> AsyncIterator[AngelOneFeed]:
        """Give the feed, not started; the account's secrets come from the environment or the keyring."""
        secrets = credentials(environ)
        async with Http(Redactor(secrets.secrets())) as http:
            client = AngelOneClient(http, secrets, endpoints=self.endpoints, cache=_kept(self.cache))
            await client.start()
            yield AngelOneFeed(
                client, self.instruments, self.indices, mode=self.mode, timing=self.timing, **calls._asdict()
            )


def timing_of(config: Config) -> Timing:
    """Return the times of the feed's connections."""
    feed = config.feed
    return Timing(stall_s=float(feed.stall_s), ping_s=settings.PING_S, backoff_max_s=float(feed.reconnect_max_s))


def _kept(cache: Path) -> TokenCache:
    return TokenCache(cache / "tokens.json")


def _tokens(share: Sequence[BrokerInstrument], numbers: Mapping[tuple[int, str], int]) -> list[Token]:
    return [
        Token(each.exchange_type, each.token, numbers.get((each.exchange_type, each.token), NO_INSTRUMENT))
        for each in share
    ]


def credentials(environ: Mapping[str, str]) -> AngelOneCredentials:
    """Return the account's secrets from the environment or the keyring; ConfigError names those that are missing."""
    return AngelOneCredentials(**read_secrets(BROKER, SECRETS, environ))


async def open_account(
    http: Http,
    config: Config,
    symbols: Sequence[str],
    secrets: AngelOneCredentials,
    *,
    cache: Path,
    today: date,
) -> OpenAccount:
    """Log in and find the instruments; the master is asked for symbols only. Raises BrokerError or ConfigError.

    `cache`: the folder where tokens and instrument master of the day are kept.
    """
    addresses = config.angelone
    endpoints = Endpoints(addresses.rest_url, addresses.stream_url, addresses.master_url, addresses.update_url)
    machine = Machine(addresses.local_ip, addresses.public_ip, addresses.mac)
    client = AngelOneClient(http, secrets, endpoints=endpoints, machine=machine, cache=_kept(cache))
    await client.start()
    picked = await master.find(http, endpoints.master, today, cache, symbols) if symbols else master.NOTHING
    notes = (client.not_kept, *picked.notes) if client.not_kept else picked.notes
    return OpenAccount(client, picked.instruments, picked.indices, notes)
