"""What is known of sessions, as Prometheus scrapes it. Made of the views at each scrape: what is not known has no sample."""

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

import myquant
from myquant.execution.life import AT_WORK
from myquant.journal.record import Ledger
from myquant.monitor.faults import is_cut_off, is_lost
from myquant.monitor.histogram import Histogram
from myquant.monitor.loop import Monitor
from myquant.monitor.metrics_table import COUNTER, GAUGE, METRICS, Metric
from myquant.monitor.view import SessionView, passed_ns

SECOND_NS: Final = 1_000_000_000
PAISE: Final = 100
REJECTS: Final = ("rejected", "not_sent", "not_found")

Value = float | Histogram
Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class Sample(NamedTuple):
    """A value of a metric, and its labels in the metric's order."""

    name: str
    labels: tuple[str, ...]
    value: Value


class AlertCounts(NamedTuple):
    """What those who alert count."""

    firing: Mapping[str, int] = {}  # by severity
    deliveries: Mapping[tuple[str, str], int] = {}  # by channel and result
    spool: Mapping[str, int] = {}  # messages that wait, by channel
    up: Mapping[str, bool] = {}  # by channel
    pages_ends: int | None = None  # how often the process of the pages has ended by itself; None: there are no pages


class SessionCollector(Collector):
    """Collects from a monitor, when it is scraped.

    Args:
        monitor: whose views they are.
        alert_counts: returns what those who alert count.
        requests: to the monitor, by route and code.
    """

    def __init__(
        self,
        monitor: Monitor,
        alert_counts: Callable[[], AlertCounts],
        requests: Mapping[tuple[str, int], int],
        clocks: Callable[[], tuple[int, int]],
    ) -> None:
        self._monitor, self._alert_counts, self._requests, self._clocks = monitor, alert_counts, requests, clocks

    def describe(self) -> list[Family]:
        """Return the metrics without samples: nobody has to collect to know their names."""
        return [_family(metric) for metric in METRICS.values()]

    def collect(self) -> Iterator[Family]:
        """Yield each metric with its samples."""
        families = {name: _family(metric) for name, metric in METRICS.items()}
        for sample in self._samples():
            _add(families[sample.name], sample)
        yield from families.values()

    def _samples(self) -> Iterator[Sample]:
        wall_ns, mono_ns = self._clocks()
        for view in self._monitor.views.values():
            yield from session_samples(view, wall_ns, mono_ns)
        yield from self._own()

    def _own(self) -> Iterator[Sample]:
        monitor, counts = self._monitor, self._alert_counts()
        yield Sample("myquant_build_info", (myquant.__version__, platform.python_version()), 1)
        for (rule, severity), count in Counter((each.rule, each.severity) for each in monitor.findings).items():
            yield Sample("myquant_findings", (rule, severity), count)
        for severity, count in counts.firing.items():
            yield Sample("myquant_alerts_firing", (severity,), count)
        for labels, count in counts.deliveries.items():
            yield Sample("myquant_alert_deliveries_total", labels, count)
        for channel, count in counts.spool.items():
            yield Sample("myquant_alert_spool", (channel,), count)
        for channel, is_up in counts.up.items():
            yield Sample("myquant_channel_up", (channel,), is_up)
        looks = monitor.looks
        yield Sample("myquant_monitor_looks_total", (), looks.count)
        yield Sample("myquant_monitor_look_seconds", (), looks.seconds)
        yield Sample("myquant_monitor_errors_total", (), looks.errors.total())
        if counts.pages_ends is not None:
            yield Sample("myquant_pages_ends_total", (), counts.pages_ends)
        for (route, code), count in self._requests.items():
            yield Sample("myquant_monitor_requests_total", (route, str(code)), count)
        for state, count in monitor.discovery.counts.items():
            yield Sample("myquant_monitor_sessions", (state,), count)


def session_samples(view: SessionView, wall_ns: int, mono_ns: int) -> Iterator[Sample]:
    """Yield all that is known of a session: of how its process does only while there is one.

    Of one whose journal is still being read, nobody knows yet whether it lives.
    """
    name = view.name
    is_unseen = view.process is not None and view.process.is_unseen
    if is_unseen:
        view = replace(view, telemetry=None, ledger=None)
    yield Sample("myquant_session_info", (name, view.kind, view.strategy, view.config_hash, view.engine_hash), 1)
    singles, labelled = [_single(view)], [_by_label(view)]
    if not is_unseen:
        singles.append(_seen(view, wall_ns))
    if view.runs and not is_unseen:
        singles.append(_single_now(view, wall_ns, mono_ns))
        labelled.append(_by_label_now(view, wall_ns, mono_ns))
    for metric, value in chain(*singles):
        if value is not None:
            yield Sample(f"myquant_{metric}", (name,), value)
    for metric, values in chain(*labelled):
        for label, value in values.items():
            yield Sample(f"myquant_{metric}", (name, label), value)


