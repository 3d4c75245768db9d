"""Made-up baselines: ticks whose components take known shares of the time, and the reports of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from myquant.config.loading import LoadedConfig, load_config
from myquant.evidence.build import build_report
from myquant.evidence.facts import ExchangeClock, HandoffCounts, Machine, RunFacts
from myquant.evidence.figures import Figure
from myquant.evidence.plan import PLAIN, Change, Verification
from myquant.evidence.report import BaselineReport
from myquant.measure.batch_means import Interval
from myquant.measure.breakdown import PAUSE, STAMPS, Breakdown
from myquant.measure.calibration import Calibration
from myquant.measure.names import GC, NAMES

TICK_NS = 100_000.0
GAP_NS = 2_000_000
BEGUN_NS = 50_000_000_000
BEGUN = datetime(2025, 10, 3, 4, 15, tzinfo=UTC)
MACHINE = Machine("a processor", 2, "unknown", "Linux 6.1", "3.11.7", {"numpy": "2.4.6"}, "monotonic", 1.0)
CALIBRATION = Calibration(mark_ns=Interval(80, 78, 83, 50), begin_ns=Interval(300, 290, 310, 50))
SHARES = {"unattributed": 20.0, "ingest": 10.0, "journal": 10.0}


def wandering(ticks: int, seed: int, spread: float = 0.15) -> np.ndarray[Any, Any]:
    """Return factors (ticks,) about 1: neighbours are alike (an autoregression over windows), single ticks scatter."""
    random = np.random.default_rng(seed)
    windows = -(-ticks // 100)
    levels = np.zeros(windows)
    steps = random.normal(0, spread * (1 - 0.8**2) ** 0.5, windows)
    for window in range(1, windows):
        levels[window] = 0.8 * levels[window - 1] + steps[window]
    drift = np.repeat(levels, 100)[:ticks]
    return np.exp(drift + random.normal(0, 0.3, ticks) - 0.045)


def make_breakdown(
    shares: Mapping[str, float],
    *,
    ticks: int = 4_000,
    seed: int = 1,
    every: int = 1,
    pauses: int = 0,
    absent: tuple[str, ...] = (),
    slower: float = 1.0,
) -> Breakdown:
    """Return ticks of which each component takes its share, in percent; what is left is unattributed.

    `pauses`: that many collections of 30 ms fall into ticks. `absent`: components that were not measured.
    """
    given = dict(shares)
    given["unattributed"] = given.get("unattributed", 0.0) + 100 - sum(given.values())
    whole = TICK_NS * slower * wandering(ticks, seed)
    own = np.zeros((ticks, len(NAMES)))
    for name, percent in given.items():
        place = NAMES.index(name)
        own[:, place] = percent / 100 * whole * wandering(ticks, seed + 97 * place + 1, 0.02)
    collections = np.zeros(pauses, PAUSE)
    hit = np.linspace(ticks // 10, ticks - 1, pauses).astype(np.int64)
    own[hit, GC] += 30_000_000.0
    overhead = np.full(ticks, 800.0) * (np.arange(ticks) % every == 0)
    lasts = np.round(own.sum(axis=1) + overhead).astype(np.int64)
    stamps = np.zeros(ticks, STAMPS)
    stamps["arrived_ns"] = BEGUN_NS + np.arange(ticks) * GAP_NS + np.cumsum(np.maximum(lasts - GAP_NS, 0))
    stamps["handed_ns"] = stamps["arrived_ns"] + 5_000
    stamps["begun_ns"] = stamps["arrived_ns"] + 9_000
    stamps["decided_ns"] = stamps["begun_ns"] + lasts // 2
    stamps["done_ns"] = stamps["arrived_ns"] + lasts
    collections["begun_ns"] = stamps["begun_ns"][hit] + 10
    collections["ended_ns"] = collections["begun_ns"] + 30_000_000
    collections["generation"], collections["tick"] = np.arange(pauses) % 3, hit
    sampled = np.arange(ticks) % every == 0
    calls = (own > 0).astype(np.int64)
    own[~sampled], calls[~sampled] = np.nan, 0
    raw = own.copy()
    raw[:, 0] += overhead
    return Breakdown(
        names=NAMES,
        stamps=stamps,
        self_ns=own,
        raw_ns=raw,
        calls=calls,
        measured=np.array([name not in absent for name in NAMES]),
        is_sampled=sampled,
        overhead_ns=overhead,
        collections=collections,
        every=every,
        calibration=CALIBRATION,
    )


def plain_config(*assignments: str) -> LoadedConfig:
    return load_config(assignments=[*(f"{key}={value}" for key, value in PLAIN.items()), *assignments])


def make_facts(loaded: LoadedConfig | None = None, **changes: Any) -> RunFacts:
    """Return the facts of a made-up run."""
    random = np.random.default_rng(3)
    facts = RunFacts(
        run_id="run-1",
        begun=BEGUN,
        commit="c0ffee",
        seed=1,
        strategy=None,
        source="generated, seed 1",
        inputs=(),
        symbols=("NIFTY24NOV2625000CE",),
        loaded=loaded or plain_config(),
        input_hash="ab" * 32,
        engine_hash="cd" * 10,
        rate_per_s=500.0,
        warm_up_ticks=500,
        exchange=ExchangeClock(None, "the ticks are a recorded day's"),
        machine=MACHINE,
        reference_ns=random.normal(50_000, 300, 400),
        resources={"rss_mib": np.array([100.0, 101.0, 103.0]), "cpu_percent": np.array([20.0, 25.0, 22.0])},
        handoff=HandoffCounts("frames", 100_000, 7, 0, np.array([0, 2, 7, 1])),
        delivery={
            "queue": random.gamma(2, 400_000, 2_000),
            "callback": random.gamma(2, 4_000, 2_000),
            "ring": random.gamma(2, 300_000, 2_000),
        },
    )
    return replace(facts, **changes)


def make_report(shares: Mapping[str, float] = SHARES, loaded: LoadedConfig | None = None, **how: Any) -> BaselineReport:
    return build_report(make_breakdown(shares, **how), make_facts(loaded))


def saved(folder: Path, shares: Mapping[str, float] = SHARES, **how: Any) -> Path:
    """Return the file of a report that was saved into a folder."""
    return make_report(shares, **how).save(folder)


def verification(change: Change, **changes: Any) -> Verification:
    """Return a verification that keeps the change, unless something in it is otherwise."""

    def figure(value: float, half: float = 1.0) -> Figure:
        return Figure(value=value, low=value - half, high=value + half, n=40)

    fields: dict[str, Any] = {
        "key": change.key,
        "before": change.before,
        "after": change.after,
        "pairs": 40,
        "pair_ticks": 200,
        "seed": 1,
        "improvement_percent": figure(30.0),
        "p99_improvement_percent": None,
        "p_value": 1e-6,
        "control_percent": figure(0.1),
        "ablation_percent": figure(45.0),
        "decisions_before": "aa",
        "decisions_after": "aa",
        "decisions_control": "aa",
        "decisions": 7,
    }
    return Verification(**fields | {name: figure(x) if name.endswith("percent") else x for name, x in changes.items()})
