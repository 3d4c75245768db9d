"""The gate at work: judge a report, switch on what is proven, prove it in pairs, and keep the trail."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from myquant.config.loading import LoadedConfig
from myquant.errors import ConfigError, DataError
from myquant.evidence.audit import FOLDER, Trail
from myquant.evidence.files import newest, sha256
from myquant.evidence.gate import Judged, PhaseJudgement, as_document, judge, thresholds_of
from myquant.evidence.overlay import Switched, overlay_text, refuse_foreign, write_overlay
from myquant.evidence.plan import Change, Verification, workload_hash
from myquant.evidence.report import PATTERN, BaselineReport, load
from myquant.evidence.text import judged_line, verified_line

OVERLAY: Final = "overlay.toml"
SCHEMA_VERSION: Final = 1
MAKE_ONE: Final = "make a report with `myquant baseline`"

Verify = Callable[[BaselineReport, Change, tuple[Change, ...]], Verification]


@dataclass(frozen=True)
class GateRequest:
    """What the gate is asked.

    Attributes:
        report: a report's file, or the folder of some, of which the newest counts.
        given: a configuration whose thresholds hold instead of the report's own; the report must be of its workload.
        applies: write the overlay.
        overlay: where; else `evidence/overlay.toml` beside the report.
    """

    report: Path
    given: LoadedConfig | None = None
    applies: bool = False
    overlay: Path | None = None


@dataclass(frozen=True)
class Decision:
    """What the gate decided: the verdicts, what was proven, and where it is written."""

    path: Path
    report: BaselineReport
    judged: Judged
    overlay: Path | None
    overlay_changed: bool
    verifications: tuple[Verification, ...]
    records: tuple[Path, ...]
    document: dict[str, Any]

    @property
    def kept(self) -> tuple[Change, ...]:
        """The changes that follow and were not reverted."""
        reverted = {each.key for each in self.verifications if not each.is_kept}
        return tuple(change for change in self.judged.changes if change.key not in reverted)


def decide(request: GateRequest, now: Callable[[], datetime], verify: Verify | None = None) -> Decision:
    """Judge a report and act on it; every decision is recorded under `evidence/` beside the report.

    `verify(report, change, kept)` proves a change on top of those that were kept; None: nothing is verified. Raises
    ConfigError and DataError for a report or an overlay that can't be used, and for a trail that was changed.
    """
    path = newest(request.report, PATTERN, MAKE_ONE) if request.report.is_dir() else request.report
    report, thresholds = _judgeable(path, request.given)
    judged = judge(report, thresholds)
    trail = Trail(path.parent)
    trail.refuse_changed()
    overlay = (request.overlay or path.parent / FOLDER / OVERLAY) if request.applies else None
    if overlay is not None:
        refuse_foreign(overlay)
    document = {
        "schema_version": SCHEMA_VERSION,
        "report": path.name,
        "report_sha256": sha256(path),
        "provenance": report.provenance,
        "thresholds": thresholds,
        "verdicts": as_document(judged),
        "overlay": None,
    }
    decision = Decision(path, report, judged, overlay, overlay_changed=False, verifications=(), records=(), document={})
    if overlay is not None:
        decision = _applied(decision, document, proves=verify is not None)
    decision = replace(decision, document=document, records=(trail.record("gate", now(), document),))
    return decision if verify is None else _verified(decision, trail, now, verify)


def _judgeable(path: Path, given: LoadedConfig | None) -> tuple[BaselineReport, dict[str, float]]:
    """Return the report and the thresholds that hold for it."""
    if given is None:
        report = load(path)
        thresholds = report.thresholds
    else:
        thresholds = thresholds_of(given)
        report = load(path, workload_hash=workload_hash(given))
    return load(path, min_ticks=int(thresholds["min_ticks"])), thresholds


def _applied(decision: Decision, document: dict[str, Any], *, proves: bool) -> Decision:
    """Write the overlay as the decision stands, and note it in the document.

    `proves`: what is not proven yet stays off, so that it is off whatever ends the proof.
    """
    if decision.overlay is None:
        return decision
    text = overlay_text(decision.path.name, sha256(decision.path), _switched(decision, proves=proves))
    changed = write_overlay(decision.overlay, text)
    document["overlay"] = {
        "file": str(decision.overlay),
        "sha256": sha256(decision.overlay),
        "changed": changed,
        "text": text,
    }
    return replace(decision, overlay_changed=decision.overlay_changed or changed)


def _switched(decision: Decision, *, proves: bool) -> list[Switched]:
    """Return the settings of the overlay: what is proven and not reverted, and what was on already."""
    found = {each.key: each for each in decision.verifications}
    switches = (_switch(each, found.get(each.phase.setting), proves=proves) for each in decision.judged.phases)
    return [switched for switched in switches if switched]


def _switch(each: PhaseJudgement, verified: Verification | None, *, proves: bool) -> Switched | None:
    phase, reasons = each.phase, (judged_line(each),)
    if each.is_on:
        return Switched(phase.setting, "", each.variant, reasons)
    if each.change is None:
        return None
    if verified is None:
        said = "Off until it is proven." if proves else "Not verified: --verify proves it."
        return Switched(phase.setting, each.variant, phase.optimised, (*reasons, said), is_on=not proves)
    return Switched(
        phase.setting, each.variant, phase.optimised, (*reasons, verified_line(verified)), is_on=verified.is_kept
    )


def _verified(decision: Decision, trail: Trail, now: Callable[[], datetime], verify: Verify) -> Decision:
    """Prove the changes one after the other, each on top of those kept; take out of the overlay what is not proven."""
    for change in decision.judged.changes:
        kept = tuple(each for each in decision.kept if each.key in {done.key for done in decision.verifications})
        found = verify(decision.report, change, kept)
        if (found.key, found.before, found.after) != (change.key, change.before, change.after):
            raise DataError(f"{found.key}: was verified where {change.key} was asked: verify again")
        decision = replace(decision, verifications=(*decision.verifications, found))
        document = {
            "schema_version": SCHEMA_VERSION,
            "report": decision.path.name,
            "report_sha256": sha256(decision.path),
            "provenance": decision.report.provenance,
            **found.model_dump(mode="json"),
            "decisions_identical": found.are_decisions_identical,
            "kept": found.is_kept,
            "against": found.against,
            "kept_before_it": [each.key for each in kept],
            "overlay": None,
        }
        decision = _applied(decision, document, proves=True)
        record = trail.record(f"verify_{change.key.partition('.')[2]}", now(), document)
        decision = replace(decision, records=(*decision.records, record))
    return decision


def changed_config(load_with: Callable[[list[str]], LoadedConfig], changes: tuple[Change, ...]) -> LoadedConfig:
    """Return a configuration with some changes. Raises ConfigError when one has no effect: another layer wins."""
    loaded = load_with([f'{change.key}="{change.after}"' for change in changes])
    for change in changes:
        if loaded.values[change.key] != change.after:
            raise ConfigError(f'{change.key}: stays "{loaded.values[change.key]}", not "{change.after}"')
    return loaded