def heartbeat_age_s(view: SessionView, wall_ns: int, mono_ns: int) -> float | None:
    """Return the age of a session's last heartbeat; None: there was none.

    The monotonic clock of a machine that was started again says nothing of earlier times: then the other one does.
    """
    if view.beat_mono_ns is None or view.beat_wall_ns is None:
        return None
    now_ns, beat_ns = (mono_ns, view.beat_mono_ns) if view.runs else (wall_ns, view.beat_wall_ns)
    return max(0, now_ns - beat_ns) / SECOND_NS


def feed_age_s(view: SessionView, mono_ns: int) -> float | None:
    """Return the time since the last packet; None: not known, or nobody listens."""
    if view.packet_mono_ns is None or not view.runs:
        return None
    return max(0, mono_ns - view.packet_mono_ns) / SECOND_NS


def journal_lag_s(view: SessionView, wall_ns: int) -> float:
    """Return for how long records have waited to be read."""
    return 0.0 if view.unread_since_ns is None else max(0, wall_ns - view.unread_since_ns) / SECOND_NS


def channel_up(view: SessionView) -> bool | None:
    """Return whether orders can be sent to the broker; None: not known, or they go to none."""
    return None if view.order_channel_up is None else not is_cut_off(view)


def _single(view: SessionView) -> Iterator[tuple[str, Value | None]]:
    """Yield what stands whether a process of it runs or not."""
    process = view.process
    yield "session_start_time_seconds", None if process is None else process.started_wall_ns / SECOND_NS
    yield "journal_free_records", view.records_left
    yield "disk_free_bytes", view.disk_free_bytes
    yield "session_starts_total", view.starts
    yield "frames_total", view.frames
    yield "inputs_total", view.inputs
    yield "trades_total", view.trades
    yield "journal_records_total", view.records
    yield "feed_delay_seconds", view.feed_delay
    yield "order_round_trip_seconds", view.round_trip
    yield "order_partial_fills_total", view.partial_fills
    yield "orders_timed_out_total", view.orders_timed_out
    if (ledger := view.ledger) is not None:
        yield "day_pnl_rupees", ledger.day_pnl / PAISE
        yield "equity_rupees", ledger.equity / PAISE
        yield "cash_rupees", ledger.cash / PAISE
        yield "drawdown_rupees", ledger.drawdown / PAISE
        yield "charges_rupees_total", ledger.charges / PAISE
    if (telemetry := view.telemetry) is not None:
        yield "gc_pauses_total", telemetry.collections
        yield "gc_pause_seconds_total", telemetry.collection_ns / SECOND_NS
        yield "books_differences_total", telemetry.differences


def _seen(view: SessionView, wall_ns: int) -> Iterator[tuple[str, Value | None]]:
    """Yield whether it lives, as the rule `engine_dead` has it: of one that died long ago, and held nothing, none is told."""
    yield "session_up", 1 if view.runs else 0 if is_lost(view, wall_ns) else None


def _single_now(view: SessionView, wall_ns: int, mono_ns: int) -> Iterator[tuple[str, Value | None]]:
    """Yield what is so only as long as a process of it runs: an alert on that ends with it."""
    yield "session_heartbeat_age_seconds", heartbeat_age_s(view, wall_ns, mono_ns)
    yield "feed_age_seconds", feed_age_s(view, mono_ns)
    yield "feed_stale", view.feed_stale
    yield "order_channel_up", channel_up(view)
    yield "journal_lag_seconds", journal_lag_s(view, wall_ns)
    yield "clock_offset_seconds", None if view.delay_min_ns is None else view.delay_min_ns / SECOND_NS
    yield "latency_drift_ratio", None if view.drift_percent is None else view.drift_percent / 100
    yield "orders_unknown", sum(order.state == "unknown" for order in view.orders.values())
    if (telemetry := view.telemetry) is not None:
        yield "gc_pause_max_seconds", telemetry.collection_max_ns / SECOND_NS
        yield "timer_late_seconds", telemetry.late_ns / SECOND_NS


