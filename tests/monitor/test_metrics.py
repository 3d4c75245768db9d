"""Metrics: named as Prometheus wants it, none of what is not known, and all of them in the manual."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from monitor.watched import view_of
from myquant.journal.record import Ledger, Telemetry
from myquant.monitor.histogram import LATENCY_S, Histogram
from myquant.monitor.metrics import Family, _add, _buckets, _family, channel_up, limits_used, session_samples
from myquant.monitor.metrics_table import COUNTER, METRICS, SESSION_METRICS
from myquant.monitor.view import InstrumentView, OrderView, ProcessView, SessionView

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"
NOW_NS, MONO_NS = 10**18, 10**12
DAY_NS = 86_400 * 10**9
UNITS = ("_seconds", "_bytes", "_rupees", "_total", "_ratio", "_info")
PLAIN = {  # counts of things, that have no unit
    "myquant_session_up", "myquant_feed_stale", "myquant_feed_connections", "myquant_queue_depth", "myquant_queue_capacity",
    "myquant_orders", "myquant_order_channel_up", "myquant_position_quantity", "myquant_halted", "myquant_orders_unknown",
    "myquant_journal_free_records", "myquant_findings", "myquant_alerts_firing", "myquant_alert_spool", "myquant_channel_up",
    "myquant_monitor_sessions",
}  # fmt: skip


def full_view(folder: Path) -> SessionView:
    """Return a view in which everything is known."""
    view = view_of(folder, {"risk.max_day_loss": 1000, "risk.max_orders_per_day": 50})
    view.process = ProcessView(7, NOW_NS - 10**10, cpu_s={"session": 1.5}, rss_bytes={"session": 7})
    view.starts, view.beat_wall_ns, view.beat_mono_ns = 1, NOW_NS - 10**9, MONO_NS - 10**9
    view.packet_mono_ns, view.records_left, view.disk_free_bytes = MONO_NS - 5 * 10**8, 100, 10**9
    view.telemetry = Telemetry._make([10**6, 2 * 10**6, 3, 4 * 10**6, 10**6, 5, 100, 1, 2, 3, 0, 0, 0, 4, 0, 0])
    view.ledger = Ledger._make([10**7, 10**7, -50_000, 0, 700, 0, 2, 1, 10, 25, 0, 0, -1, 0, 0, 0])
    view.instruments = [InstrumentView("NIFTY", ticks=9, quantity=75, bare_since_ns=NOW_NS - 2 * 10**9)]
    view.orders = {1: OrderView(1, 0, True, 75, 10_000, 0, "", state="unknown")}
    view.connections, view.halt, view.drift_percent, view.order_channel_up = {1: True, 2: False}, "margin", 12.0, True
    for counter in (
        view.ticks_unused,
        view.ticks_rejected,
        view.commands,
        view.denied,
        view.order_ends,
        view.log_lines,
    ):
        counter["x"] += 1
    view.delay_min_ns = 10**7
    view.feed_delay, view.round_trip = Histogram((0.1,)), Histogram((0.1,))
    view.order_steps = {name: {"entry": Histogram((0.1,))} for name in ("order_send", "order_ack", "order_fill")}
    view.slippage_paise = {name: {"entry": 1250} for name in ("decision", "quote", "shadow")}
    view.latency, view.slippage = {"total": Histogram(LATENCY_S)}, {"entry": Histogram((-1.0, 1.0))}
    return view


def scraped_of(view: SessionView) -> str:
    """Return what is scraped of a session."""

    class Views(Collector):
        def collect(self) -> Iterator[Family]:
            families = {name: _family(metric) for name, metric in METRICS.items()}
            for sample in session_samples(view, NOW_NS, MONO_NS):
                _add(families[sample.name], sample)
            yield from families.values()

    registry = CollectorRegistry()
    registry.register(Views())
    lines = generate_latest(registry).decode().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


def test_each_metric_has_a_sample_where_all_is_known_with_its_labels(tmp_path: Path) -> None:
    samples = list(session_samples(full_view(tmp_path), NOW_NS, MONO_NS))
    assert {each.name for each in samples} == {metric.name for metric in SESSION_METRICS}
    assert all(len(each.labels) == len(METRICS[each.name].labels) for each in samples)
    assert max(Counter((each.name, each.labels) for each in samples).values()) == 1


def test_values_are_in_their_units(tmp_path: Path) -> None:
    found = {
        (each.name, *each.labels[1:]): each.value for each in session_samples(full_view(tmp_path), NOW_NS, MONO_NS)
    }
    assert found["myquant_session_heartbeat_age_seconds",] == 1.0
    assert found["myquant_feed_age_seconds",] == 0.5
    assert found["myquant_day_pnl_rupees",] == -500.0
    assert found["myquant_gc_pause_seconds_total",] == 0.004
    assert found["myquant_position_unprotected_seconds", "NIFTY"] == 2.0
    assert found["myquant_limit_used_ratio", "day_loss"] == 0.5
    assert found["myquant_limit_used_ratio", "orders_per_day"] == 0.5
    assert found["myquant_clock_offset_seconds",] == 0.01
    assert found["myquant_slippage_quote_rupees", "entry"] == 12.5
    assert found["myquant_queue_dropped_total", "handoff"] == 1
    assert found["myquant_orders", "unknown"] == found["myquant_orders_unknown",] == 1


def test_what_is_not_known_has_no_sample(tmp_path: Path) -> None:
    names = {each.name for each in session_samples(view_of(tmp_path), NOW_NS, MONO_NS)}
    unknown = (
        "session_up",
        "heartbeat_age",
        "feed_age",
        "day_pnl",
        "gc_",
        "queue_",
        "clock_offset",
        "channel",
        "disk",
        "latency",
    )
    assert [name for name in names if any(part in name for part in unknown)] == []
    assert limits_used(view_of(tmp_path)) == {}


@pytest.mark.parametrize(("alive", "code"), [(False, None), (False, 0), (False, 4)])
def test_what_only_a_process_has_is_gone_with_it(tmp_path: Path, *, alive: bool, code: int | None) -> None:
    """Else an alert on it goes on for a day, of a session that nobody can mend."""
    view = full_view(tmp_path)
    assert view.process is not None
    view.process.is_alive, view.stopped_code = alive, code
    names = {each.name.removeprefix("myquant_") for each in session_samples(view, NOW_NS, MONO_NS)}
    assert {metric.name.removeprefix("myquant_") for metric in SESSION_METRICS} - names == {
        "session_heartbeat_age_seconds", "feed_age_seconds", "feed_stale", "feed_connections", "order_channel_up",
        "journal_lag_seconds", "clock_offset_seconds", "latency_drift_ratio", "orders_unknown", "gc_pause_max_seconds",
        "timer_late_seconds", "position_unprotected_seconds", "halted", "limit_used_ratio", "queue_depth", "queue_capacity",
        "process_resident_memory_bytes", *({"session_up"} if code is not None else ()),
    }  # fmt: skip


def test_position_and_exposure_are_of_one_moment(tmp_path: Path) -> None:
    """The ledger is up to a second old: what was bought or sold since is in the quantity only."""
    view = full_view(tmp_path)
    (held,) = view.instruments
    for held.quantity, held.last_price, exposure in ((75, 10_000, 0.375), (0, 10_000, 0.0), (75, None, 0.35)):
        assert view.ledger is not None
        view.ledger = view.ledger._replace(equity=10**7, open_value=700_000)
        percent = float(view.config.config.risk.max_exposure_percent)
        assert limits_used(view)["exposure"] == pytest.approx(exposure * 20 / percent)


def test_a_session_that_left_in_order_is_not_down(tmp_path: Path) -> None:
    view = full_view(tmp_path)
    assert view.process is not None
    found = []
    for alive, code in ((True, None), (False, None), (False, 0)):
        view.process.is_alive, view.stopped_code = alive, code
        found.append(
            [each.value for each in session_samples(view, NOW_NS, MONO_NS) if each.name == "myquant_session_up"]
        )
    assert found == [[1], [0], []]


def test_one_that_died_on_another_day_is_down_only_while_it_holds_something(tmp_path: Path) -> None:
    """As the monitor's own rule has it."""
    view = full_view(tmp_path)
    assert view.process is not None
    view.process.is_alive, view.process.started_wall_ns = False, NOW_NS - 4 * DAY_NS
    view.beat_wall_ns = view.process.died_wall_ns = NOW_NS - 3 * DAY_NS
    found = []
    for quantity, ended_code in ((0, None), (75, None), (75, 4)):
        view.instruments[0].quantity, view.ended_code = quantity, ended_code
        found.append(
            [each.value for each in session_samples(view, NOW_NS, MONO_NS) if each.name == "myquant_session_up"]
        )
    assert found == [[], [0], []]


