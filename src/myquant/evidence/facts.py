"""What a run hands over for its report, beside the ticks' times: plain data, taken while it ran."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.config.loading import LoadedConfig
from myquant.evidence.figures import Estimate

PACKAGES: Final = ("myquant", "numpy", "numba", "llvmlite", "polars", "picows", "uvloop")
UNKNOWN: Final = "unknown"
GOVERNOR: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
CPUS: Final = Path("/proc/cpuinfo")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Machine:
    """The machine, and the clock that times are from."""

    cpu: str
    cores: int
    governor: str
    system: str
    python: str
    versions: Mapping[str, str]
    clock: str
    clock_resolution_ns: float


@dataclass(frozen=True)
class HandoffCounts:
    """The hand-off's counts; `depths` (n,) in the order of time. `unit`: frames or bytes; callback has none."""

    unit: str = "frames"
    capacity: int | None = None
    high_water: int = 0
    drops: int = 0
    depths: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class ExchangeClock:
    """What is known of the exchange's time against ours.

    `epoch_ns`: what the host's clock (ns since the epoch) says when the monotonic one says 0; None where the ticks' exchange times
    are not those of now, and `reason` says so. `offset_ms`: the host's clock against true time; None: not known.
    """

    epoch_ns: int | None
    reason: str = ""
    offset_ms: float | None = None
    synchronised: bool | None = None


@dataclass(frozen=True)
class RunFacts:
    """All that a report holds beside the breakdown.

    Attributes:
        run_id: names the run, such as its folder's name.
        begun: when measuring began, an aware time.
        commit: of the sources; None where they are no checkout.
        strategy: as `--strategy` takes it; None is the default one.
        source: what the ticks are, in words: `recorded`, `generated, seed 1`.
        inputs: the files of ticks.
        loaded: the configuration that ran, `--plain` and overlays included.
        input_hash: of the ticks; engine_hash: of engine and strategy. Both lower-case hex.
        rate_per_s: None is flat out.
        warm_up_ticks: ticks before the first that counts.
        feed: the broker whose feed it was; None: the lab's.
        unrecorded_collections: pauses of the collector that there was no room for.
        reference_ns: (n,) times of the reference kernel; None where it did not run.
        exchange: the exchange's clock.
        resources: samples by name, (n,) each: rss_mib, cpu_percent, threads, children, and so on.
        handoff: the hand-off's counts.
        delivery: (n,) ns from arrival to the session's thread, by variant, measured side by side.
        cpu_percent: share of a component's time in which a processor worked, by component.
        memory_bytes: what a component keeps, by component.
        not_measured: why a component has no figures, by component.
        machine: the machine and its clock.
    """

    run_id: str
    begun: datetime
    commit: str | None
    seed: int
    strategy: str | None
    source: str
    inputs: tuple[str, ...]
    symbols: tuple[str, ...]
    loaded: LoadedConfig
    input_hash: str
    engine_hash: str
    rate_per_s: float | None
    warm_up_ticks: int
    exchange: ExchangeClock
    machine: Machine
    feed: str | None = None
    unrecorded_collections: int = 0
    reference_ns: Array | None = None
    resources: Mapping[str, Array] = field(default_factory=dict)
    handoff: HandoffCounts = field(default_factory=HandoffCounts)
    delivery: Mapping[str, Array] = field(default_factory=dict)
    cpu_percent: Mapping[str, Estimate] = field(default_factory=dict)
    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    not_measured: Mapping[str, str] = field(default_factory=dict)


def this_machine() -> Machine:
    """Return this machine. The clock is that of `time.monotonic_ns`, one for all its processes."""
    clock = time.get_clock_info("monotonic")
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        governor=_governor(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions={package: version(package) for package in PACKAGES if _is_installed(package)},
        clock=f"monotonic ({clock.implementation})",
        clock_resolution_ns=clock.resolution * 1e9,
    )


def commit_of(folder: Path) -> str | None:
    """Return the commit of the checkout that a folder belongs to, `-dirty` behind it when changed; None of no checkout."""
    git = shutil.which("git")
    if git is None or not _said(git, folder, "ls-files", "."):  # an installed package may lie in somebody's checkout
        return None
    return _said(git, folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or None


def _said(git: str, folder: Path, *words: str) -> str:
    """Return what git says, nothing where it fails."""
    try:
        done = subprocess.run([git, *words], cwd=folder, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603  (git, with words of ours)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = CPUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine() or UNKNOWN


def _governor() -> str:
    """Return what sets the processor's frequency; a virtual machine does not say."""
    try:
        return GOVERNOR.read_text(encoding="utf-8").strip() or UNKNOWN
    except OSError:
        return UNKNOWN


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
