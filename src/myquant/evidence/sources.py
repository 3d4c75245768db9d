"""Where a rig's ticks come from: the lab's socket, or a broker's."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Protocol

from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.feed import AngelOneFeed
from myquant.brokers.angelone.opening import OpenAccount
from myquant.brokers.angelone.tokens import NO_INSTRUMENT, Token, TokenTable
from myquant.brokers.port import BrokerInstrument, FeedCalls
from myquant.brokers.secrets import Redactor
from myquant.config.schema import Config
from myquant.session.clock import ExchangeClock, MachineClock, latest_of, zone_offset_ns
from myquant.session.loop import FeedPort
from myquant.session.reader import FeedSource
from myquant.session.rules import SECOND_NS

ANY_JUMP_NS: Final = 10**15  # the lab's time runs as fast as its ticks are sent


class Source(Protocol):
    """What a rig needs of a feed."""

    @property
    def instruments(self) -> tuple[BrokerInstrument, ...]:
        """What ticks."""

    @property
    def elsewhere(self) -> FeedSource:
        """What opens the feed in a reader."""

    def decoders(self, config: Config) -> list[FrameDecoder]:
        """Return the decoder of each connection."""

    def feed(self, calls: FeedCalls) -> FeedPort:
        """Return the feed for the loop that runs."""

    def exchange_clock(self, decoders: Sequence[FrameDecoder]) -> ExchangeClock:
        """Return the exchange's clock."""


class StillClock:
    """The exchange's clock between two packets: it stands, so that no decision depends on how fast ticks come."""

    def __init__(self, begin_ns: int) -> None:
        """Stand at `begin_ns` before the first packet."""
        self._begin_ns = begin_ns

    def wall_ns(self) -> int:
        """Return the time before the first packet."""
        return self._begin_ns

    def monotonic_ns(self) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True)
class LabSource:
    """The feed of a lab's feeder; pickled for a reader process.

    Attributes:
        address: of its socket.
        index: rides along, so that a connection is known to live.
        mode: "snap_quote" or "quote".
        begin_ns: an exchange time before the first packet.
    """

    address: str
    instruments: tuple[BrokerInstrument, ...]
    index: BrokerInstrument
    mode: str
    begin_ns: int

    @property
    def elsewhere(self) -> FeedSource:
        """What opens the feed in a reader: itself."""
        return self

    def decoders(self, config: Config) -> list[FrameDecoder]:
        """Return the decoder of the one connection."""
        tokens = [Token(each.exchange_type, each.token, who) for who, each in enumerate(self.instruments)]
        index = Token(self.index.exchange_type, self.index.token, NO_INSTRUMENT)
        return [FrameDecoder(TokenTable([index, *tokens]), zone_offset_ns(config.session.timezone), ANY_JUMP_NS)]

    def feed(self, calls: FeedCalls) -> FeedPort:
        """Return the feed; it logs in nowhere."""
        client: Any = SimpleNamespace(
            endpoints=SimpleNamespace(stream=self.address), redactor=Redactor(()), tokens=None, socket_headers=dict
        )
        return AngelOneFeed(client, self.instruments, [self.index], mode=self.mode, **calls._asdict())

    def redactor(self, environ: Mapping[str, str]) -> Redactor:  # noqa: ARG002  (it needs none)
        """Return what hides nothing: there are no secrets."""
        return Redactor(())

    @asynccontextmanager
    async def open(self, calls: FeedCalls, environ: Mapping[str, str]) -> AsyncIterator[FeedPort]:  # noqa: ARG002  (it needs none)
        """Open the feed in a reader."""
        yield self.feed(calls)

    def exchange_clock(self, decoders: Sequence[FrameDecoder]) -> ExchangeClock:
        """Return a clock that stands from packet to packet."""
        return ExchangeClock(StillClock(self.begin_ns), lambda: (decoders[0].clock()[0], 0))


class BrokerSource:
    """The feed of an account."""

    def __init__(self, account: OpenAccount, config: Config, cache: Path) -> None:
        """Take an account that has logged in; `cache` is the folder where the day's tokens are kept."""
        self.instruments = account.instruments
        self.elsewhere: FeedSource = account.source(config, cache)
        self._account, self._config = account, config

    def decoders(self, config: Config) -> list[FrameDecoder]:
        """Return the decoder of each connection."""
        jump_ns = int(config.feed.max_clock_jump_s * SECOND_NS)
        return self._account.decoders(zone_offset_ns(config.session.timezone), jump_ns)

    def feed(self, calls: FeedCalls) -> FeedPort:
        """Return the feed."""
        return self._account.feed(self._config, **calls._asdict())

    def exchange_clock(self, decoders: Sequence[FrameDecoder]) -> ExchangeClock:
        """Return a clock that the machine's carries on."""
        return ExchangeClock(MachineClock(), lambda: latest_of(decoder.clock() for decoder in decoders))
