"""What the commands ask for, and what they get: a baseline, and the proof of a change."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, model_validator

from myquant.config.kinds import write
from myquant.config.loading import LoadedConfig
from myquant.evidence.figures import Figure, Part
from myquant.evidence.report import BaselineReport
from myquant.measure.breakdown import Breakdown
from myquant.strategies.loading import LoadedStrategy

Tell = Callable[[int], None]  # called with the number of measured ticks so far

# Every variant plain: one queue hop, one row of the tick file, one row of the frame per tick, a line per 100th tick.
PLAIN: Final = {
    "pipeline.handoff": "queue",
    "pipeline.logging": "sync",
    "pipeline.results": "direct",
    "pipeline.frames": "append",
    "pipeline.tick_line_every": "100",
}
# Sections that change neither the work of a tick nor the decisions.
NOT_WORKLOAD: Final = ("pipeline.", "evidence.", "results.", "angelone.", "dashboard.")


@dataclass(frozen=True)
class BaselinePlan:
    """What to measure.

    Attributes:
        inputs: files of ticks; none: a day is generated.
        feed: the name of a broker whose feed is measured instead; None: the lab's loopback socket.
        ticks: how many are measured, those of warming up not counted.
        rate_per_s: ticks a second of a fixed schedule; None: flat out.
        seed: of a generated day and of the sample.
        loaded: the effective configuration, `--plain` included.
        strategy: the strategy; `strategy_name` as `--strategy` took it.
        folder: where the run may leave what it needs (its session, its logs); the report goes there, too.
        traces_memory: a second, slow pass finds each component's memory.
    """

    inputs: tuple[Path, ...]
    feed: str | None
    ticks: int
    rate_per_s: float | None
    seed: int
    loaded: LoadedConfig
    strategy: LoadedStrategy
    strategy_name: str | None
    folder: Path
    traces_memory: bool = False


@dataclass(frozen=True)
class BaselineResult:
    """What came of it: the report, and the ticks behind it."""

    report: BaselineReport
    breakdown: Breakdown


@dataclass(frozen=True)
class Change:
    """A setting that the gate changes: `key` such as pipeline.logging, from one variant to another."""

    phase: int
    priority: str
    component: str
    key: str
    before: str
    after: str


@dataclass(frozen=True)
class VerifyPlan:
    """What to prove: one change, over the same ticks as the report's, before and after in interleaved pairs.

    `loaded` is the configuration before the change, with the changes that were kept so far.
    """

    report: BaselineReport
    change: Change
    loaded: LoadedConfig
    strategy: LoadedStrategy
    seed: int
    folder: Path


class Verification(Part):
    """What interleaved pairs of before and after showed.

    Percentages of the time that a tick takes, with 99 % intervals; above 0 is faster.
    `control` compares before with before: its interval must hold 0, or the measurement is not to be trusted. `ablation`: the
    component a no-op, the most that any change to it can gain. `decisions`: how many commands each side gave, whose
    bytes the hashes are of.
    """

    key: str
    before: str
    after: str
    pairs: int
    pair_ticks: int
    seed: int
    improvement_percent: Figure
    p99_improvement_percent: Figure | None
    p_value: float
    control_percent: Figure
    ablation_percent: Figure
    decisions_before: str
    decisions_after: str
    decisions_control: str
    decisions: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _is_of_pairs(self) -> "Verification":
        if min(self.pairs, self.pair_ticks) < 1:
            raise ValueError("a verification needs pairs, and ticks in them")
        return self

    @property
    def are_decisions_identical(self) -> bool:
        """Whether both sides decided the same, by the hashes of what they decided."""
        return self.decisions_before == self.decisions_after

    @property
    def against(self) -> list[str]:
        """Why the change is not kept, in words; nothing: it is kept."""
        gain, control = self.improvement_percent, self.control_percent
        reasons = []
        if gain.high < 0:
            reasons.append("it is slower")
        elif gain.low <= 0:
            reasons.append("the interval of the improvement holds zero")
        if not self.are_decisions_identical:
            reasons.append("the decisions of both runs differ")
        if self.decisions_control != self.decisions_before:
            reasons.append("the control decided otherwise: what is measured does not repeat")
        if not self.decisions:
            reasons.append("nothing was decided: take ticks within the session's hours")
        if gain.low > self.ablation_percent.high:
            reasons.append("it gains more than the component has: something else has changed")
        if not control.low <= 0 <= control.high:
            reasons.append("the control, before against before, shows a difference: the machine was not steady")
        return reasons

    @property
    def is_kept(self) -> bool:
        """Whether the change is proven."""
        return not self.against


def workload_hash(loaded: LoadedConfig) -> str:
    """Return the SHA-256 of the settings that make the work of a tick: those of `NOT_WORKLOAD` are left out."""
    kept = (name for name in sorted(loaded.values) if not name.startswith(NOT_WORKLOAD))
    text = "".join(f"{name} = {write(loaded.values[name])}\n" for name in kept)
    return hashlib.sha256(text.encode()).hexdigest()
