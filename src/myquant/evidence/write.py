"""The files of a baseline: the report, a row for each tick, the decision in words, the page, the configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from myquant.config.loading import LoadedConfig
from myquant.errors import cannot_write
from myquant.evidence.files import ELSEWHERE, put_text
from myquant.evidence.gate import judge
from myquant.evidence.html import render_baseline
from myquant.evidence.plan import BaselineResult
from myquant.evidence.report import BaselineReport
from myquant.evidence.text import decision_text
from myquant.measure.breakdown import Breakdown

CHUNK: Final = 10_000  # rows that are text at once


class Written(NamedTuple):
    """Where the parts of a baseline are."""

    report: Path
    metrics: Path
    decision: Path
    page: Path
    config: Path


def write_baseline(result: BaselineResult, loaded: LoadedConfig, folder: Path) -> Written:
    """Write the files of a baseline into a folder. Raises ConfigError or MyquantError when it can't be written."""
    report = result.report
    judged = judge(report, report.thresholds)
    return Written(
        report.save(folder),
        write_metrics(result.breakdown, folder / f"detailed_metrics_{report.stamp}.csv"),
        put_text(folder / f"decision_{report.stamp}.txt", decision_text(report, judged)),
        put_text(folder / "baseline.html", render_baseline(report, judged)),
        put_text(config_path(folder, report), loaded.to_toml()),
    )


def config_path(folder: Path, report: BaselineReport) -> Path:
    """Return where the configuration of a report in a folder is."""
    return folder / f"config_{report.stamp}.toml"


def write_metrics(breakdown: Breakdown, path: Path) -> Path:
    """Write a row for each tick: its stamps (monotonic ns), latency and service time, and each component's ns.

    Components of a tick outside the sample, and those that were not measured, are empty: not known is not 0.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(_rows(breakdown))
    except OSError as error:
        raise cannot_write(path, error, ELSEWHERE) from error
    return path


def _rows(breakdown: Breakdown) -> Iterator[str]:
    stamps, names = breakdown.stamps, breakdown.names
    fields = list(stamps.dtype.names or ())
    heads = ["tick", *fields, "latency_ns", "service_ns", "overhead_ns", "sampled", *(f"{name}_ns" for name in names)]
    yield ",".join([*heads, *(f"{name}_calls" for name in names)]) + "\n"
    latency, service = breakdown.latency_ns, breakdown.service_ns
    nothing = "," * (2 * len(names) - 1)
    for first in range(0, len(stamps), CHUNK):
        rows = slice(first, first + CHUNK)
        times = np.column_stack([stamps[field][rows] for field in fields] + [latency[rows]]).tolist()
        spent = zip(service[rows].tolist(), breakdown.overhead_ns[rows].tolist(), strict=True)
        own, calls = breakdown.self_ns[rows].tolist(), breakdown.calls[rows].tolist()
        for place, (whole, (served, overhead)) in enumerate(zip(times, spent, strict=True)):
            known_times = ",".join(str(time) if time else "" for time in whole)
            head = f"{first + place},{known_times},{served:.0f},{overhead:.0f}"
            if not breakdown.is_sampled[first + place]:
                yield f"{head},0,{nothing}\n"
                continue
            known = [
                f"{value:.1f}" if measured else ""
                for value, measured in zip(own[place], breakdown.measured, strict=True)
            ]
            counted = [
                str(count) if measured else "" for count, measured in zip(calls[place], breakdown.measured, strict=True)
            ]
            yield f"{head},1,{','.join([*known, *counted])}\n"
