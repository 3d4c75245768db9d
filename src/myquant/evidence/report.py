"""The report of a baseline: what was measured, on what, and how sure each figure is. Saved as JSON, loaded strictly.

A report can't be made without the run, the machine, the clock, the hashes and the overhead that its figures belong to.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from myquant.errors import ConfigError, DataError
from myquant.evidence.figures import PERCENTILES, Figure, Gauge, Part
from myquant.evidence.files import newest, put_text, read_text
from myquant.measure.names import NAMES, UNATTRIBUTED

SCHEMA_VERSION: Final = 1
SUM_TOLERANCE: Final = 0.1  # of the shares, percentage points from 100
PATTERN: Final = "baseline_report_*.json"

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]  # UTC
Percentiles = dict[str, Figure]


class Run(Part):
    """Which run it was. `commit`: None where the sources are no checkout. `strategy`: as `--strategy` takes it."""

    id: Text
    time: Time
    commit: Text | None
    seed: int
    strategy: Text | None


class Window(Part):
    """What was measured: `rate_per_s` None is flat out; `inputs` the files, none where the ticks were generated.

    `feed`: the broker whose feed it was; None: the lab's.
    """

    begun: Time
    duration_s: Annotated[float, Field(gt=0)]
    ticks: Annotated[int, Field(ge=1)]
    sampled_ticks: Annotated[int, Field(ge=1)]
    warm_up_ticks: Count
    rate_per_s: Annotated[float, Field(gt=0)] | None
    source: Text
    feed: Text | None
    inputs: tuple[str, ...]
    symbols: tuple[str, ...]

    @model_validator(mode="after")
    def _samples_are_ticks(self) -> "Window":
        if self.sampled_ticks > self.ticks:
            raise ValueError(f"{self.sampled_ticks} sampled ticks of {self.ticks}")
        return self


class Times(Part):
    """A distribution of times. `min` and `max` are what was seen; they have no interval."""

    unit: Literal["ms"] = "ms"
    avg: Figure
    min: float
    max: float
    percentiles: Percentiles

    @model_validator(mode="after")
    def _has_all_percentiles(self) -> "Times":
        if list(self.percentiles) != list(PERCENTILES):
            raise ValueError(f"percentiles must be {', '.join(PERCENTILES)}")
        values = [self.min, *(each.value for each in self.percentiles.values()), self.max]
        if sorted(values) != values:
            raise ValueError("percentiles must ascend from min to max")
        return self


class Latency(Times):
    """From a tick's arrival (or the time at which it was due) to the end of its handling; that alone beside it.

    `histogram` is the encoded HdrHistogram of the latencies in ns. `meets_target`: the mean's whole interval is within.
    """

    measured_from: Literal["arrival", "intended"]
    handler_only: Times
    target_ms: Amount
    meets_target: bool
    histogram: str


class Throughput(Part):
    """Ticks a second: as they came, and as many as there is time for (1 / mean service time).

    `meets_target`: the whole interval of the capacity reaches it.
    """

    avg_ticks_per_second: Figure
    capacity_ticks_per_second: Figure
    target_tps: Amount
    meets_target: bool


class Component(Part):
    """A component's own time: `total` over the sampled ticks, the rest over those `ticks_entered` that entered it.

    `percent_of_total` is its share of all time. The `raw` ones include the instrument's own cost. `cpu_percent`: how much
    of its time a processor worked, `memory_bytes` what it keeps; None where not looked at. `batch_means`: mean time a
    tick of equal stretches of the sampled ticks. What was not measured has `why` and no figures.
    """

    measured: bool
    why: str = ""
    unit: Literal["us"] = "us"
    call_count: Count = 0
    ticks_entered: Count = 0
    total: Amount | None = None
    avg: Figure | None = None
    min: float | None = None
    max: float | None = None
    p50: Figure | None = None
    p99: Figure | None = None
    percent_of_total: Figure | None = None
    raw_total: Amount | None = None
    raw_percent_of_total: Figure | None = None
    cpu_percent: Figure | None = None
    memory_bytes: int | None = None
    batch_means: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _is_measured_or_not(self) -> "Component":
        whole = (self.total, self.percent_of_total, self.raw_total, self.raw_percent_of_total)
        entered = (self.avg, self.min, self.max, self.p50, self.p99)
        if self.measured:
            if None in whole or not self.batch_means:
                raise ValueError("a measured component needs total, share, their raw values and batch means")
            if any((each is None) != (self.ticks_entered == 0) for each in entered):
                raise ValueError("avg, min, max, p50 and p99 belong to a component that some tick entered")
        elif any(each is not None for each in (*whole, *entered)) or self.call_count or not self.why:
            raise ValueError("a component that was not measured has no figures and says why")
        return self


class Instrument(Part):
    """What measuring cost: calibrated costs in ns, the share of all time, and what could not be kept."""

    calibration_ns: dict[str, Figure]
    overhead_percent: Figure
    sampled_every: Annotated[int, Field(ge=1)]
    dropped_ticks: Count
    unfinished_ticks: Count
    unrecorded_collections: Count


class Stage(Part):
    """A step of the way of a tick, of the `n` ticks that took it."""

    name: Text
    unit: Literal["ms"] = "ms"
    n: Count
    times: Times | None

    @model_validator(mode="after")
    def _has_times_if_taken(self) -> "Stage":
        if (self.times is None) != (self.n == 0):
            raise ValueError(f"{self.name}: times belong to a stage that ticks took")
        return self


class ExchangeDelay(Part):
    """From the exchange's time to arrival: a distribution at best, as coarse as the exchange's clock."""

    known: bool
    reason: str
    times: Times | None
    quantisation_ms: Amount | None
    clock_offset_ms: float | None
    clock_synchronised: bool | None

    @model_validator(mode="after")
    def _is_known_or_not(self) -> "ExchangeDelay":
        if self.known != (self.times is not None) or self.known != (self.quantisation_ms is not None):
            raise ValueError("a known delay has times and their quantisation")
        if not self.known and not self.reason:
            raise ValueError("an unknown delay says why")
        return self


class Generation(Part):
    """Collections of garbage of one generation, and their pauses."""

    count: Count
    total_ms: Amount
    max_ms: Amount


class Collections(Part):
    """Pauses of Python's collector. `spikes_percent`: of the ticks slower than p99, those that a pause fell into.

    Where that is not known, `why` says so.
    """

    by_generation: dict[str, Generation]
    ticks_hit: Count
    between_ticks: Count
    spikes: Count
    spikes_hit: Count
    spikes_percent: Figure | None
    why: str = ""

    @model_validator(mode="after")
    def _is_known_or_not(self) -> "Collections":
        if (self.spikes_percent is None) != bool(self.why):
            raise ValueError("a share of spikes that is not known says why")
        return self


class Queue(Part):
    """The hand-off: how full it was. `unit` is what depth is counted in; `callback` has no queue and no depth."""

    variant: Text
    unit: Text
    capacity: Count | None
    high_water: Count
    drops: Count
    depth: Gauge | None


class Delivery(Part):
    """One way of getting a frame to the session, measured side by side with the others."""

    n: Annotated[int, Field(ge=1)]
    unit: Literal["ms"] = "ms"
    p50: Figure
    p99: Figure
    max: Amount


class Environment(Part):
    """The machine, the versions and the hashes. `workload_hash`: of the settings without [pipeline] and [evidence]."""

    cpu: Text
    cores: Annotated[int, Field(ge=1)]
    governor: Text
    system: Text
    python: Text
    versions: dict[str, str]
    clock: Text
    clock_resolution_ns: Amount
    config_hash: Hash
    workload_hash: Hash
    engine_hash: Hash
    input_hash: Hash


class Mark(Part):
    """A pause of the collector on the timeline; `tick` -1: between ticks."""

    at_s: float
    pause_ms: Amount
    generation: Count
    tick: int


class Pictures(Part):
    """What the page draws: counts of latencies between edges, and the slowest tick of each stretch of time."""

    edges_ms: tuple[float, ...]
    counts: tuple[int, ...]
    at_s: tuple[float, ...]
    latency_ms: tuple[float, ...]
    collections: tuple[Mark, ...]
    collections_left_out: Count

    @model_validator(mode="after")
    def _fits(self) -> "Pictures":
        if len(self.edges_ms) != len(self.counts) + 1 or len(self.at_s) != len(self.latency_ms):
            raise ValueError("there is an edge more than counts, and a time for each latency")
        return self


class BaselineReport(Part):
    """What `myquant baseline` found."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run: Run
    measurement_window: Window
    latency_summary: Latency
    throughput: Throughput
    component_breakdown: dict[str, Component]
    service_means: tuple[float, ...]  # us a tick, of equal stretches
    instrument: Instrument
    latency_chain: tuple[Stage, ...]
    exchange_delay: ExchangeDelay
    resource_usage: dict[str, Gauge]
    gc: Collections
    queue: Queue
    delivery: dict[str, Delivery]
    pipeline: dict[str, str | int]
    thresholds: dict[str, float]  # of [evidence], as they were
    environment: Environment
    reference_ns: Figure | None  # the fixed workload that shows how fast the machine was
    recommendations: tuple[str, ...]
    pictures: Pictures

    @model_validator(mode="after")
    def _adds_up(self) -> "BaselineReport":
        breakdown = self.component_breakdown
        if missing := [name for name in NAMES if name not in breakdown]:
            raise ValueError(f"component_breakdown lacks {', '.join(missing)}")
        if not breakdown[NAMES[UNATTRIBUTED]].measured:
            raise ValueError("unattributed time is what is left, and always measured")
        total = sum(each.percent_of_total.value for each in breakdown.values() if each.percent_of_total)
        if abs(total - 100) > SUM_TOLERANCE:
            raise ValueError(f"the shares of component_breakdown sum to {total:.3f}, not to 100")
        if not self.instrument.calibration_ns:
            raise ValueError("instrument.calibration_ns: the instrument was not calibrated")
        return self

    @property
    def provenance(self) -> dict[str, Any]:
        """What every figure taken out of this report has to carry."""
        environment, window = self.environment, self.measurement_window
        return {
            "run": self.run.id,
            "time": self.run.time,
            "commit": self.run.commit,
            "ticks": window.ticks,
            "sampled_ticks": window.sampled_ticks,
            "config_hash": environment.config_hash,
            "input_hash": environment.input_hash,
            "engine_hash": environment.engine_hash,
            "machine": f"{environment.cpu}, {environment.cores} cores, governor {environment.governor}, {environment.system}",
            "clock": environment.clock,
            "overhead_percent": self.instrument.overhead_percent.model_dump(),
        }

    @property
    def stamp(self) -> str:
        """The run's time as it stands in the names of files: `20251003-041500`."""
        return re.sub(r"[-:Z]", "", self.run.time).replace("T", "-")

    def save(self, folder: Path) -> Path:
        """Write `baseline_report_<time>.json` into a folder and return its path. Raises ConfigError or MyquantError."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
        return put_text(folder / PATTERN.replace("*", self.stamp), text + "\n")


def load(path: Path, *, workload_hash: str | None = None, min_ticks: int = 1) -> BaselineReport:
    """Load a report; of a folder the newest in it.

    Raises ConfigError for a missing file and for a report of another version, or of another configuration than that of
    `workload_hash`, DataError for one that is damaged or has fewer ticks than `min_ticks`.
    """
    place = newest(path, PATTERN, "make a report with `myquant baseline`") if path.is_dir() else path
    text = read_text(place, "make a report with `myquant baseline`")
    report = _parsed(place, text)
    if workload_hash is not None and report.environment.workload_hash != workload_hash:
        raise ConfigError(
            f"{place}: is of another configuration than the one given "
            f"({report.environment.workload_hash[:8]}, not {workload_hash[:8]}): give the options of that baseline, or measure again"
        )
    ticks = report.measurement_window.ticks
    if ticks < min_ticks:
        raise DataError(f"{place}: {ticks:,} measured ticks, fewer than evidence.min_ticks = {min_ticks}: measure more")
    return report


def _parsed(path: Path, text: str) -> BaselineReport:
    again = "measure again with `myquant baseline`"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(f"{path}: not JSON{where}: truncated, or no report of a baseline; {again}") from None
    if not isinstance(found, dict) or "schema_version" not in found:
        raise DataError(f"{path}: no report of a baseline: it has no schema_version; {again}")
    if found["schema_version"] != SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: schema_version {str(found['schema_version'])[:20]}, this myquant reads {SCHEMA_VERSION}: {again}"
        )
    window = found.get("measurement_window")
    if isinstance(window, dict) and window.get("ticks") == 0:
        raise DataError(f"{path}: no tick was measured: {again}, with ticks that are within the session's hours")
    try:
        return BaselineReport.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the report"
        raise DataError(f"{path}: {place}: {first['msg']}: damaged, or changed by hand; {again}") from None
