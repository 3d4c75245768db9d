"""From the configuration and the market's tables to the core's units: rules, days, charges."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from myquant.config.loading import DEFAULT, LoadedConfig
from myquant.config.schema import Config
from myquant.core import codes
from myquant.core.guard import grid_factor
from myquant.core.money import RATE_SCALE
from myquant.core.records import Charges, Day, Rules
from myquant.errors import ConfigError
from myquant.market.calendar import Calendar, day_bounds_ns, session_ns
from myquant.market.charges import ChargeRates, percent_rates, schedule_rates
from myquant.market.contracts import Contract, contract, parse_symbol, underlyings

MINUTE_NS: Final = 60 * 10**9
SECOND_NS: Final = 10**9

_STOP_MODES: Final = {
    "points": codes.STOP_BY_POINTS,
    "percent": codes.STOP_BY_PERCENT,
    "atr": codes.STOP_BY_ATR,
}
_FILL_MODELS: Final = {"ltp": codes.FILL_AT_LTP, "quote": codes.FILL_AT_QUOTE, "limit": codes.FILL_AT_LIMIT}


def paise(rupees: Decimal) -> int:
    """Return rupees or points as whole paise; the schema allows no others."""
    return _whole(rupees * 100)


def rate(percent: Decimal) -> int:
    """Return a percentage as a rate of the core; the schema allows at most six decimals."""
    return _whole(percent * (RATE_SCALE // 100))


def _whole(value: Decimal) -> int:
    if value != int(value):
        raise ConfigError(f"{value} is finer than the engine's unit")
    return int(value)


def core_rules(config: Config, *, strategy_has_stop: bool) -> Rules:
    """Return the effective configuration in the core's units. A strategy's own stop goes before the configured mode."""
    strategy, risk, execution = config.strategy, config.risk, config.execution
    works = execution.fill_model == "limit"
    return Rules(
        min_warmup_ticks=strategy.min_warmup_ticks,
        green_ticks=strategy.consecutive_green_bars,
        control_base_sl=strategy.control_base_sl,
        control_base_sl_green_ticks=strategy.control_base_sl_green_ticks,
        noise_filter_enabled=strategy.noise_filter_enabled,
        noise_rate=_whole(strategy.noise_filter_percentage * RATE_SCALE),
        noise_ticks=_whole(strategy.noise_filter_min_ticks * RATE_SCALE),
        reset_daily=strategy.reset_daily,
        max_positions_per_day=risk.max_positions_per_day,
        position_rate=rate(risk.max_position_value_percent),
        stop_mode=codes.STOP_BY_STRATEGY if strategy_has_stop else _STOP_MODES[risk.stop_loss_mode],
        base_sl=paise(risk.base_sl_points),
        stop_rate=rate(risk.stop_loss_percent),
        atr_multiple=float(risk.atr_multiple),
        atr_len=strategy.atr_len,
        tiers=len(risk.tp_points),
        tp_points=_eight([paise(points) for points in risk.tp_points]),
        tp_rates=_eight([_whole(part * RATE_SCALE) for part in risk.tp_percents]),
        use_trail_stop=risk.use_trail_stop,
        trail_activation=paise(risk.trail_activation_points),
        trail_distance=paise(risk.trail_distance_points),
        slippage=paise(risk.slippage_points),
        fill_model=_FILL_MODELS[execution.fill_model],
        max_day_loss=paise(risk.max_day_loss),
        exposure_rate=rate(risk.max_exposure_percent),
        max_orders_per_second=risk.max_orders_per_second,
        max_orders_per_day=risk.max_orders_per_day,
        max_rejects=risk.max_rejects,
        order_timeout_ns=int(execution.order_timeout_s * SECOND_NS),
        works_orders=works,
        protects=works and execution.protective_stop,
        entry_life_ns=int(execution.order_life_s * SECOND_NS),
        protection_rate=rate(execution.protection_percent),
        reprice_ns=int(execution.reprice_s * SECOND_NS),
        stop_follow_ns=int(execution.stop_follow_s * SECOND_NS),
        exit_retry_ns=int(execution.exit_retry_s * SECOND_NS),
        unprotected_max_ns=int(execution.unprotected_max_s * SECOND_NS),
        stale_halt_ns=int(config.feed.halt_after_s * SECOND_NS),
        mark_interval_ns=config.results.mark_interval_s * SECOND_NS,
        max_marks=config.results.max_marks,
    )


def _eight(values: list[int]) -> tuple[int, int, int, int, int, int, int, int]:
    a, b, c, d, e, f, g, h = values + [0] * (codes.MAX_TIERS - len(values))
    return a, b, c, d, e, f, g, h


@lru_cache(64)
def core_charges(rates: ChargeRates) -> Charges:
    """Return a day's charge rates in the core's units."""
    return Charges(
        brokerage_min=paise(rates.brokerage_per_order),
        brokerage_rate=rate(rates.commission_percent),
        exchange_rate=rate(rates.exchange_percent),
        sebi_rate=rate(rates.sebi_percent),
        stt_rate=rate(rates.stt_sell_percent),
        stamp_rate=rate(rates.stamp_buy_percent),
        gst_rate=rate(rates.gst_percent),
        gst_on_rounded=rates.gst_on == "rounded",
        per_slice=rates.per_slice,
    )


@dataclass(frozen=True)
class DayRules:
    """What holds for one instrument on one day: the core's record and the facts that it was made from.

    `hours` are the open and the close of the session; None: the market is closed.
    """

    date: date
    contract: Contract
    rates: ChargeRates
    hours: tuple[time, time] | None
    day: Day


def day_rules(
    loaded: LoadedConfig, symbol: str, named_exchange: str | None, on: date, listed: tuple[int, int] | None = None
) -> DayRules:
    """Return the rules of an instrument on a day of the session's time zone.

    `listed`: lot size and tick size (paise) that hold instead of the contract book's, unless the configuration names
    others. Raises DataError or ConfigError where book, calendar or schedule do not cover the day, saying what to set.
    """
    config = loaded.config
    known = _contract(loaded, symbol, named_exchange, on)
    if listed is not None:
        lot, tick = listed
        settings = loaded.config.instrument
        known = replace(
            known,
            lot_size=known.lot_size if settings.lot_size else lot,
            tick_size_paise=known.tick_size_paise if settings.tick_size else tick,
        )
    rates = _rates(config, known, on)
    start_ns, end_ns = day_bounds_ns(on, config.session.timezone)
    hours = session_hours(config, known.exchange, known.expiry, on)
    entry_from = entry_end = flatten = start_ns
    if hours is not None:
        session = config.session
        open_ns, close_ns = session_ns(on, hours[0], hours[1], session.timezone)
        entry_from = open_ns + max(session.start_buffer_minutes, session.no_trade_start_minutes) * MINUTE_NS
        flatten = close_ns - session.end_buffer_minutes * MINUTE_NS
        last_entry = close_ns - max(session.end_buffer_minutes, session.no_trade_end_minutes) * MINUTE_NS
        entry_end = min(last_entry + 1, flatten)  # the last moment itself is allowed, the flattening is not
    day = Day(
        start_ns,
        end_ns,
        entry_from,
        entry_end,
        flatten,
        known.lot_size,
        known.tick_size_paise,
        grid_factor(known.tick_size_paise),
        known.freeze_quantity or 0,
        core_charges(rates),
    )
    return DayRules(on, known, rates, hours, day)


def _contract(loaded: LoadedConfig, symbol: str, named_exchange: str | None, on: date) -> Contract:
    settings = loaded.config.instrument
    parsed = parse_symbol(symbol)
    in_book = parsed is not None and parsed.underlying in underlyings()
    chosen = loaded.origins["instrument.exchange"] != DEFAULT
    exchange = named_exchange or (settings.exchange if chosen or not in_book else None)
    return contract(symbol, on, lot_size=settings.lot_size, tick_size=settings.tick_size, exchange=exchange)


def _rates(config: Config, known: Contract, on: date) -> ChargeRates:
    charges = config.charges
    if charges.model == "percent":
        return percent_rates(
            commission_percent=charges.commission_percent,
            commission_per_trade=charges.commission_per_trade,
            stt_percent=charges.stt_percent,
            exchange_charges_percent=charges.exchange_charges_percent,
            gst_percent=charges.gst_percent,
        )
    return schedule_rates(on, known.exchange, charges.broker, known.underlying, known.right)


def session_hours(config: Config, exchange: str, expiry: date | None, on: date) -> tuple[time, time] | None:
    """Return open and close of a day for a contract of an exchange, or None when the market is closed.

    Raises DataError where the calendar does not cover the day.
    """
    session = config.session
    if session.source == "config":
        return time(session.start_hour, session.start_min), time(session.end_hour, session.end_min)
    hours = Calendar.load().session(exchange, on, expiry=expiry)
    return None if hours is None else (hours.open, hours.close)


def local_date(zone: str) -> Callable[[int], date]:
    """Return the function from a time in ns to its calendar date in a time zone."""
    info = ZoneInfo(zone)

    def date_of(time_ns: int) -> date:
        return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(info).date()

    return date_of
