"""From the ticks of a run to its report: shares, latencies, delays, collections, and a row for each tick."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evidence.baselines import CALIBRATION, make_breakdown, make_facts, make_report, plain_config
from myquant.errors import DataError
from myquant.evidence.build import build_report
from myquant.evidence.facts import ExchangeClock, commit_of, this_machine
from myquant.evidence.figures import mean_figure
from myquant.evidence.plan import BaselineResult
from myquant.evidence.report import load
from myquant.evidence.write import write_baseline
from myquant.measure.calibration import FREE
from myquant.measure.names import NAMES

SHARES = {"logging": 30.0, "journal": 10.0, "ingest": 20.0}


def test_the_shares_are_those_that_went_in() -> None:
    breakdown = make_breakdown(SHARES, ticks=20_000, every=2)
    report = build_report(breakdown, make_facts())
    own = breakdown.self_ns[breakdown.is_sampled]
    for place, name in enumerate(NAMES):
        share = report.component_breakdown[name].percent_of_total
        assert share is not None
        assert share.value == pytest.approx(100 * own[:, place].sum() / own.sum())
        assert share.n == 10_000
    logging = report.component_breakdown["logging"]
    assert logging.percent_of_total is not None
    assert logging.raw_percent_of_total is not None
    assert logging.percent_of_total.low < 30 < logging.percent_of_total.high
    assert logging.raw_percent_of_total.value < logging.percent_of_total.value  # the instrument's cost is in the whole
    assert logging.call_count == logging.ticks_entered == 10_000
    assert len(logging.batch_means) == 40
    assert np.mean(logging.batch_means) * 10_000 == pytest.approx(logging.total)


def test_the_mean_of_durations_is_not_below_0() -> None:
    values = np.zeros(400)
    values[7] = 1_000.0
    found = mean_figure(values)
    assert (found.low, found.value) == (0.0, 2.5)
    assert mean_figure(values - 1_000.0).low < -1_000.0 < mean_figure(values - 1_000.0).high


def test_what_was_not_measured_has_no_figures() -> None:
    facts = make_facts(not_measured={"csv_write": "results are off"})
    report = build_report(make_breakdown(SHARES, absent=("csv_write", "dataframe_ops")), facts)
    for name, why in (("csv_write", "results are off"), ("dataframe_ops", "the pipeline has no such part")):
        found = report.component_breakdown[name]
        assert (found.measured, found.why, found.percent_of_total, found.avg) == (False, why, None, None)


def test_latency_counts_from_arrival_or_from_when_a_tick_was_due() -> None:
    breakdown = make_breakdown(SHARES)
    stamps = breakdown.stamps.copy()
    took = stamps["done_ns"] - stamps["arrived_ns"]
    arrived = build_report(breakdown, make_facts()).latency_summary
    assert arrived.measured_from == "arrival"
    assert arrived.avg.value == pytest.approx(took.mean() / 1e6)
    assert arrived.max == took.max() / 1e6
    assert arrived.handler_only.avg.value == pytest.approx((took.mean() - 9_000) / 1e6)
    stamps["intended_ns"] = stamps["arrived_ns"] - 1_000_000
    due = build_report(replace(breakdown, stamps=stamps), make_facts()).latency_summary
    assert due.measured_from == "intended"
    assert due.avg.value == pytest.approx(arrived.avg.value + 1)


def test_percentiles_are_within_their_error_and_in_their_intervals() -> None:
    breakdown = make_breakdown(SHARES, ticks=20_000)
    found = build_report(breakdown, make_facts()).latency_summary.percentiles
    for name, percent in (("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9)):
        exact = np.percentile(breakdown.latency_ns, percent, method="inverted_cdf") / 1e6
        assert found[name].value == pytest.approx(exact, rel=0.008)
        assert found[name].low < found[name].value < found[name].high


def test_targets_are_met_when_the_whole_interval_meets_them() -> None:
    edge = build_report(make_breakdown(SHARES), make_facts()).latency_summary.avg
    for target, expected in ((edge.high * 1.01, True), (edge.value * 1.0001, False), (edge.low, False)):
        loaded = plain_config(f"evidence.target_ms={target:.6f}")
        assert make_report(SHARES, loaded).latency_summary.meets_target is expected
    capacity = make_report(SHARES).throughput
    assert capacity.meets_target
    assert capacity.capacity_ticks_per_second.value == pytest.approx(1e4, rel=0.2)
    assert capacity.avg_ticks_per_second.value == pytest.approx(500, rel=0.01)
    above = plain_config(f"evidence.target_tps={capacity.capacity_ticks_per_second.value:.3f}")
    assert not make_report(SHARES, above).throughput.meets_target


def test_collections_are_counted_by_generation_and_held_against_the_slowest_ticks() -> None:
    found = make_report(SHARES, ticks=4_000, pauses=9).gc
    assert {name: each.count for name, each in found.by_generation.items()} == {"0": 3, "1": 3, "2": 3}
    assert found.by_generation["2"].total_ms == pytest.approx(90)
    assert found.between_ticks == 0
    assert found.spikes == 40
    assert found.spikes_percent is not None
    assert found.spikes_percent.value == 100 * found.spikes_hit / 40
    assert found.ticks_hit >= found.spikes_hit > 9  # whoever waits behind a pause met it, too
    unwatched = make_report(SHARES, absent=("gc",)).gc
    assert unwatched.spikes_percent is None
    assert "not recorded" in unwatched.why


def test_the_exchanges_delay_says_how_coarse_it_is() -> None:
    breakdown = make_breakdown(SHARES)
    stamps = breakdown.stamps.copy()
    epoch_ns = 1_759_463_112_000_000_000
    stamps["exchange_ns"] = (stamps["arrived_ns"] + epoch_ns) // 10**9 * 10**9
    clock = ExchangeClock(epoch_ns, offset_ms=0.4, synchronised=True)
    found = build_report(replace(breakdown, stamps=stamps), make_facts(exchange=clock)).exchange_delay
    assert (found.known, found.quantisation_ms, found.clock_offset_ms) == (True, 1000.0, 0.4)
    assert found.times is not None
    assert 0 <= found.times.min < found.times.max < 1000
    stamps["exchange_ns"] += 3_000_000_000  # a clock that is behind
    behind = build_report(replace(breakdown, stamps=stamps), make_facts(exchange=clock)).exchange_delay
    assert behind.times is not None
    assert behind.times.max < 0
    unknown = build_report(breakdown, make_facts()).exchange_delay
    assert (unknown.known, unknown.reason) == (False, "the ticks are a recorded day's")


def test_the_way_of_a_tick_has_the_stages_that_ticks_took() -> None:
    breakdown = make_breakdown(SHARES)
    stamps = breakdown.stamps.copy()
    stamps["ordered_ns"][:3] = stamps["decided_ns"][:3] + 2_000_000
    stages = {each.name: each for each in build_report(replace(breakdown, stamps=stamps), make_facts()).latency_chain}
    assert stages["handed over to begun"].n == 4_000
    assert stages["order written to acknowledged"].times is None
    few = stages["decided to order written"]
    assert few.n == 3
    assert few.times is not None
    assert few.times.percentiles["p50"].value == pytest.approx(2.0, rel=0.001)


@pytest.mark.parametrize(("ticks", "every", "expected"), [(0, 1, "no tick"), (39, 1, "39 ticks"), (200, 10, "20 of")])
def test_too_few_ticks_make_no_report(ticks: int, every: int, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        build_report(make_breakdown(SHARES, ticks=ticks, every=every), make_facts())


def test_an_instrument_that_was_not_calibrated_makes_no_report() -> None:
    with pytest.raises(ValueError, match="not calibrated"):
        build_report(replace(make_breakdown(SHARES), calibration=FREE), make_facts())
    assert CALIBRATION.mark_ns.n


def test_pictures_stay_small_and_keep_every_tick_and_the_slowest() -> None:
    breakdown = make_breakdown(SHARES, ticks=20_000, pauses=3)
    found = build_report(breakdown, make_facts()).pictures
    assert sum(found.counts) == 20_000
    assert max(found.latency_ms) == pytest.approx(breakdown.latency_ns.max() / 1e6, rel=1e-4)
    assert len(found.at_s) == 1_500
    assert [mark.generation for mark in found.collections] == [0, 1, 2]


def test_the_files_of_a_baseline(tmp_path: Path) -> None:
    breakdown = make_breakdown({"logging": 60.0}, every=2, absent=("dataframe_ops",))
    loaded = plain_config()
    report = build_report(breakdown, make_facts(loaded))
    written = write_baseline(BaselineResult(report, breakdown), loaded, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    assert load(written.report) == report
    assert written.config.read_text() == loaded.to_toml()
    decision = written.decision.read_text()
    assert "logging: IMPLEMENT. " in decision
    assert "dataframe_ops: UNKNOWN. Not measured." in decision
    for value in (report.run.id, report.environment.config_hash, report.environment.input_hash, "c0ffee"):
        assert value in decision
    with written.metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4_000
    assert rows[5]["sampled"] == "0"
    assert {rows[5][f"{name}_ns"] for name in NAMES} == {""}
    sampled = rows[4]
    assert sampled["dataframe_ops_ns"] == ""
    own = sum(float(sampled[f"{name}_ns"]) for name in NAMES if name != "dataframe_ops")
    assert own + float(sampled["overhead_ns"]) == pytest.approx(float(sampled["service_ns"]), rel=1e-3)
    assert int(sampled["latency_ns"]) == int(sampled["done_ns"]) - int(sampled["arrived_ns"])


def test_this_machine_says_what_it_is(tmp_path: Path) -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.clock.startswith("monotonic")
    assert machine.versions["numpy"] == np.__version__
    assert commit_of(tmp_path) is None
