"""From shares to verdicts, from verdicts to an overlay, and the trail of both."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence.baselines import make_breakdown, make_facts, make_report, plain_config, saved, verification
from myquant.config.loading import load_config
from myquant.errors import ConfigError, DataError
from myquant.evidence.audit import Trail
from myquant.evidence.build import build_report
from myquant.evidence.decide import GateRequest, decide
from myquant.evidence.gate import PhaseJudgement, judge
from myquant.evidence.plan import Change, Verification
from myquant.evidence.report import BaselineReport
from myquant.evidence.verdicts import Verdict

THRESHOLDS = {"logging": 40.0, "csv_write": 30.0, "queue_ops": 20.0, "dataframe_ops": 25.0}
NOW = datetime(2025, 10, 3, 5, 0, tzinfo=UTC)
HOT = {"logging": 55.0, "csv_write": 40.0}
LOGGING = "pipeline.logging"


def now() -> datetime:
    return NOW


def of(report: BaselineReport, component: str) -> PhaseJudgement:
    return next(each for each in judge(report, report.thresholds).phases if each.phase.component == component)


@pytest.mark.parametrize("component", THRESHOLDS)
@pytest.mark.parametrize(("off", "verdict"), [(6.0, Verdict.IMPLEMENT), (-6.0, Verdict.SKIP)])
def test_the_verdict_flips_at_the_threshold(component: str, off: float, verdict: Verdict) -> None:
    for seed in (1, 2):
        report = make_report({component: THRESHOLDS[component] + off}, ticks=10_000, seed=seed)
        found = of(report, component)
        assert found.judgement.verdict == verdict
        assert (found.change is not None) == (verdict == Verdict.IMPLEMENT)
        assert (
            report.recommendations == () or verdict == Verdict.IMPLEMENT or component not in report.recommendations[0]
        )


@pytest.mark.parametrize(("share", "verdict"), [(45.0, Verdict.IMPLEMENT), (22.0, Verdict.SKIP)])
def test_shares_that_are_often_misread(share: float, verdict: Verdict) -> None:
    """Where nested spans are counted twice, or the last of repeated ones only, 45 % reads as 38, and 22 % as 39."""
    assert of(make_report({"logging": share}, ticks=20_000), "logging").judgement.verdict == verdict


def test_on_the_threshold_more_ticks_are_asked_for() -> None:
    report = make_report({"logging": 40.0}, ticks=8_000, every=4)
    judgement = of(report, "logging").judgement
    if judgement.ticks_needed is None:
        assert "measuring longer won't tell" in judgement.reason
    else:
        assert judgement.ticks_needed % 4 == 0
        assert f"{judgement.ticks_needed:,} more in all" in judgement.reason
    assert judgement.verdict == Verdict.UNDECIDED
    assert of(report, "logging").change is None


@pytest.mark.parametrize("component", THRESHOLDS)
def test_what_was_not_measured_is_unknown_and_never_skipped(component: str) -> None:
    judgement = of(make_report({"journal": 10.0}, absent=(component,)), component).judgement
    assert (judgement.verdict, judgement.share) == (Verdict.UNKNOWN, None)


def test_too_few_samples_are_unknown() -> None:
    few = of(make_report({"logging": 90.0}, ticks=4_000, every=4), "logging").judgement
    assert (few.verdict, few.ticks_needed) == (Verdict.UNKNOWN, 4_000)
    never = of(make_report({"journal": 10.0}), "dataframe_ops").judgement
    assert never.verdict == Verdict.UNKNOWN
    assert "entered in 0" in never.reason


def test_a_pipeline_that_is_optimised_already_needs_no_change() -> None:
    report = make_report({"logging": 60.0}, plain_config("pipeline.logging=async"))
    found = of(report, "logging")
    assert (found.judgement.verdict, found.change, found.is_on) == (Verdict.IMPLEMENT, None, True)


def test_a_ring_that_still_takes_too_much_gives_way_to_no_hand_off() -> None:
    loaded = plain_config("pipeline.handoff=ring")
    found = of(make_report({"queue_ops": 30.0}, loaded), "queue_ops")
    assert found.change is not None
    assert (found.change.before, found.change.after, found.is_on) == ("ring", "callback", False)
    found = of(make_report({"queue_ops": 5.0}, loaded), "queue_ops")
    assert (found.judgement.verdict, found.change, found.is_on) == (Verdict.SKIP, None, True)


@pytest.mark.parametrize(("pauses", "verdict"), [(0, Verdict.SKIP), (30, Verdict.IMPLEMENT)])
def test_collections_are_judged_by_the_slowest_ticks(pauses: int, verdict: Verdict) -> None:
    report = make_report({"journal": 10.0}, ticks=6_000, pauses=pauses)
    found = judge(report, report.thresholds).gc
    assert found.verdict == verdict
    assert found.n == 60
    assert any("garbage" in advice for advice in report.recommendations) == (verdict == Verdict.IMPLEMENT)
    unwatched = make_report({"journal": 10.0}, absent=("gc",))
    assert judge(unwatched, unwatched.thresholds).gc.verdict == Verdict.UNKNOWN


def test_recommendations_name_the_surest_gain_first() -> None:
    shares = {"logging": 40.0, "csv_write": 40.0}
    advice = make_report(shares, ticks=4_000).recommendations
    assert advice[0].startswith('Set pipeline.results = "buffered" (phase 3, HIGH): csv_write takes ')
    assert advice[-1].startswith("Delivery by callback has a p99 of ")


def test_the_overlay_is_a_configuration_and_goes_away_again(tmp_path: Path) -> None:
    path = saved(tmp_path, HOT)
    decision = decide(GateRequest(path, applies=True), now)
    overlay = tmp_path / "evidence" / "overlay.toml"
    assert decision.overlay == overlay
    text = overlay.read_text()
    assert 'logging = "async"  # was "sync"' in text
    assert "# logging: IMPLEMENT. 5" in text
    assert path.name in text
    assert "results" in text
    plain = load_config(values={"pipeline": {"logging": "sync", "results": "direct"}})
    loaded = load_config(files=[overlay])
    changed = {name for name, value in loaded.values.items() if value != plain.values[name]}
    assert changed == {"pipeline.logging", "pipeline.results"}
    overlay.unlink()
    assert load_config().hash == load_config(values={}).hash


def test_applying_twice_changes_nothing(tmp_path: Path) -> None:
    saved(tmp_path, HOT)
    first = decide(GateRequest(tmp_path, applies=True), now)
    text = (tmp_path / "evidence" / "overlay.toml").read_bytes()
    again = decide(GateRequest(tmp_path, applies=True), now)
    assert (first.overlay_changed, again.overlay_changed) == (True, False)
    assert (tmp_path / "evidence" / "overlay.toml").read_bytes() == text


def test_nothing_proven_switches_nothing_on(tmp_path: Path) -> None:
    saved(tmp_path, {"logging": 10.0})
    decision = decide(GateRequest(tmp_path, applies=True), now)
    assert decision.judged.changes == ()
    assert load_config(files=[tmp_path / "evidence" / "overlay.toml"]).hash == load_config().hash


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[risk]\nbase_sl_points = 20\n", "was not written by"), (None, "was changed by hand")],
)
def test_a_file_of_the_users_is_not_written_over(tmp_path: Path, text: str | None, expected: str) -> None:
    saved(tmp_path, HOT)
    mine = tmp_path / "mine.toml"
    if text is None:
        decide(GateRequest(tmp_path, applies=True, overlay=mine), now)
        text = mine.read_text().replace('logging = "async"', 'logging = "sync"')
    mine.write_text(text)
    before = sorted(each.name for each in (tmp_path / "evidence").glob("*"))
    with pytest.raises(ConfigError, match=expected):
        decide(GateRequest(tmp_path, applies=True, overlay=mine), now)
    assert mine.read_text() == text
    assert sorted(each.name for each in (tmp_path / "evidence").glob("*")) == before


@pytest.mark.parametrize(
    ("changes", "against"),
    [
        ({}, []),
        ({"improvement_percent": 0.9}, ["the interval of the improvement holds zero"]),
        ({"improvement_percent": -3.0}, ["it is slower"]),
        ({"decisions_after": "bb"}, ["the decisions of both runs differ"]),
        ({"control_percent": 2.0}, ["the control, before against before, shows a difference"]),
    ],
)
def test_a_change_is_kept_when_all_of_its_proof_holds(
    tmp_path: Path, changes: dict[str, Any], against: list[str]
) -> None:
    saved(tmp_path, {"logging": 55.0})
    decision = decide(
        GateRequest(tmp_path, applies=True), now, lambda _report, change, _kept: verification(change, **changes)
    )
    (found,) = decision.verifications
    assert [reason.partition(":")[0] for reason in found.against] == against
    loaded = load_config(files=[tmp_path / "evidence" / "overlay.toml"])
    assert loaded.values[LOGGING] == ("sync" if against else "async")
    assert (len(decision.kept), found.is_kept) == ((0, False) if against else (1, True))
    text = (tmp_path / "evidence" / "overlay.toml").read_text()
    assert ("REVERTED: " if against else "KEPT") in text
    record = json.loads((tmp_path / "evidence" / "verify_logging_20251003-050000.json").read_text())
    assert record["kept"] == (not against)
    assert record["against"] == found.against
    assert record["provenance"]["config_hash"]


def test_each_change_is_proven_on_top_of_those_that_were_kept(tmp_path: Path) -> None:
    saved(tmp_path, {"logging": 48.0, "csv_write": 35.0, "queue_ops": 5.0}, ticks=20_000)
    asked: list[tuple[str, tuple[str, ...]]] = []

    def verify(_report: BaselineReport, change: Change, kept: tuple[Change, ...]) -> Verification:
        asked.append((change.key, tuple(each.key for each in kept)))
        return verification(change)

    decide(GateRequest(tmp_path), now, verify)
    assert asked == [(LOGGING, ()), ("pipeline.results", (LOGGING,))]
    assert not (tmp_path / "evidence" / "overlay.toml").exists()


def test_every_decision_is_recorded_in_a_chain(tmp_path: Path) -> None:
    path = saved(tmp_path, HOT)
    decide(GateRequest(path, applies=True), now, lambda _report, change, _kept: verification(change))
    decide(GateRequest(path), now)
    trail = Trail(tmp_path)
    lines = [json.loads(line) for line in trail.index.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["gate", "verify_logging", "verify_results", "gate"]
    assert [line["file"] for line in lines][-1] == "gate_20251003-050000-2.json"
    assert trail.problems() == []
    gate = json.loads((tmp_path / "evidence" / lines[0]["file"]).read_text())
    assert [each["verdict"] for each in gate["verdicts"]][:2] == ["IMPLEMENT", "IMPLEMENT"]
    assert gate["overlay"]["text"].startswith("# Written by")


def _change_file(trail: Trail) -> None:
    path = trail.folder / "gate_20251003-050000.json"
    path.write_text(path.read_text().replace("IMPLEMENT", "SKIP"))


def _remove_file(trail: Trail) -> None:
    (trail.folder / "gate_20251003-050000.json").unlink()


def _drop_line(trail: Trail) -> None:
    trail.index.write_text("".join(trail.index.read_text().splitlines(keepends=True)[1:]))


def _drop_last_line(trail: Trail) -> None:
    trail.index.write_text("".join(trail.index.read_text().splitlines(keepends=True)[:-1]))


def _drop_index(trail: Trail) -> None:
    trail.index.unlink()


def _put_in(trail: Trail) -> None:
    (trail.folder / "verify_logging_20251003-050000.json").write_text("{}")


def _swap_lines(trail: Trail) -> None:
    first, second = trail.index.read_text().splitlines(keepends=True)
    trail.index.write_text(second + first)


def _garble(trail: Trail) -> None:
    trail.index.write_text("garbled\n")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_change_file, "was changed after it was recorded"),
        (_remove_file, "is gone"),
        (_drop_line, "does not follow"),
        (_drop_last_line, "-2.json: is not in the index"),
        (_drop_index, "is not in the index"),
        (_put_in, "is not in the index"),
        (_swap_lines, "does not follow"),
        (_garble, "it is no line of this file"),
    ],
)
def test_a_trail_that_was_changed_shows(tmp_path: Path, damage: Callable[[Trail], None], expected: str) -> None:
    saved(tmp_path, HOT)
    decide(GateRequest(tmp_path), now)
    decide(GateRequest(tmp_path), now)
    damage(Trail(tmp_path))
    assert any(expected in problem for problem in Trail(tmp_path).problems())
    with pytest.raises(DataError, match=expected):
        decide(GateRequest(tmp_path, applies=True), now)
    assert not (tmp_path / "evidence" / "overlay.toml").exists()


def test_the_thresholds_are_the_reports_or_those_given(tmp_path: Path) -> None:
    path = saved(tmp_path, {"logging": 30.0})
    assert decide(GateRequest(path), now).judged.changes == ()
    given = plain_config("evidence.logging_percent=20")
    assert [each.key for each in decide(GateRequest(path, given), now).judged.changes] == [LOGGING]
    with pytest.raises(ConfigError, match="another configuration"):
        decide(GateRequest(path, plain_config("risk.base_sl_points=21")), now)
    with pytest.raises(DataError, match=r"fewer than evidence.min_ticks = 5000"):
        decide(GateRequest(path, plain_config("evidence.min_ticks=5000")), now)


def test_a_share_that_the_instrument_made_is_not_the_components() -> None:
    """What calibration takes off is not judged: raw, logging would seem to be worth it."""
    breakdown = make_breakdown({"logging": 38.0}, ticks=20_000)
    raw = breakdown.raw_ns.copy()
    raw[:, 0] -= breakdown.overhead_ns
    raw[:, 8] += 20_000.0
    report = build_report(replace(breakdown, raw_ns=raw), make_facts())
    found = report.component_breakdown["logging"]
    assert found.raw_percent_of_total is not None
    assert found.raw_percent_of_total.low > 40
    assert of(report, "logging").judgement.verdict != Verdict.IMPLEMENT
