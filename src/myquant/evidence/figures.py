"""A figure with its interval, and the figures of a report's arrays: means, percentiles, gauges.

Ticks that follow each other are alike, so an interval comes from the means of batches (`measure.batch_means`), not from
single ticks.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from myquant.evidence.intervals import percentile_interval
from myquant.measure.batch_means import mean_interval

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
BATCHES: Final = 40  # means that a report keeps of each component, for comparisons
FEW: Final = 40  # of fewer values than two for each of 20 batches the interval is their whole range

Array = np.ndarray[Any, Any]


class Part(BaseModel):
    """A part of a report: its types are exact, it changes no more, and holds nothing that it does not name."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(Protocol):
    """Anything with a value, its 95 % interval and the number of measurements behind it."""

    @property
    def value(self) -> float: ...  # noqa: D102  (the class says it)
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102
    @property
    def n(self) -> int: ...  # noqa: D102


class Figure(Part):
    """A measured figure, its 95 % interval, and how many measurements it is from."""

    value: float
    low: float
    high: float
    n: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _lies_in_its_interval(self) -> "Figure":
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} lies outside its interval {self.low} to {self.high}")
        return self

    @classmethod
    def of(cls, estimate: Estimate, scale: float = 1.0) -> "Figure":
        """Return an estimate as a figure, in another unit; rounding never puts it outside its interval."""
        value, low, high = (float(each) * scale for each in (estimate.value, estimate.low, estimate.high))
        return cls(value=value, low=min(low, value), high=max(high, value), n=int(estimate.n))


class Gauge(Part):
    """A quantity that was looked at now and then: first, last and between which bounds."""

    first: float
    last: float
    min: float
    avg: float
    max: float
    n: Annotated[int, Field(ge=1)]


def mean_figure(values: Array, scale: float = 1.0) -> Figure:
    """Return the mean of values (n,) in their order, with the interval of its batch means; times `scale`."""
    if len(values) < FEW:
        return Figure.of(_Range(float(np.mean(values)), values), scale)
    found = mean_interval(values)
    if np.min(values) >= 0:  # neither is their mean below 0, whatever Student's t says
        found = found._replace(low=max(found.low, 0.0))
    return Figure.of(found, scale)


def percentile_figure(values: Array, percent: float, scale: float = 1.0) -> Figure:
    """Return a percentile of values (n,) in their order, with its interval; times `scale`."""
    if len(values) < FEW:
        return Figure.of(_Range(float(np.percentile(values, percent, method="inverted_cdf")), values), scale)
    return Figure.of(percentile_interval(values, percent), scale)


def percentile_figures(values: Array, scale: float = 1.0) -> dict[str, Figure]:
    """Return p50, p90, p99 and p99.9 of values (n,), each with its interval."""
    return {name: percentile_figure(values, percent, scale) for name, percent in PERCENTILES.items()}


def gauge(samples: Sequence[float] | Array) -> Gauge | None:
    """Return what samples (n,) in the order of time say; None of none."""
    if not len(samples):
        return None
    values = np.asarray(samples, np.float64)
    return Gauge(
        first=float(values[0]),
        last=float(values[-1]),
        min=float(values.min()),
        avg=float(values.mean()),
        max=float(values.max()),
        n=len(values),
    )


def batch_means(values: Array, scale: float = 1.0) -> tuple[float, ...]:
    """Return the means of equal stretches of values (n,), at most `BATCHES`."""
    parts = np.array_split(np.asarray(values, np.float64) * scale, min(BATCHES, len(values)))
    return tuple(float(part.mean()) for part in parts)


class _Range:
    """A value whose interval is the whole range of the few values that it is from."""

    def __init__(self, value: float, values: Array) -> None:
        self.value, self.low, self.high, self.n = value, float(np.min(values)), float(np.max(values)), len(values)
