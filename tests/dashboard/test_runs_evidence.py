"""The gate's verdicts and the optimisations that were tried, as the pages show them."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard.made_runs import book_of, put_baseline
from evidence.baselines import verification
from myquant.dashboard.runs_evidence import latest_verdicts, read_evidence
from myquant.errors import MyquantError
from myquant.evidence.decide import GateRequest, decide
from myquant.evidence.plan import Change, Verification
from myquant.evidence.report import BaselineReport, load
from myquant.evidence.verdicts import PHASES, Verdict

HEAVY = {"logging": 48.0, "csv_write": 35.0, "queue_ops": 5.0}
SLOWER = {"improvement_percent": -20.0}


def proven(_report: BaselineReport, change: Change, _kept: tuple[Change, ...]) -> Verification:
    """Keep the first change, and find the other slower."""
    return verification(change, **({} if change.component == "logging" else SLOWER))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a baseline on which the gate has decided, and one on which it has not."""
    directory = tmp_path_factory.mktemp("runs")
    base = put_baseline(directory / "base", shares=HEAVY, ticks=20_000)
    decide(GateRequest(base, applies=True), lambda: datetime(2025, 10, 3, 5, tzinfo=UTC), proven)
    put_baseline(directory / "plain")
    return directory


def test_verdicts_are_those_of_the_gate(folder: Path) -> None:
    found = read_evidence(folder / "base")
    assert [line.component for line in found.verdicts] == [*(phase.component for phase in PHASES), "gc"]
    by_name = {line.component: line for line in found.verdicts}
    logging = by_name["logging"]
    assert (logging.verdict, logging.setting, logging.variant, logging.change_to) == (
        Verdict.IMPLEMENT,
        "pipeline.logging",
        "sync",
        "async",
    )
    assert logging.share is not None
    assert logging.low is not None
    assert logging.low > logging.limit
    assert by_name["gc"].verdict == Verdict.SKIP
    json.dumps(found.as_dict(), allow_nan=False)


def test_what_was_kept_and_what_was_reverted(folder: Path) -> None:
    found = read_evidence(folder / "base")
    assert [(each.setting, each.before, each.after, each.is_kept) for each in found.optimisations] == [
        ("pipeline.logging", "sync", "async", True),
        ("pipeline.results", "direct", "buffered", False),
    ]
    kept, reverted = found.optimisations
    assert kept.ratio == pytest.approx((0.70, 0.69, 0.71))
    assert reverted.against[0] == "it is slower"
    assert reverted.ratio[0] == pytest.approx(1.2)
    assert (found.problems, found.decisions) == ((), 3)
    assert read_evidence(folder / "plain").optimisations == ()


@pytest.mark.parametrize(("change", "said"), [("edit", "was changed after it was recorded"), ("cut", "damaged")])
def test_a_trail_that_was_changed_says_so(folder: Path, tmp_path: Path, change: str, said: str) -> None:
    base = shutil.copytree(folder / "base", tmp_path / "base")
    path = next((base / "evidence").glob("verify_logging_*.json"))
    path.write_text(path.read_text().replace('"pairs": 40', '"pairs": 41') if change == "edit" else "{")
    found = read_evidence(base)
    assert any(said in problem for problem in found.problems)
    assert len(found.optimisations) == (2 if change == "edit" else 1)


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MyquantError, match="holds no baseline_report"):
        read_evidence(tmp_path)


def test_the_latest_verdicts_say_of_what_they_are(folder: Path, tmp_path: Path) -> None:
    report = load(folder / "base")
    ours = (report.environment.config_hash, report.environment.engine_hash)
    rows = book_of(folder).rows
    fitting = latest_verdicts(rows, *ours)
    assert fitting is not None
    assert fitting.of_another == ""
    other = latest_verdicts(rows, ours[0], "f" * 20)
    assert other is not None
    assert other.of_another == f"of another engine ({ours[1][:8]}, not ffffffff)"
    unknown = latest_verdicts(rows, None, None)
    assert unknown is not None
    assert "another engine" in unknown.of_another
    assert "another configuration" in unknown.of_another
    assert latest_verdicts(book_of(tmp_path).rows, *ours) is None