def test_while_nobody_knows_whether_its_process_lives_nothing_is_told_as_of_now(tmp_path: Path) -> None:
    """Its journal is being read: it may have died long ago."""
    view = full_view(tmp_path)
    assert view.process is not None
    view.process.is_unseen = True
    names = {each.name for each in session_samples(view, NOW_NS, MONO_NS)}
    now = ("session_up", "heartbeat", "feed_age", "order_channel", "unprotected", "halted", "differences", "day_pnl")
    assert [name for name in names if any(part in name for part in now)] == []


def test_whether_orders_can_be_sent_is_of_the_present_process(tmp_path: Path) -> None:
    view = full_view(tmp_path)
    assert view.telemetry is not None
    view.order_channel_up, up = False, view.telemetry._replace(channel_down_ns=0)
    found = []
    for view.telemetry in (up, up._replace(channel_down_ns=1), None):
        found.append(channel_up(view))
    assert found == [True, False, False]


def test_names_and_units_are_as_prometheus_wants_them() -> None:
    for metric in METRICS.values():
        assert re.fullmatch(r"myquant(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == COUNTER)
        assert metric.name.endswith(UNITS) or metric.name in PLAIN
        unit = next((unit for unit in ("seconds", "bytes", "rupees") if unit in metric.name), "")
        assert unit in metric.text


def test_buckets_are_counted_from_below() -> None:
    histogram = Histogram((0.1, 1.0))
    histogram.add_all(np.array([0.05, 0.1, 0.5, 7.0]))
    assert _buckets(histogram) == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]


def test_the_manual_lists_every_metric_and_no_other() -> None:
    rows = re.findall(
        r"^\| `(myquant_\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    listed = {name: (kind, tuple(re.findall(r"\w+", labels)), text) for name, kind, labels, text in rows}
    assert listed == {name: (each.kind, each.labels, each.text) for name, each in METRICS.items()}
