"""What rigs stand on: a lab that plays the ticks, and the sources of feed that lead to it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from myquant.brokers.port import BrokerInstrument
from myquant.evidence.sources import LabSource
from myquant.lab.angelone.feeder import Feeder, Instrument
from myquant.lab.market_days import DaySource
from myquant.market.contracts import parse_symbol
from myquant.ticks.generate import SECOND_NS

EPOCH: Final = date(1970, 1, 1)
DAY_S: Final = 86_400
ANY_LEAP_S: Final = 1e6  # a rig's clock takes any leap of the exchange's time


@dataclass(frozen=True)
class Ground:
    """The lab at work.

    Attributes:
        feeder: what sends.
        source: the feed from it.
    """

    feeder: Feeder
    source: LabSource


@asynccontextmanager
async def open_ground(days: DaySource, mode: str) -> AsyncIterator[Ground]:
    """Start a lab on some days, whose feed is of a mode. Raises as `Feeder` does."""
    async with Feeder(days, leap_s=ANY_LEAP_S) as feeder:
        begin_ns = (feeder.days[0][0] - EPOCH).days * DAY_S * SECOND_NS
        contracts = tuple(map(_as_listed, feeder.contracts))
        yield Ground(feeder, LabSource(feeder.url, contracts, _as_listed(feeder.indices[0]), mode, begin_ns))


def days_of(inputs: Sequence[Path], ticks: int, seed: int, symbol: str) -> DaySource:
    """Return the days of some files, or generated ones, that hold so many ticks at least.

    `symbol`: the contract of a file that names none, if it is one.
    """
    parsed = parse_symbol(symbol)
    contract = (symbol,) if inputs and parsed is not None and parsed.expiry is not None else ()
    return DaySource(files=tuple(map(str, inputs)), symbols=contract, seed=seed, ticks=ticks)


def _as_listed(each: Instrument) -> BrokerInstrument:
    return BrokerInstrument(
        each.symbol, each.segment, each.token, each.exchange_type, each.lot_size, each.tick_size_paise
    )
