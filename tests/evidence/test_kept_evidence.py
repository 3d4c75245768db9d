"""The evidence that is kept with the sources is whole, and proves what is shipped."""

import json
from pathlib import Path

import pytest

from myquant.config.loading import load_config
from myquant.evidence.audit import Trail
from myquant.evidence.gate import judge
from myquant.evidence.plan import Verification
from myquant.evidence.report import load
from myquant.evidence.verdicts import Verdict

KEPT = Path(__file__).parents[2] / "docs" / "evidence"
ROUNDS = sorted(KEPT.glob("round-*"))


def proof(folder: Path) -> Verification | None:
    """Return the verification of a round."""
    for path in (folder / "evidence").glob("verify_*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        fields = {name: value for name, value in values.items() if name in Verification.model_fields}
        return Verification.model_validate_json(json.dumps(fields))
    return None


@pytest.mark.parametrize("folder", ROUNDS, ids=lambda folder: folder.name)
def test_a_rounds_trail_is_whole_and_its_verdicts_follow_from_its_report(folder: Path) -> None:
    assert Trail(folder).problems() == []
    report = load(folder)
    assert report.run.commit is not None
    assert not report.run.commit.endswith("-dirty")
    wanted = [each.change for each in judge(report, report.thresholds).phases if each.change]
    found = proof(folder)
    assert [change.key for change in wanted] == ([found.key] if found else [])
    assert found is None or found.is_kept


def test_what_is_shipped_is_what_was_proven() -> None:
    assert len(ROUNDS) >= 3
    shipped = load_config().config.pipeline
    proofs = {found.key.partition(".")[2]: found for folder in ROUNDS if (found := proof(folder))}
    assert shipped.handoff == proofs["handoff"].after
    for part in ("frames", "results"):  # off: what the ablation shows is more than the better variant gains
        assert getattr(shipped, part) == "off"
        assert proofs[part].ablation_percent.low > 0
        assert proofs[part].ablation_percent.value > proofs[part].improvement_percent.value
    for folder in ROUNDS:
        phases = {each.phase.component: each for each in judge(load(folder), load(folder).thresholds).phases}
        assert phases["logging"].judgement.verdict is Verdict.SKIP
    assert shipped.logging == "sync"
