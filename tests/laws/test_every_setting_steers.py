"""Law: no dead settings. Changing any key of `defaults.toml` changes what it claims to steer."""

import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import pytest

from dashboard.doors import HASH, PASSWORD
from laws import delivered, judged, logged, measured, ordered, paging, probes, watching, wired
from laws.probes import (
    after,
    brokerage,
    contract,
    denied,
    error,
    examples,
    exits,
    files,
    gate,
    halt_after_rejects,
    halt_of_a_stale_feed,
    marks,
    off_grid,
    paid,
    sizes,
    state_after_silence,
    still_open,
    trades,
)
from myquant.config.loading import DEFAULTS, load_config

signal, green, warm_up, hours = gate("signal"), gate("green"), gate("warm_up"), gate("outside_hours")

MACD = {"strategy.use_macd": True}
RSI = {"strategy.use_rsi_filter": True}
HTF = {"strategy.use_htf_trend": True}
BANDS = {"strategy.use_bollinger_bands": True}
STOCHASTIC = {"strategy.use_stochastic": True}
NOISE = {"strategy.noise_filter_enabled": True}
BY_PERCENT = {"risk.stop_loss_mode": "percent"}
BY_ATR = {"risk.stop_loss_mode": "atr", "risk.use_trail_stop": False}
EAGER = {"strategy.use_ema_crossover": False, "strategy.consecutive_green_bars": 0}
PERCENT = {"charges.model": "percent"}
LIMIT = {"execution.fill_model": "limit", "execution.order_timeout_s": 60}
LASTING = {**LIMIT, "execution.order_life_s": 40}
LATE = {"session.end_hour": 23}
UNPROTECTED = {**LIMIT, "execution.protective_stop": False}
TRAILS = {**LIMIT, "risk.tp_points": [50], "risk.tp_percents": [1], "risk.use_trail_stop": True}
# What happens, for `after`: a position is bought, and then.
BUYS = ("00 tick 100", "01 tick 100.05", "01 fill #1 300 at 100.05")
FALLS = (*BUYS, "03 tick 85", "03 ack #2", "04.5 tick 84")
RISES = (*BUYS, "01 ack #2", "03 tick 107")
REFUSED = (*BUYS, "03 tick 85", "03 reject #2", "05 tick 84")
NO_STOP = (*BUYS, "02 reject #2", "08 timer")


class Row(NamedTuple):
    """Another value than the default, where its effect shows, and what brings the setting into play."""

    value: Any
    shows: Callable[[Mapping[str, Any]], Any]
    base: Mapping[str, Any] = {}


