"""A report out of a run: the breakdown of its ticks and what else was noted."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC
from typing import Any, Final

import numpy as np

from myquant.errors import DataError
from myquant.evidence.facts import ExchangeClock, RunFacts
from myquant.evidence.figures import (
    FEW,
    Array,
    Figure,
    batch_means,
    gauge,
    mean_figure,
    percentile_figure,
    percentile_figures,
)
from myquant.evidence.gate import judge, thresholds_of
from myquant.evidence.pictures import pictures
from myquant.evidence.plan import workload_hash
from myquant.evidence.report import (
    BaselineReport,
    Collections,
    Component,
    Delivery,
    Environment,
    ExchangeDelay,
    Generation,
    Instrument,
    Latency,
    Queue,
    Run,
    Stage,
    Throughput,
    Times,
    Window,
)
from myquant.evidence.text import recommendations
from myquant.evidence.verdicts import judge_gc
from myquant.measure.batch_means import share_interval
from myquant.measure.breakdown import Breakdown, arrivals_of
from myquant.measure.histogram import encoded, percentiles_of
from myquant.measure.names import GC

NS_PER_US: Final = 1e3
NS_PER_MS: Final = 1e6
NS_PER_S: Final = 1e9
# The way of a tick. A step is of the ticks that have both its stamps.
STAGES: Final = (
    ("due to received", "intended_ns", "arrived_ns"),
    ("received to handed over", "arrived_ns", "handed_ns"),
    ("handed over to begun", "handed_ns", "begun_ns"),
    ("begun to decoded", "begun_ns", "decoded_ns"),
    ("decoded to decided", "decoded_ns", "decided_ns"),
    ("decided to order written", "decided_ns", "ordered_ns"),
    ("order written to acknowledged", "ordered_ns", "acknowledged_ns"),
    ("acknowledged to filled", "acknowledged_ns", "filled_ns"),
    ("order written to filled", "ordered_ns", "filled_ns"),
    ("received to done", "arrived_ns", "done_ns"),
)
NOT_IN_PIPELINE: Final = "the pipeline has no such part"


def build_report(breakdown: Breakdown, facts: RunFacts) -> BaselineReport:
    """Return the report of a run. Raises DataError for fewer than 40 ticks, or 40 sampled ones: no interval is sound."""
    ticks, sampled = len(breakdown.stamps), int(np.sum(breakdown.is_sampled))
    if ticks == 0:
        raise DataError("no tick was measured: give ticks that lie within the session's hours")
    if min(ticks, sampled) < FEW:
        raise DataError(f"{ticks} ticks were measured, {sampled} of them in full: at least {FEW} are needed of both")
    config = facts.loaded.config
    latency_ns = breakdown.latency_ns
    draft = BaselineReport(
        run=_run(facts),
        measurement_window=_window(breakdown, facts, sampled),
        latency_summary=_latency(breakdown, latency_ns, float(config.evidence.target_ms)),
        throughput=_throughput(breakdown, float(config.evidence.target_tps)),
        component_breakdown=_components(breakdown, facts),
        service_means=batch_means(breakdown.service_ns, 1 / NS_PER_US),
        instrument=_instrument(breakdown, facts),
        latency_chain=tuple(_stages(breakdown.stamps)),
        exchange_delay=_exchange_delay(breakdown.stamps, facts.exchange),
        resource_usage={name: found for name, samples in facts.resources.items() if (found := gauge(samples))},
        gc=_collections(breakdown, latency_ns, facts),
        queue=_queue(facts),
        delivery=_delivery(facts),
        pipeline=config.pipeline.model_dump(),
        thresholds=thresholds_of(facts.loaded),
        environment=_environment(facts),
        reference_ns=None if facts.reference_ns is None else percentile_figure(facts.reference_ns, 50),
        recommendations=(),
        pictures=pictures(breakdown, latency_ns),
    )
    advice = recommendations(draft, judge(draft, draft.thresholds))
    return draft.model_copy(update={"recommendations": tuple(advice)})


def _run(facts: RunFacts) -> Run:
    return Run(id=facts.run_id, time=_time(facts), commit=facts.commit, seed=facts.seed, strategy=facts.strategy)


def _time(facts: RunFacts) -> str:
    return f"{facts.begun.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _window(breakdown: Breakdown, facts: RunFacts, sampled: int) -> Window:
    stamps = breakdown.stamps
    return Window(
        begun=_time(facts),
        duration_s=float(stamps["done_ns"].max() - arrivals_of(stamps).min()) / NS_PER_S,
        ticks=len(stamps),
        sampled_ticks=sampled,
        warm_up_ticks=facts.warm_up_ticks,
        rate_per_s=facts.rate_per_s,
        source=facts.source,
        feed=facts.feed,
        inputs=facts.inputs,
        symbols=facts.symbols,
    )


def times(values_ns: Array) -> Times:
    """Return the distribution of times (n,) ns."""
    return Times(**_times(values_ns))


def _times(values_ns: Array) -> dict[str, Any]:
    return {
        "avg": mean_figure(values_ns, 1 / NS_PER_MS),
        "min": float(values_ns.min()) / NS_PER_MS,
        "max": float(values_ns.max()) / NS_PER_MS,
        "percentiles": _percentiles(values_ns),
    }


def _percentiles(values_ns: Array) -> dict[str, Figure]:
    """Return the percentiles in ms, from an HdrHistogram; of times between two clocks, which may be below 0, exact ones."""
    exact = percentile_figures(values_ns)
    if values_ns.min() < 0:
        return {name: Figure.of(each, 1 / NS_PER_MS) for name, each in exact.items()}
    found = percentiles_of(values_ns)
    values = zip(exact.items(), (found.p50, found.p90, found.p99, found.p99_9), strict=True)
    return {
        name: Figure(
            value=value / NS_PER_MS,
            low=min(each.low, value) / NS_PER_MS,
            high=max(each.high, value) / NS_PER_MS,
            n=each.n,
        )
        for (name, each), value in values
    }


def _latency(breakdown: Breakdown, latency_ns: Array, target_ms: float) -> Latency:
    found = _times(latency_ns)
    stamps = breakdown.stamps
    handled = stamps[stamps["begun_ns"] > 0]  # the sampled ones
    return Latency(
        **found,
        measured_from="intended" if bool(np.all(stamps["intended_ns"] > 0)) else "arrival",
        handler_only=times(handled["done_ns"] - handled["begun_ns"]),
        target_ms=target_ms,
        meets_target=found["avg"].high <= target_ms,
        histogram=encoded(latency_ns),
    )


def _throughput(breakdown: Breakdown, target_tps: float) -> Throughput:
    gaps = np.diff(breakdown.stamps["done_ns"])
    capacity = _per_second(mean_figure(breakdown.service_ns))
    return Throughput(
        avg_ticks_per_second=_per_second(mean_figure(gaps)),
        capacity_ticks_per_second=capacity,
        target_tps=target_tps,
        meets_target=capacity.low >= target_tps,
    )


def _per_second(mean_ns: Figure) -> Figure:
    """Return how many a second fit: the inverse of a mean time, whose interval is turned round."""
    low, high = (NS_PER_S / max(edge, 1e-3) for edge in (mean_ns.high, mean_ns.low))
    return Figure(value=NS_PER_S / max(mean_ns.value, 1e-3), low=low, high=high, n=mean_ns.n)


def _components(breakdown: Breakdown, facts: RunFacts) -> dict[str, Component]:
    sampled = breakdown.is_sampled
    tables = (breakdown.self_ns, breakdown.raw_ns, breakdown.calls)
    own, raw, calls = (np.where(breakdown.measured, table[sampled], 0) for table in tables)
    whole, raw_whole = own.sum(axis=1), raw.sum(axis=1)
    found = {}
    for place, name in enumerate(breakdown.names):
        if not breakdown.measured[place]:
            found[name] = Component(measured=False, why=facts.not_measured.get(name, NOT_IN_PIPELINE))
            continue
        cpu = facts.cpu_percent.get(name)
        found[name] = Component(
            measured=True,
            call_count=int(calls[:, place].sum()),
            total=float(own[:, place].sum()) / NS_PER_US,
            percent_of_total=Figure.of(share_interval(own[:, place], whole)),
            raw_total=float(raw[:, place].sum()) / NS_PER_US,
            raw_percent_of_total=Figure.of(share_interval(raw[:, place], raw_whole)),
            cpu_percent=None if cpu is None else Figure.of(cpu),
            memory_bytes=facts.memory_bytes.get(name),
            batch_means=batch_means(own[:, place], 1 / NS_PER_US),
            **_of_entered(own[:, place], (calls[:, place] > 0) | (own[:, place] > 0)),
        )
    return found


def _of_entered(own_ns: Array, entered: Array) -> dict[str, Any]:
    """Return the figures of the ticks that entered a component."""
    values = own_ns[entered]
    if not len(values):
        return {}
    return {
        "ticks_entered": len(values),
        "avg": mean_figure(values, 1 / NS_PER_US),
        "min": float(values.min()) / NS_PER_US,
        "max": float(values.max()) / NS_PER_US,
        "p50": percentile_figure(values, 50, 1 / NS_PER_US),
        "p99": percentile_figure(values, 99, 1 / NS_PER_US),
    }


def _instrument(breakdown: Breakdown, facts: RunFacts) -> Instrument:
    costs = {cost.name: getattr(breakdown.calibration, cost.name) for cost in fields(breakdown.calibration)}
    return Instrument(
        calibration_ns={name: Figure.of(cost) for name, cost in costs.items() if cost.n},
        overhead_percent=Figure.of(breakdown.overhead_percent()),
        sampled_every=breakdown.every,
        dropped_ticks=breakdown.dropped,
        unfinished_ticks=breakdown.unfinished,
        unrecorded_collections=facts.unrecorded_collections,
    )


def _stages(stamps: Array) -> Iterator[Stage]:
    for name, begun, ended in STAGES:
        taken = stamps[(stamps[begun] > 0) & (stamps[ended] > 0)]
        yield Stage(name=name, n=len(taken), times=times(taken[ended] - taken[begun]) if len(taken) else None)


def _exchange_delay(stamps: Array, clock: ExchangeClock) -> ExchangeDelay:
    """Return the delay as a distribution: where the exchange's times are of now, and only as exact as both clocks."""
    known = stamps[stamps["exchange_ns"] > 0]
    if clock.epoch_ns is None or not len(known):
        reason = clock.reason or "the ticks carry no exchange time"
        found, quantisation_ms = None, None
    else:
        delays = known["arrived_ns"] + clock.epoch_ns - known["exchange_ns"]
        reason, quantisation_ms = clock.reason, _quantisation_ms(known["exchange_ns"])
        found = times(delays)
    return ExchangeDelay(
        known=found is not None,
        reason=reason,
        times=found,
        quantisation_ms=quantisation_ms,
        clock_offset_ms=clock.offset_ms,
        clock_synchronised=clock.synchronised,
    )


