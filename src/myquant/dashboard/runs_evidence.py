"""The gate's verdicts on a baseline, and what became of each optimisation that was tried: before, after, kept or reverted."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from myquant.config.chain import Chain
from myquant.dashboard.runs import ListedRun
from myquant.errors import DataError, MyquantError
from myquant.evidence.audit import FOLDER, Trail
from myquant.evidence.figures import Figure
from myquant.evidence.files import read_text
from myquant.evidence.gate import Judged, judge
from myquant.evidence.plan import Verification
from myquant.evidence.report import BaselineReport, load
from myquant.evidence.verdicts import Judgement, Verdict
from myquant.results.index import DONE, MEASURED, RunEntry

VERIFICATIONS: Final = "verify_*.json"
REMEDY: Final = "restore it, or measure again with `myquant baseline`"
HASH_LETTERS: Final = 8
GC: Final = "gc"


@dataclass(frozen=True)
class VerdictLine:
    """The gate's verdict on one component: its share and 95 % interval in percent (None: not measured), and the limit.

    `setting`, `variant` and `change_to`: what the optimisation switches, how it stood, and to what it should; "": nothing.
    """

    component: str
    verdict: Verdict
    share: float | None
    low: float | None
    high: float | None
    limit: float
    n: int
    reason: str
    setting: str = ""
    variant: str = ""
    change_to: str = ""


@dataclass(frozen=True)
class Optimisation:
    """A change that was proven, or not: what a tick takes less, in percent, with its 99 % interval. `against`: why it was reverted."""

    setting: str
    before: str
    after: str
    faster: Figure
    control: Figure
    ablation: Figure
    pairs: int
    is_kept: bool
    against: tuple[str, ...]
    file: str

    @property
    def ratio(self) -> tuple[float, float, float]:
        """The time of a tick after the change in parts of that before: value, low, high."""
        value, low, high = (1 - each / 100 for each in (self.faster.value, self.faster.high, self.faster.low))
        return value, low, high


@dataclass(frozen=True)
class Evidence:
    """What a baseline shows.

    Attributes:
        run, time: of the report; UTC.
        verdicts: one a component that can be optimised, garbage collection last.
        optimisations: those that were verified, in their order.
        problems: what was changed in the trail of decisions; none: its chain of hashes is intact.
        decisions: how many the trail holds; 0: nothing was decided on this baseline yet.
        provenance: what the figures belong to.
    """

    folder: Path
    run: str
    time: str
    config_hash: str
    engine_hash: str
    verdicts: tuple[VerdictLine, ...]
    optimisations: tuple[Optimisation, ...]
    problems: tuple[str, ...]
    decisions: int
    provenance: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "folder": str(self.folder),
            "run": self.run,
            "time": self.time,
            "config_hash": self.config_hash,
            "engine_hash": self.engine_hash,
            "verdicts": [{**asdict(line), "verdict": str(line.verdict)} for line in self.verdicts],
            "optimisations": [
                {
                    **{
                        name: getattr(each, name) for name in ("setting", "before", "after", "pairs", "is_kept", "file")
                    },
                    **{name: getattr(each, name).model_dump() for name in ("faster", "control", "ablation")},
                    "ratio": list(each.ratio),
                    "against": list(each.against),
                }
                for each in self.optimisations
            ],
            "problems": list(self.problems),
            "decisions": self.decisions,
            "provenance": self.provenance,
        }


@dataclass(frozen=True)
class LatestEvidence:
    """The newest baseline's evidence. `of_another`: what it is of and the session is not; "": of this engine and configuration.

    `key`: of the baseline in the list of runs.
    """

    key: str
    evidence: Evidence
    of_another: str


def read_evidence(folder: Path) -> Evidence:
    """Read the newest report of a folder and its trail. Raises MyquantError where the report can't be used.

    A decision that can't be read is one of the `problems`.
    """
    report = load(folder)
    judged = judge(report, report.thresholds)
    trail = Trail(folder)
    problems: list[str] = []
    try:
        problems += trail.problems()
    except (MyquantError, OSError) as error:
        problems.append(str(error))
    optimisations = []
    for path in _in_order(trail):
        try:
            if (found := _optimisation(path, report)) is not None:
                optimisations.append(found)
        except MyquantError as error:
            problems.append(str(error))
    return Evidence(
        folder,
        report.run.id,
        report.run.time,
        report.environment.config_hash,
        report.environment.engine_hash,
        tuple(_lines(judged)),
        tuple(optimisations),
        tuple(problems),
        sum(1 for pattern in ("gate_*.json", VERIFICATIONS) for _ in (folder / FOLDER).glob(pattern)),
        report.provenance,
    )


def _in_order(trail: Trail) -> list[Path]:
    """Return the files of verifications as they were recorded; those that the index has not come last."""
    try:
        entries = Chain(trail.index, REMEDY).read().entries
    except (MyquantError, OSError):  # one of the problems
        entries = []
    places = {entry.get("file"): place for place, entry in enumerate(entries)}
    paths = sorted(trail.folder.glob(VERIFICATIONS))
    return sorted(paths, key=lambda path: places.get(path.name, len(places)))


def _lines(judged: Judged) -> Iterator[VerdictLine]:
    for each in judged.phases:
        change_to = each.change.after if each.change is not None else ""
        yield _line(each.phase.component, each.judgement, each.phase.setting, each.variant, change_to)
    yield _line(GC, judged.gc)


def _line(component: str, judgement: Judgement, *switched: str) -> VerdictLine:
    return VerdictLine(
        component,
        judgement.verdict,
        judgement.share,
        judgement.low,
        judgement.high,
        judgement.threshold,
        judgement.n,
        judgement.reason,
        *switched,
    )


def _optimisation(path: Path, report: BaselineReport) -> Optimisation | None:
    """Return what a file of the trail says was verified; None where it is of another report in the folder."""
    try:
        table = json.loads(read_text(path, REMEDY))
        if table["provenance"]["run"] != report.run.id or table["provenance"]["time"] != report.run.time:
            return None
        fields = {name: value for name, value in table.items() if name in Verification.model_fields}
        found = Verification.model_validate_json(json.dumps(fields))
    except (ValueError, TypeError, KeyError, RecursionError) as error:  # a ValidationError is a ValueError
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise DataError(f"{path}: damaged ({said}): {REMEDY}") from None
    return Optimisation(
        found.key,
        found.before,
        found.after,
        found.improvement_percent,
        found.control_percent,
        found.ablation_percent,
        found.pairs,
        found.is_kept,
        tuple(found.against),
        path.name,
    )


def latest_verdicts(
    rows: Sequence[ListedRun], config_hash: str | None, engine_hash: str | None
) -> LatestEvidence | None:
    """Return the evidence of the newest baseline in a list of runs, and whether it is of an engine and a configuration.

    One of the same engine and configuration is preferred to a newer one of others. None: there is none that can be read.
    """
    baselines = [row for row in rows if row.entry.kind == MEASURED and row.entry.state == DONE]
    baselines.sort(key=lambda row: row.entry.written or "", reverse=True)
    baselines.sort(key=lambda row: bool(_of_another(row.entry, config_hash, engine_hash)))
    for row in baselines:
        try:
            return LatestEvidence(row.key, read_evidence(row.folder), _of_another(row.entry, config_hash, engine_hash))
        except MyquantError:  # changed since it was listed: the list says what is wrong with it
            continue
    return None


def _of_another(entry: RunEntry, config_hash: str | None, engine_hash: str | None) -> str:
    """Return what a baseline is of and should not be; "": nothing."""
    others = [
        f"another {name} ({(found or 'unknown')[:HASH_LETTERS]}, not {(wanted or 'unknown')[:HASH_LETTERS]})"
        for name, found, wanted in (
            ("engine", entry.engine_hash, engine_hash),
            ("configuration", entry.config_hash, config_hash),
        )
        if found is None or found != wanted
    ]
    return f"of {' and '.join(others)}" if others else ""