def _by_label(view: SessionView) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Yield what stands whether a process of it runs or not, by a label."""
    instruments = view.instruments
    yield "tick_latency_seconds", view.latency
    yield "fill_slippage_rupees", view.slippage
    for step, by_role in view.order_steps.items():
        yield f"{step}_seconds", by_role
    for against, totals in view.slippage_paise.items():
        yield f"slippage_{against}_rupees", {side: paise / PAISE for side, paise in totals.items()}
    yield "ticks_total", {each.symbol: each.ticks for each in instruments}
    yield "ticks_rejected_total", view.ticks_rejected
    yield "packets_unused_total", view.ticks_unused
    yield "entries_denied_total", view.denied
    yield "order_rejects_total", {reason: view.order_ends[reason] for reason in REJECTS}
    yield "commands_total", view.commands
    yield "orders", _orders(view)
    yield "orders_total", view.order_ends
    yield "position_quantity", {each.symbol: each.quantity for each in instruments}
    yield "log_lines_total", view.log_lines
    if (process := view.process) is not None:
        yield "process_cpu_seconds_total", process.cpu_s
    if (telemetry := view.telemetry) is not None:
        dropped = {"log": telemetry.log_lost, "rows": telemetry.rows_lost}
        yield (
            "queue_dropped_total",
            dropped | ({"handoff": telemetry.queue_dropped} if telemetry.queue_room > 0 else {}),
        )


def _by_label_now(view: SessionView, wall_ns: int, mono_ns: int) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Yield what is so only as long as a process of it runs, by a label."""
    healthy = sum(view.connections.values())
    yield "feed_connections", {"healthy": healthy, "stale": len(view.connections) - healthy}
    yield (
        "position_unprotected_seconds",
        {
            each.symbol: passed_ns(each.bare_since_ns, each.bare_since_mono_ns, wall_ns, mono_ns) / SECOND_NS
            for each in view.instruments
            if each.bare_since_ns is not None
        },
    )
    yield "halted", {view.halt: 1} if view.halt else {}
    yield "limit_used_ratio", limits_used(view)
    if (process := view.process) is not None:
        yield "process_resident_memory_bytes", process.rss_bytes
    if (telemetry := view.telemetry) is not None and telemetry.queue_room > 0:
        yield "queue_depth", {"handoff": telemetry.queue_depth}
        yield "queue_capacity", {"handoff": telemetry.queue_room}


def _orders(view: SessionView) -> dict[str, Value]:
    states = Counter(order.state for order in view.orders.values())
    return {state: states[state] for state in sorted(AT_WORK)}


def limits_used(view: SessionView) -> dict[str, Value]:
    """Return the share of each limit that is used, of those that are set."""
    ledger, risk = view.ledger, view.config.config.risk
    if ledger is None:
        return {}
    exposure = float(risk.max_exposure_percent) / 100 * ledger.equity
    used = {
        "day_loss": (max(0, -ledger.day_pnl), float(risk.max_day_loss) * PAISE),
        "positions": (ledger.entries_today, risk.max_positions_per_day),
        "orders_per_day": (ledger.orders_today, risk.max_orders_per_day),
        "exposure": (_open_value(view, ledger), exposure),
    }
    return {name: part / whole for name, (part, whole) in used.items() if whole > 0}


def _open_value(view: SessionView, ledger: Ledger) -> int:
    """Return what is held at its last prices, paise: now, as `position_quantity`, and not at the ledger's second."""
    values = [each.quantity * each.last_price for each in view.instruments if each.last_price is not None]
    return (
        sum(values)
        if all(each.last_price is not None or not each.quantity for each in view.instruments)
        else ledger.open_value
    )


def _family(metric: Metric) -> Family:
    if metric.kind == GAUGE:
        return GaugeMetricFamily(metric.name, metric.text, labels=metric.labels)
    if metric.kind == COUNTER:
        return CounterMetricFamily(metric.name, metric.text, labels=metric.labels)
    return HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)


def _add(family: Family, sample: Sample) -> None:
    value = sample.value
    if isinstance(family, HistogramMetricFamily):
        if isinstance(value, Histogram):
            family.add_metric(sample.labels, _buckets(value), value.total)
    elif not isinstance(value, Histogram):
        family.add_metric(sample.labels, value)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return the buckets as they are scraped: each with all that is below it."""
    found: list[tuple[str, float]] = []
    so_far = 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        so_far += count
        found.append((bound, so_far))
    return found
