"""The day as a table: one row per packet, made from the ticks, and packets made from rows.

What the ticks do not say is made up from them: five levels of depth around bid and ask (or a tick size around the price,
where there is no quote), circuit limits far away, the level of each index.

A client counts a packet as a tick when cumulative volume or last-trade time moved, and the time is of whole seconds and
in SnapQuote packets only. So that every tick of the source counts, one without volume adds one unit to the volume.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.lab.angelone.instruments import Listed, indices_of, listed
from myquant.lab.angelone.packet import DEPTH, Packets, empty_packets
from myquant.lab.market_day import MarketDay
from myquant.ticks.batch import Ints
from myquant.ticks.generate import SECOND_NS

MS_NS: Final = 1_000_000
OPEN_INTEREST: Final = 1_000_000
OPEN_INTEREST_CHANGE: Final = 0.47  # percent; some clients read it as an integer, so it should not be a whole one
INDEX_LEVELS: Final = {  # rupees, where no strike tells
    "NIFTY": 25_000,
    "BANKNIFTY": 55_000,
    "FINNIFTY": 26_000,
    "MIDCPNIFTY": 13_000,
    "NIFTYNXT50": 68_000,
    "NIFTYFPI": 10_000,
    "SENSEX": 82_000,
    "BANKEX": 62_000,
    "SENSEX50": 26_000,
}
INDEX_STEP: Final = 40  # paise a second

ROW_DTYPE: Final = np.dtype(
    [
        ("due_ns", "<i8"),  # when it is sent, by the day's clock; never decreases
        ("who", "<i8"),  # index into the day's instruments
        ("fault", "<i8"),  # see `disturb`; 0: none
        ("sequence", "<i8"),  # 0: of an index
        ("exchange_ms", "<i8"),
        ("traded_s", "<i8"),
        ("price", "<i8"),  # paise, like all prices here
        ("last_quantity", "<i8"),
        ("average_price", "<i8"),
        ("volume", "<i8"),
        ("bid", "<i8"),  # 0: no such level
        ("ask", "<i8"),
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
    ]
)
STATIC_DTYPE: Final = np.dtype(
    [
        ("token", "S25"),
        ("exchange_type", "u1"),
        ("tick", "<i8"),
        ("lot", "<i8"),
        ("close", "<i8"),
        ("upper", "<i8"),
        ("lower", "<i8"),
        ("is_index", "?"),
    ]
)
SAME_FIELDS: Final = [
    "sequence",
    "exchange_ms",
    "traded_s",
    "price",
    "last_quantity",
    "average_price",
    "volume",
    "open",
    "high",
    "low",
]

Rows: TypeAlias = NDArray[np.void]


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """Everything the feed sends: `rows` of ROW_DTYPE in order, `static` of STATIC_DTYPE per instrument."""

    instruments: tuple[Listed, ...]  # the contracts, then the indices
    static: NDArray[np.void]
    rows: Rows

    def packets(self, rows: Rows) -> Packets:
        """Return rows as SnapQuote packets."""
        packets, static = empty_packets(len(rows)), self.static[rows["who"]]
        packets["token"], packets["exchange_type"] = static["token"], static["exchange_type"]
        for name in SAME_FIELDS:
            packets[name] = rows[name]
        packets["close"], packets["upper_circuit"], packets["lower_circuit"] = (
            static[name] for name in ("close", "upper", "lower")
        )
        traded = ~static["is_index"]
        packets["open_interest"] = np.where(traded, OPEN_INTEREST, 0)
        packets["open_interest_change"] = np.where(traded, OPEN_INTEREST_CHANGE, 0.0)
        packets["year_high"] = np.where(traded, static["upper"], 0)
        for side, best, away, total in (("buys", "bid", -1, "buy_quantity"), ("sells", "ask", 1, "sell_quantity")):
            for level in range(DEPTH):
                price = rows[best] + away * level * static["tick"]
                there = (rows[best] > 0) & (price > 0)
                quantity = np.where(there, static["lot"] * (level + 1), 0)
                packets[side]["price"][:, level] = np.where(there, price, 0)
                packets[side]["quantity"][:, level] = quantity
                packets[side]["orders"][:, level] = there * (level + 1)
                packets[total] += quantity
        return packets

    def opening(self) -> Rows:
        """Return, per instrument, the row of one that has not traded today: volume and last-trade time are 0."""
        rows: Rows = np.zeros(len(self.instruments), ROW_DTYPE)
        rows["who"] = np.arange(len(rows))
        rows["price"] = self.static["close"]
        rows["exchange_ms"] = self.rows["due_ns"][0] // MS_NS
        return rows


def day_of(market: MarketDay) -> Day:
    """Return the day that these ticks make."""
    contracts, indices = listed(market.contracts), indices_of(market.contracts)
    begins_s = int(market.time_ns.min()) // SECOND_NS
    static: NDArray[np.void] = np.zeros(len(contracts) + len(indices), STATIC_DTYPE)
    by_contract = np.argsort(market.instrument, kind="stable")
    ends = np.cumsum(np.bincount(market.instrument, minlength=len(contracts)))
    places = np.split(by_contract, ends[:-1])
    # A tick whose time goes back is sent after the one before it, as it stands in the source.
    due_ns = np.maximum.accumulate(market.time_ns)
    parts = [
        (_contract_rows(market, who, each, static[who], places[who], due_ns), places[who])
        for who, each in enumerate(contracts)
    ]
    for who, each in enumerate(indices, len(contracts)):
        parts.append(_index_rows(market, who, each, static[who], np.arange(begins_s, market.until_ns // SECOND_NS + 1)))
    for row, each in zip(static, (*contracts, *indices), strict=True):
        row["token"], row["exchange_type"], row["is_index"] = each.token, each.exchange_type, each.is_index
        row["tick"], row["lot"] = each.tick_paise, each.lot_size
    rows = np.concatenate([rows for rows, _ in parts])
    place = np.concatenate([place for _, place in parts])  # of the tick in its source; an index comes after the ticks
    rows = rows[np.lexsort((place, rows["due_ns"]))]
    rows["sequence"] = np.where(static["is_index"][rows["who"]], 0, np.arange(1, len(rows) + 1))
    return Day((*contracts, *indices), static, rows)


def _contract_rows(market: MarketDay, who: int, each: Listed, static: Any, place: Ints, due_ns: Ints) -> Rows:
    """Return the rows of a contract, whose ticks stand at these places of the source."""
    rows: Rows = np.zeros(len(place), ROW_DTYPE)
    if not len(place):
        static["close"] = static["upper"] = static["lower"] = each.tick_paise
        return rows
    time_ns, price, volume = market.time_ns[place], market.price[place], market.volume[place]
    bid, ask = market.bid[place], market.ask[place]
    rows["due_ns"] = due_ns[place]
    rows["who"] = who
    rows["exchange_ms"] = time_ns // MS_NS
    rows["traded_s"] = time_ns // SECOND_NS
    rows["price"], rows["last_quantity"] = price, volume
    rows["volume"] = np.cumsum(np.maximum(volume, 1))
    rows["average_price"] = np.cumsum(price * volume) // np.maximum(np.cumsum(volume), 1)
    rows["average_price"] = np.where(rows["average_price"] > 0, rows["average_price"], price)
    rows["bid"] = np.where(bid > 0, bid, np.maximum(price - each.tick_paise, 0))
    rows["ask"] = np.where(ask > 0, ask, price + each.tick_paise)
    rows["open"], rows["high"], rows["low"] = price[0], np.maximum.accumulate(price), np.minimum.accumulate(price)
    _limits(static, price, each.tick_paise)
    return rows


def _index_rows(market: MarketDay, who: int, each: Listed, static: Any, seconds: Ints) -> tuple[Rows, Ints]:
    """Return an index's rows, one at each of these seconds since the epoch, and places after all ticks."""
    strikes = [int(known.strike) for known in market.contracts if known.underlying == each.name and known.strike]
    level = (sorted(strikes)[len(strikes) // 2] if strikes else INDEX_LEVELS[each.name]) * 100
    steps = np.random.default_rng([int(each.token), market.day.toordinal()]).integers(-1, 2, len(seconds))
    rows: Rows = np.zeros(len(seconds), ROW_DTYPE)
    rows["due_ns"], rows["exchange_ms"], rows["traded_s"] = seconds * SECOND_NS, seconds * 1000, seconds
    rows["who"] = who
    rows["price"] = price = np.maximum(level + INDEX_STEP * np.cumsum(steps), 100)
    rows["open"], rows["high"], rows["low"] = price[0], np.maximum.accumulate(price), np.minimum.accumulate(price)
    _limits(static, price, 1)
    return rows, np.full(len(seconds), len(market), np.int64)


def _limits(static: Any, price: Ints, tick: int) -> None:
    """Fill in an instrument's close of the day before, and circuit limits that its day does not come near."""
    static["close"] = price[0]
    static["upper"] = 2 * int(price.max())
    static["lower"] = max(tick, int(price.min()) // 2 // tick * tick)
