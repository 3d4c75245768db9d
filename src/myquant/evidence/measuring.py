"""One rig measured: ticks that warm it up, some that say how long a tick takes, and those that count.

They come in stretches; in the gap between two of them the reference kernel runs.
"""

import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import monotonic_ns
from typing import Any, Final

import numpy as np

from myquant.config.schema import PipelineSettings
from myquant.core import codes
from myquant.evidence.facts import HandoffCounts
from myquant.evidence.plan import Tell
from myquant.evidence.rig import TICK, Rig, Stretch
from myquant.journal.reader import JournalReader, inputs
from myquant.measure.batch_means import Interval
from myquant.measure.breakdown import Breakdown
from myquant.measure.calibrate import calibrate, choose_sampling
from myquant.measure.calibration import median_of
from myquant.measure.collections import PauseRecorder
from myquant.measure.names import (
    CORE_CODES,
    CSV_WRITE,
    DATAFRAME_OPS,
    GC,
    INGEST,
    LOGGING,
    NAMES,
    ORDER_SEND,
    QUEUE_OPS,
    UNATTRIBUTED,
)
from myquant.measure.passes import CpuSpans, MemorySpans, cpu_percent
from myquant.measure.reference import reference_kernel
from myquant.measure.resources import ResourceSampler
from myquant.measure.spans import Spans

STRETCH: Final = 500  # ticks from one gap to the next
SPARE: Final = 1_000  # room for frames that are no ticks: an index goes before each stretch
REFERENCES: Final = 3  # runs of the kernel in a gap
CPU_TICKS: Final = 500  # of the pass for processor time
MEMORY_TICKS: Final = 200  # of the pass for memory
OUTSIDE: Final = NAMES[UNATTRIBUTED]  # in a pass of processor time it is something else
# Parts of the pipeline that it may lack, and the value with which it does.
PARTS: Final = {"handoff": ("callback", QUEUE_OPS), "results": ("off", CSV_WRITE), "frames": ("off", DATAFRAME_OPS)}
LAP_ROUNDS: Final = 41
LAPS_A_TICK: Final = 8
LAPS: Final = np.array([1, 1, 2, 2])  # that end in each column of a tick's row of the compiled core

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Play = Callable[
    [Rig, int, bool], Awaitable[Stretch]
]  # lets a rig take the next so many ticks, at the run's pace or flat out


def capacity_of(ticks: int) -> int:
    """Return how many frames a rig has to have room for that measures so many ticks: a broker sends as many of its indices."""
    return 3 * ticks + SPARE