def _quantisation_ms(times_ns: Array) -> float:
    """Return the step of the exchange's clock: the largest of 1 s, 1 ms, 1 us, 1 ns that all its times are whole in."""
    steps = (10**9, 10**6, 10**3, 1)
    return next(step for step in steps if not np.any(times_ns % step)) / NS_PER_MS


def _collections(breakdown: Breakdown, latency_ns: Array, facts: RunFacts) -> Collections:
    pauses = breakdown.collections
    lasted_ms = (pauses["ended_ns"] - pauses["begun_ns"]) / NS_PER_MS
    hit, is_watched = breakdown.meets_collection(), bool(breakdown.measured[GC])
    config = facts.loaded.config.evidence
    judged = judge_gc(latency_ns, hit if is_watched else None, float(config.gc_spikes_percent), config.min_ticks)
    is_spike = latency_ns > np.percentile(latency_ns, 99, method="inverted_cdf")
    share = None
    if judged.share is not None and judged.low is not None and judged.high is not None:
        share = Figure(value=judged.share, low=judged.low, high=judged.high, n=judged.n)
    return Collections(
        by_generation={
            str(generation): Generation(
                count=int(np.sum(of := pauses["generation"] == generation)),
                total_ms=float(lasted_ms[of].sum()),
                max_ms=float(lasted_ms[of].max(initial=0.0)),
            )
            for generation in range(3)
        },
        ticks_hit=int(hit.sum()),
        between_ticks=int(np.sum(pauses["tick"] < 0)),
        spikes=int(is_spike.sum()),
        spikes_hit=int((is_spike & hit).sum()),
        spikes_percent=share,
        why="" if share is not None else judged.reason,
    )