TABLE: Final[dict[str, Row]] = {
    "strategy.use_ema_crossover": Row(False, signal),
    "strategy.use_macd": Row(True, signal),
    "strategy.use_vwap": Row(True, signal),
    "strategy.use_rsi_filter": Row(True, signal),
    "strategy.use_htf_trend": Row(True, signal),
    "strategy.use_bollinger_bands": Row(True, signal),
    "strategy.use_stochastic": Row(True, signal),
    "strategy.fast_ema": Row(5, signal),
    "strategy.slow_ema": Row(100, signal),
    "strategy.macd_fast": Row(3, signal, MACD),
    "strategy.macd_slow": Row(60, trades, MACD),
    "strategy.macd_signal": Row(30, signal, MACD),
    "strategy.rsi_length": Row(5, signal, RSI),
    "strategy.rsi_overbought": Row(60, signal, RSI),
    "strategy.rsi_oversold": Row(60, signal, RSI),
    "strategy.htf_period": Row(200, signal, HTF),
    "strategy.bollinger_period": Row(60, signal, BANDS),
    "strategy.bollinger_std": Row(1, signal, BANDS),
    "strategy.stochastic_k": Row(60, signal, STOCHASTIC),
    "strategy.stochastic_d": Row(20, signal, STOCHASTIC),
    "strategy.atr_len": Row(200, trades, BY_ATR),
    "strategy.consecutive_green_bars": Row(5, green),
    "strategy.min_warmup_ticks": Row(500, warm_up),
    "strategy.control_base_sl": Row(False, green),
    "strategy.control_base_sl_green_ticks": Row(7, green),
    "strategy.noise_filter_enabled": Row(True, green),
    "strategy.noise_filter_percentage": Row(Decimal("0.01"), green, NOISE),
    "strategy.noise_filter_min_ticks": Row(30, green, NOISE),
    "strategy.reset_daily": Row(True, warm_up),
    "risk.max_positions_per_day": Row(2, gate("max_positions")),
    "risk.max_position_value_percent": Row(5, sizes),
    "risk.stop_loss_mode": Row("percent", trades, {"risk.use_trail_stop": False}),
    "risk.base_sl_points": Row(4, exits),
    "risk.stop_loss_percent": Row(2, exits, BY_PERCENT),
    "risk.atr_multiple": Row(10, exits, BY_ATR),
    "risk.tp_points": Row((Decimal(2), Decimal(4), Decimal(6), Decimal(8)), exits),
    "risk.tp_percents": Row(tuple(map(Decimal, ("0.1", "0.2", "0.3", "0.4"))), trades),
    "risk.use_trail_stop": Row(False, exits),
    "risk.trail_activation_points": Row(2, exits),
    "risk.trail_distance_points": Row(2, exits),
    "risk.slippage_points": Row(Decimal("0.5"), trades),
    "risk.max_day_loss": Row(2000, denied("day_loss")),
    "risk.max_exposure_percent": Row(35, denied("exposure")),
    "risk.max_orders_per_second": Row(1, denied("order_rate"), EAGER),
    "risk.max_orders_per_day": Row(10, denied("order_rate")),
    "risk.max_rejects": Row(1, halt_after_rejects),
    "execution.fill_model": Row("quote", trades),
    "execution.close_at_end": Row(True, still_open, LATE),
    "execution.order_timeout_s": Row(60, state_after_silence),
    "execution.on_stop": Row("flatten", wired.left_open),
    "execution.latency_ms": Row(20_000, trades, LASTING),
    "execution.latency_jitter_ms": Row(2000, trades, {**LASTING, "execution.latency_ms": 9000}),
    "execution.protection_percent": Row(0, trades, {**LASTING, "execution.protection_ticks": 1}),
    "execution.protection_ticks": Row(1, trades, {**LASTING, "execution.protection_percent": 0}),
    "execution.participation_percent": Row(100, trades, LIMIT),
    "execution.order_life_s": Row(40, trades, LIMIT),
    "execution.reprice_s": Row(3, after(FALLS), UNPROTECTED),
    "execution.protective_stop": Row(False, after(BUYS), LIMIT),
    "execution.stop_follow_s": Row(10, after(RISES), TRAILS),
    "execution.exit_retry_s": Row(3, after(REFUSED), UNPROTECTED),
    "execution.unprotected_max_s": Row(5, after(NO_STOP), {**LIMIT, "risk.max_rejects": 100}),
    "broker.reconcile_s": Row(10, ordered.looked_s),
    "broker.settle_s": Row(10, ordered.told_s("foreign_trade")),
    "broker.channel_max_s": Row(3, ordered.told_s("order_channel_lost")),
    "broker.min_funds": Row(200_000, ordered.told_s("margin")),
    "broker.shadow": Row(False, ordered.shadow),
    "feed.mode": Row("quote", wired.subscriptions),
    "feed.stall_s": Row(10, wired.silence_ns),
    "feed.halt_after_s": Row(5, halt_of_a_stale_feed),
    "feed.reconnect_max_s": Row(1, wired.longest_pause_s),
    "feed.max_clock_jump_s": Row(5, wired.ticks),
    "journal.durability": Row("power", wired.syncs),
    "journal.segment_mib": Row(2, wired.segment_bytes, {"journal.segment_mib": 1}),
    "journal.snapshot_interval_s": Row(10, wired.snapshots),
    "pipeline.handoff": Row("queue", wired.read_by),
    "pipeline.logging": Row("async", wired.waits),
    "pipeline.results": Row("buffered", wired.files),
    "pipeline.frames": Row("append", wired.frame),
    "pipeline.frame_every": Row(2, wired.frame, {"pipeline.frames": "batch"}),
    "pipeline.tick_line_every": Row(2, wired.tick_lines),
    "evidence.logging_percent": Row(5, measured.verdicts),
    "evidence.csv_write_percent": Row(10, measured.verdicts),
    "evidence.queue_ops_percent": Row(5, measured.verdicts),
    "evidence.dataframe_ops_percent": Row(5, measured.verdicts),
    "evidence.gc_spikes_percent": Row(90, measured.verdicts),
    "evidence.min_ticks": Row(5_000, measured.verdicts),
    "evidence.target_ms": Row(Decimal("0.001"), measured.targets),
    "evidence.target_tps": Row(10**9, measured.targets),
    "evidence.pairs": Row(20, measured.pairs),
    "evidence.pair_ticks": Row(100, measured.pairs),
    "angelone.rest_url": Row("https://other.example", wired.addresses),
    "angelone.stream_url": Row("wss://other.example", wired.addresses),
    "angelone.master_url": Row("https://other.example/master.json", wired.addresses),
    "angelone.update_url": Row("wss://other.example", ordered.dialled),
    "angelone.product": Row("CARRYFORWARD", ordered.placed),
    "angelone.public_ip": Row("203.0.113.7", ordered.placed),
    "angelone.local_ip": Row("192.0.2.7", ordered.placed),
    "angelone.mac": Row("02:00:00:00:00:07", ordered.placed),
    "capital.initial_capital": Row(2_000_000, sizes),
    "session.source": Row("calendar", hours, {"session.source": "config"}),
    "session.start_hour": Row(11, hours),
    "session.start_min": Row(45, hours),
    "session.end_hour": Row(14, hours),
    "session.end_min": Row(0, hours),
    "session.start_buffer_minutes": Row(60, hours),
    "session.end_buffer_minutes": Row(90, hours),
    "session.no_trade_start_minutes": Row(60, hours),
    "session.no_trade_end_minutes": Row(90, hours),
    "session.timezone": Row("UTC", hours),
    "instrument.symbol": Row("BANKNIFTY", contract),
    "instrument.exchange": Row("BFO", error),
    "instrument.lot_size": Row(50, sizes, {"instrument.lot_size": 0}),
    "instrument.tick_size": Row(Decimal("0.10"), off_grid, {"instrument.tick_size": 0}),
    "charges.model": Row("percent", paid),
    "charges.broker": Row("upstox", brokerage),
    "charges.commission_percent": Row(1, paid, PERCENT),
    "charges.commission_per_trade": Row(500, paid, PERCENT),
    "charges.stt_percent": Row(1, paid, PERCENT),
    "charges.exchange_charges_percent": Row(1, paid, PERCENT),
    "charges.gst_percent": Row(28, paid, PERCENT),
    "data_quality.strict": Row(True, error),
    "data_quality.rejected_examples": Row(1, examples),
    "results.directory": Row("elsewhere", files),
    "results.mark_interval_s": Row(600, marks),
    "results.max_marks": Row(100, marks),
    "results.report": Row(False, files),
    "results.excel": Row(True, files),
    "logs.file_mib": Row(1, logged.files),
    "logs.total_mib": Row(2, logged.files, {"logs.file_mib": 1}),
    "logs.daily": Row(False, logged.files),
    "logs.adaptive": Row(False, logged.watched_at_work),
    "logs.raise_s": Row(7, logged.raised_s, {"logs.errors_per_minute": 3}),
    "logs.errors_per_minute": Row(3, logged.raised_s),
    "logs.volatility_percent": Row(2, logged.raised_s, {"logs.volatility_percent": 100}),
    "logs.queue_percent": Row(70, logged.raised_s),
    "logs.tick_line_every": Row(3, logged.raised_lines),
    "logs.export_url": Row("http://127.0.0.1:4318/v1/logs", logged.exported_to),
    "monitor.host": Row("127.0.0.2", watching.listens),
    "monitor.port": Row(0, watching.listens),
    "monitor.open_probes": Row(False, watching.probe_of_a_stranger),
    "monitor.look_s": Row(Decimal("0.5"), watching.pause),
    "monitor.silence_s": Row(5, judged.found("silent")),
    "monitor.feed_age_s": Row(8, judged.silent_feed),
    "monitor.feed_stale_s": Row(7, judged.found("stale")),
    "monitor.order_channel_s": Row(7, judged.found("cut_off")),
    "monitor.bare_s": Row(7, judged.found("bare")),
    "monitor.unknown_s": Row(15, judged.found("unanswered")),
    "monitor.rejects": Row(3, judged.found("refused")),
    "monitor.day_loss_percents": Row((Decimal(40),), judged.found("loses"), {"risk.max_day_loss": 1000}),
    "monitor.queue_percent": Row(90, judged.found("fills_up")),
    "monitor.clock_offset_s": Row(4, judged.found("off_the_clock")),
    "monitor.journal_lag_s": Row(7, judged.found("behind")),
    "monitor.disk_free_mib": Row(900, judged.found("short_of_disk")),
    "monitor.drift": Row(False, judged.found("slower")),
    "monitor.replay": Row(False, judged.found("differs")),
    "monitor.expect": Row(("tue*",), judged.missing, {"monitor.expect_by": "10:00"}),
    "monitor.expect_by": Row("11:00", judged.missing, {"monitor.expect": ("tue*",)}),
    "monitor.heartbeat_s": Row(Decimal("0.01"), delivered.beats),
    "alerts.info": Row(("mail",), judged.told),
    "alerts.warning": Row(("mail",), judged.told),
    "alerts.critical": Row(("mail",), judged.told),
    "alerts.off": Row(("engine_dead",), judged.told),
    "alerts.entries": Row(False, judged.told_of("entry")),
    "alerts.exits": Row(False, judged.told_of("exit")),
    "alerts.days": Row(False, judged.told_of("day_end")),
    "alerts.group_s": Row(20, judged.told),
    "alerts.repeat_s": Row(600, judged.told),
    "alerts.per_hour": Row(5, judged.told),
    "alerts.quiet_from": Row("12:20", judged.told, {"alerts.quiet_from": "11:00", "alerts.quiet_to": "12:30"}),
    "alerts.quiet_to": Row("12:20", judged.told, {"alerts.quiet_from": "11:00", "alerts.quiet_to": "12:30"}),
    "alerts.quiet_below": Row("info", judged.told, {"alerts.quiet_from": "11:00", "alerts.quiet_to": "12:30"}),
    "alerts.attempt_s": Row(Decimal("0.1"), delivered.attempt, {"alerts.attempt_s": Decimal("0.2")}),
    "alerts.retry_s": Row(10, delivered.waits),
    "alerts.retry_max_s": Row(600, delivered.waits),
    "alerts.give_up_s": Row(3600, delivered.given_up),
    "alerts.down_after": Row(1, delivered.failures_until_down),
    "dashboard.enabled": Row(False, paging.begun),
    "dashboard.host": Row("127.0.0.2", paging.served_at, {"dashboard.port": 0}),
    "dashboard.port": Row(0, paging.served_at),
    "dashboard.names": Row(("desk.example.com",), paging.named),
    "dashboard.password_hash": Row(HASH, paging.entered_by(PASSWORD)),
    "dashboard.viewer_password_hash": Row(HASH, paging.entered_by(PASSWORD)),
    "dashboard.controls": Row(True, paging.asked_of_a_session),
    "dashboard.login_hours": Row(1, paging.login_hours),
    "dashboard.tls_certificate": Row("no/such.pem", paging.opened),
    "dashboard.tls_key": Row("no/such.pem", paging.opened),
    "dashboard.update_s": Row(Decimal(1), paging.looks_s),
    "dashboard.verdicts": Row(False, paging.makes_verdicts),
}

# What a change must do beyond being seen: these only ever grow.
GROWING = {
    name
    for name, row in TABLE.items()
    if row.shows in (warm_up, hours) or row.shows.__qualname__ == "denied.<locals>.probe"
}


def test_the_table_has_every_key_of_the_defaults_and_no_other() -> None:
    sections = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    assert set(TABLE) == {f"{section}.{key}" for section, keys in sections.items() for key in keys}


@pytest.mark.parametrize("name", TABLE)
def test_the_setting_steers(name: str) -> None:
    row = TABLE[name]
    assert row.value != {**load_config().values, **row.base}[name]
    before, after = row.shows(row.base), row.shows({**row.base, name: row.value})
    assert before != after
    if name in GROWING:
        assert after > before


def test_settings_that_are_switched_off_show_nothing() -> None:
    """The probes see what is steered and no more: a parameter of a signal that is off changes no trade."""
    off = (
        "macd_fast",
        "rsi_length",
        "htf_period",
        "bollinger_std",
        "stochastic_k",
        "atr_len",
        "noise_filter_min_ticks",
    )
    changed = {f"strategy.{key}": TABLE[f"strategy.{key}"].value for key in off}
    assert trades(changed) == trades({})
    assert probes.error({}) is None