class Measuring:
    """A run's measurements.

    Attributes:
        references_ns: times of the reference kernel.
        resources: samples by name.
        handoff: the hand-off's counts.
        pauses: of the collector.
        cpu_percent: how much of a component's time a processor worked, by component.
        memory_bytes: what a component keeps for each tick, by component; empty unless it was asked for.
    """

    def __init__(self, ticks: int, needed: int, seed: int, *, memory: bool = False) -> None:
        """Measure so many ticks, `needed` of them at least in full; `seed` draws which. `memory`: and what they keep."""
        self.references_ns: list[int] = []
        self.resources: dict[str, np.ndarray[Any, Any]] = {}
        self.handoff = HandoffCounts()
        self.pauses = PauseRecorder()
        self.cpu_percent: dict[str, Interval] = {}
        self.memory_bytes: dict[str, int] = {}
        self._memory = memory
        self._ticks, self._needed, self._seed = ticks, needed, seed
        self._calibration = calibrate()
        self._intended: list[np.ndarray[Any, Any]] = []

    async def run(self, rig: Rig, play: Play, warm_up: int, pilot: int, tell: Tell) -> Breakdown:
        """Warm up, look at a few ticks, and measure the others; `tell` is called with how many there are so far."""
        await play(rig, warm_up, False)
        gc.collect()
        gc.freeze()  # what the rig has loaded by now, as a session does at its start
        spans = self._armed(rig, await self._sampled_every(rig, play, pilot))
        depth = {"handoff_depth": lambda: rig.handoff.counts().depth}
        with self.pauses, ResourceSampler(depth) as resources:
            for first in range(0, self._ticks, STRETCH):
                last = min(first + STRETCH, self._ticks)
                stretch = await play(rig, last - first, True)
                self._intended.append(stretch.intended_ns)
                self._note_reference()
                tell(last)
        self.resources = {name: found for name, found in resources.samples().items() if name != "time_ns"}
        self.handoff = _handoff(rig, self.resources)
        breakdown = self._breakdown(rig, spans)
        await self._measure_cpu(rig, play, breakdown)
        if self._memory:
            await self._measure_memory(rig, play)
        rig.supervisor.stop_measuring()
        return breakdown

    async def _measure_cpu(self, rig: Rig, play: Play, wall: Breakdown) -> None:
        """Let some more ticks pass, on the clock of the thread's processor time."""
        cpu = CpuSpans(capacity_of(CPU_TICKS))
        rig.measure(cpu)
        await play(rig, CPU_TICKS, True)
        found = cpu.breakdown(measured=measured(rig.plan.loaded.config.pipeline))
        inside = {NAMES[code] for code in (QUEUE_OPS, GC, *CORE_CODES)}  # waiting, and what CORE hides
        self.cpu_percent = {
            name: interval for name, interval in cpu_percent(found, wall).items() if name not in inside | {OUTSIDE}
        }

    async def _measure_memory(self, rig: Rig, play: Play) -> None:
        """Let some more ticks pass, slowly, with every allocation counted."""
        spans = MemorySpans()
        tracemalloc.start()
        try:
            rig.measure(spans)
            await play(rig, MEMORY_TICKS, True)
        finally:
            tracemalloc.stop()
        self.memory_bytes = {name: use.kept_bytes // MEMORY_TICKS for name, use in spans.memory_by_component().items()}

    async def _sampled_every(self, rig: Rig, play: Play, pilot: int) -> int:
        """Return k, such that looking at one tick in k costs little enough, and as many are looked at as a verdict needs."""
        spans = Spans(capacity_of(pilot), calibration=self._calibration)
        rig.measure(spans)
        await play(rig, pilot, True)
        seen = spans.breakdown()
        marks = float(seen.calls.sum()) / max(1, len(seen.stamps))
        cheap = choose_sampling(float(np.median(seen.service_ns)), marks, self._calibration, skips_per_tick=0)
        return max(1, min(cheap, int(self._ticks / (1.1 * self._needed))))  # some of the frames are no ticks

    def _armed(self, rig: Rig, every: int) -> Spans:
        spans = Spans(capacity_of(self._ticks), calibration=self._calibration)
        spans.sample_every(every, self._seed)
        spans.skips = 0  # a tick that is not taken apart goes the plain way
        rig.measure(spans)
        return spans

    def _note_reference(self) -> None:
        """Run the reference kernel, now that nothing comes."""
        for _ in range(REFERENCES):
            began = monotonic_ns()
            reference_kernel()
            self.references_ns.append(monotonic_ns() - began)

    def _breakdown(self, rig: Rig, spans: Spans) -> Breakdown:
        """Return where the ticks' time went; frames that were no ticks are left out."""
        is_tick = np.array(rig.kinds) == TICK
        cycles = rig.cycles
        if cycles is None:
            raise ValueError("a rig without counters can't be measured in full: give its plan a capacity")
        counted, _ = cycles.rows()
        core_ns = np.zeros((len(is_tick), len(LAPS)))
        lap = median_of([cycles.lap_ns(rounds=1) for _ in range(LAP_ROUNDS)])
        core_ns[np.flatnonzero(is_tick)[: len(counted)]] = np.maximum(counted[:, 1:] - lap.value * LAPS, 0)
        intended_ns = np.zeros(len(is_tick), np.int64)
        scheduled_ns = np.concatenate(self._intended)
        if scheduled_ns.any():  # a broker's feed has no schedule, and does not wait between two stretches
            intended_ns[is_tick] = scheduled_ns
        breakdown = spans.breakdown(
            core_ns=core_ns,
            measured=measured(rig.plan.loaded.config.pipeline),
            collections=self.pauses.pauses(),
            intended_ns=intended_ns,
            exchange_ns=_exchange_ns(rig, is_tick),
        )
        breakdown = replace(breakdown, laps=LAPS_A_TICK, calibration=replace(breakdown.calibration, lap_ns=lap))
        return _only(breakdown, is_tick[: len(breakdown.stamps)])  # fewer where some had no room, which is told


def measured(pipeline: PipelineSettings) -> set[int]:
    """Return the components that a pipeline has, entered or not."""
    lacking = {code for name, (none, code) in PARTS.items() if getattr(pipeline, name) == none}
    return {INGEST, QUEUE_OPS, ORDER_SEND, LOGGING, CSV_WRITE, DATAFRAME_OPS} - lacking


def not_measured(pipeline: PipelineSettings) -> dict[str, str]:
    """Return why there are no figures of the components that a pipeline lacks, by component."""
    return {
        NAMES[code]: f'pipeline.{name} = "{none}"'
        for name, (none, code) in PARTS.items()
        if getattr(pipeline, name) == none
    }


def _handoff(rig: Rig, resources: dict[str, np.ndarray[Any, Any]]) -> HandoffCounts:
    counts = rig.handoff.counts()
    return HandoffCounts(
        unit="bytes" if rig.plan.loaded.config.pipeline.handoff == "ring" else "frames",
        capacity=counts.capacity or None,
        high_water=counts.high_water,
        drops=counts.dropped,
        depths=resources.get("handoff_depth", np.zeros(0)),
    )


def _exchange_ns(rig: Rig, is_tick: Flags) -> np.ndarray[Any, Any]:
    """Return the exchange time of each measured frame, as the journal has it; 0: it was no tick."""
    times = [np.zeros(0, np.int64)]
    for block in JournalReader(rig.plan.folder).blocks():
        events = inputs(block)["body"]["event"]
        times.append(events["time_ns"][np.isin(events["kind"], (codes.TICK, codes.QUOTE))])
    found = np.zeros(len(is_tick), np.int64)
    count = int(is_tick.sum())
    found[is_tick] = np.concatenate(times)[-count:]
    return found


def _only(breakdown: Breakdown, keep: np.ndarray[Any, Any]) -> Breakdown:
    """Return some of the ticks. One that followed one of the others arrived, for our purpose, when that was done."""
    stamps = breakdown.stamps.copy()
    follows = np.flatnonzero(~keep[:-1]) + 1
    stamps["arrived_ns"][follows] = np.maximum(stamps["arrived_ns"][follows], stamps["done_ns"][follows - 1])
    handed = np.where(stamps["handed_ns"] > 0, np.maximum(stamps["handed_ns"], stamps["arrived_ns"]), 0)
    stamps["handed_ns"] = handed
    rows = ("self_ns", "raw_ns", "calls", "is_sampled", "overhead_ns")
    pauses = breakdown.collections.copy()
    place = np.where(keep, np.cumsum(keep) - 1, -1)
    of_tick = pauses["tick"] >= 0
    pauses["tick"][of_tick] = place[pauses["tick"][of_tick]]
    return replace(
        breakdown,
        stamps=stamps[keep],
        **{name: getattr(breakdown, name)[keep] for name in rows},
        excess_ns=np.broadcast_to(breakdown.excess_ns, len(keep))[keep],
        collections=pauses,
    )