def _queue(facts: RunFacts) -> Queue:
    counts = facts.handoff
    return Queue(
        variant=facts.loaded.config.pipeline.handoff,
        unit=counts.unit,
        capacity=counts.capacity,
        high_water=counts.high_water,
        drops=counts.drops,
        depth=gauge(counts.depths),
    )


def _delivery(facts: RunFacts) -> dict[str, Delivery]:
    return {
        variant: Delivery(
            n=len(taken_ns),
            p50=percentile_figure(taken_ns, 50, 1 / NS_PER_MS),
            p99=percentile_figure(taken_ns, 99, 1 / NS_PER_MS),
            max=float(taken_ns.max()) / NS_PER_MS,
        )
        for variant, taken_ns in facts.delivery.items()
        if len(taken_ns)
    }


def _environment(facts: RunFacts) -> Environment:
    machine = facts.machine
    return Environment(
        cpu=machine.cpu,
        cores=machine.cores,
        governor=machine.governor,
        system=machine.system,
        python=machine.python,
        versions=dict(machine.versions),
        clock=machine.clock,
        clock_resolution_ns=machine.clock_resolution_ns,
        config_hash=facts.loaded.hash,
        workload_hash=workload_hash(facts.loaded),
        engine_hash=facts.engine_hash,
        input_hash=facts.input_hash,
    )
