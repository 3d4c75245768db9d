"""An exposition of the monitor's metrics as Prometheus reads it, made by hand: every series once, a busy session called `s`."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SYMBOL: Final = "NIFTY07OCT2524900CE"

# By kind: the names, with the labels besides `session` and a value for each. `~`: not of a session.
GAUGES: Final = """
myquant_session_up myquant_session_start_time_seconds myquant_session_heartbeat_age_seconds
myquant_session_info{kind=paper,strategy=default,config_hash=1a,engine_hash=2b} ~myquant_build_info{version=0,python=3.11}
myquant_feed_age_seconds myquant_feed_stale myquant_feed_connections{state=healthy}
myquant_queue_depth{queue=handoff} myquant_queue_capacity{queue=handoff} myquant_orders{state=working}
myquant_order_channel_up myquant_position_quantity{instrument=SYMBOL}
myquant_position_unprotected_seconds{instrument=SYMBOL} myquant_halted{reason=journal}
myquant_day_pnl_rupees myquant_equity_rupees myquant_cash_rupees myquant_drawdown_rupees
myquant_limit_used_ratio{limit=day_loss} myquant_gc_pause_max_seconds myquant_timer_late_seconds
myquant_process_resident_memory_bytes{component=session} myquant_journal_lag_seconds myquant_journal_free_records
myquant_disk_free_bytes myquant_clock_offset_seconds myquant_latency_drift_ratio myquant_orders_unknown
myquant_slippage_decision_rupees{side=entry} myquant_slippage_quote_rupees{side=entry} myquant_slippage_shadow_rupees{side=entry}
~myquant_findings{rule=log_errors,severity=warning} ~myquant_alerts_firing{severity=warning}
~myquant_alert_spool{channel=mail} ~myquant_channel_up{channel=mail} ~myquant_monitor_sessions{state=running}
"""
COUNTERS: Final = """
myquant_session_starts_total myquant_ticks_total{instrument=SYMBOL} myquant_ticks_rejected_total{reason=time_backwards}
myquant_packets_unused_total{reason=duplicate} myquant_frames_total myquant_inputs_total
myquant_commands_total{kind=submit} myquant_entries_denied_total{reason=cash} myquant_queue_dropped_total{queue=handoff}
myquant_orders_total{result=filled} myquant_order_rejects_total{reason=rejected} myquant_charges_rupees_total
myquant_trades_total myquant_gc_pauses_total myquant_gc_pause_seconds_total
myquant_process_cpu_seconds_total{component=session} myquant_journal_records_total myquant_log_lines_total{level=error}
myquant_books_differences_total myquant_order_partial_fills_total myquant_orders_timed_out_total
~myquant_alert_deliveries_total{channel=mail,result=delivered}
~myquant_monitor_looks_total ~myquant_monitor_errors_total ~myquant_monitor_requests_total{route=metrics,code=200}
~myquant_pages_ends_total
"""
HISTOGRAMS: Final = """
myquant_tick_latency_seconds{stage=total} myquant_feed_delay_seconds myquant_order_round_trip_seconds
myquant_fill_slippage_rupees{side=entry} ~myquant_monitor_look_seconds myquant_order_send_seconds{role=entry}
myquant_order_ack_seconds{role=entry} myquant_order_fill_seconds{role=entry}
"""
_SERIES: Final = re.compile(r"(~?)(myquant_\w+)(?:\{(.*?)\})?")
_RISING: Final = ("_ticks_total", "_looks_total", "_frames_total", "_inputs_total", "_records_total")
_WELL: Final = {
    "myquant_session_up": 1.0,
    "myquant_queue_capacity": 100.0,
    "myquant_disk_free_bytes": 1e12,
    "myquant_channel_up": 1.0,
    "myquant_order_channel_up": 1.0,
    "myquant_findings": 1.0,
    "myquant_position_quantity": 75.0,
    "myquant_session_info": 1.0,
    "myquant_build_info": 1.0,
}


def _listed(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for of_none, name, labels in _SERIES.findall(text):
        found = {} if of_none else {"session": "s"}
        pairs = (pair.split("=") for pair in labels.split(",") if pair)
        yield name, found | {key: value.replace("SYMBOL", SYMBOL) for key, value in pairs}


def metric_labels() -> dict[str, list[str]]:
    """Return the names of every metric's labels by its name; a counter's with `_total`, a histogram's without a suffix."""
    return {name: list(labels) for text in (GAUGES, COUNTERS, HISTOGRAMS) for name, labels in _listed(text)}


class Exposition(Collector):
    """All is well with the session, and it is busy: what counts ticks and looks rises with each scrape.

    Attributes:
        changed: values of gauges by name, in place of those of a session that does well.
    """

    def __init__(self) -> None:
        self.changed: dict[str, float] = {}
        self.scrapes = 0

    def text(self) -> bytes:
        """Return the next scrape."""
        self.scrapes += 1
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        values: Mapping[str, float] = {**_WELL, **self.changed}
        for name, labels in _listed(GAUGES):
            gauge = GaugeMetricFamily(name, name, labels=list(labels))
            gauge.add_metric(list(labels.values()), values.get(name, 0.0))
            yield gauge
        for name, labels in _listed(COUNTERS):
            counter = CounterMetricFamily(name, name, labels=list(labels))
            counter.add_metric(list(labels.values()), 10.0 * self.scrapes if name.endswith(_RISING) else 3.0)
            yield counter
        for name, labels in _listed(HISTOGRAMS):
            histogram = HistogramMetricFamily(name, name, labels=list(labels))
            n = 10.0 * self.scrapes
            first = "-0.05" if "slippage" in name else "1e-05"  # below 0 there is neither a sum nor a count
            histogram.add_metric(list(labels.values()), [(first, n / 2), ("0.001", n), ("+Inf", n)], sum_value=n * 1e-5)
            yield histogram
