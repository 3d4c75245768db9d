"""`myquant gate`: what a baseline proves, switched on and proven again."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, examples

if TYPE_CHECKING:
    from myquant.config.loading import LoadedConfig
    from myquant.evidence.decide import GateRequest
    from myquant.evidence.plan import Change, Verification
    from myquant.evidence.report import BaselineReport
    from myquant.strategies.loading import LoadedStrategy

EXAMPLES: Final = examples(
    "myquant gate runs/plain",
    "myquant gate runs/plain --apply --verify",
    "myquant gate runs/plain --apply --overlay fast.toml",
    "myquant gate runs/plain --set evidence.logging_percent=25",
)
EXIT_CODES: Final = """\b
Exit codes: 0 judged, whatever the verdicts; 1 failed; 2 usage, configuration,
a report of another version or configuration, an overlay of your own;
3 a damaged report, too few ticks, a trail that was changed"""


def gate(
    report: Annotated[
        Path, typer.Argument(metavar="REPORT", show_default=False, help="A report, or its folder: the newest in it.")
    ],
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Switch on what is proven, in an overlay.")] = False,
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay", metavar="FILE", help="Where --apply writes; else evidence/overlay.toml beside REPORT."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove each change in interleaved pairs; revert what is not proven.")
    ] = False,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge a baseline: which optimisations it proves worth it, and act on it.

    IMPLEMENT: the whole 95 % interval of the share lies above the threshold. SKIP: below it. UNDECIDED: the threshold
    lies in it. UNKNOWN: not measured, or too few samples. The thresholds are those of the baseline, or with --config or
    --set those given. Everything is recorded under evidence/ beside REPORT.
    """
    from myquant.cli.evidence_print import print_decision
    from myquant.errors import ConfigError
    from myquant.evidence.decide import GateRequest, decide

    if overlay is not None and not apply:
        raise ConfigError(f"--overlay {overlay}: is written by --apply only: give that, too")
    given = _given(report, config, assignments) if config is not None or assignments else None
    request = GateRequest(report, given, applies=apply, overlay=overlay)
    decision = decide(request, lambda: datetime.now(UTC), _prover(request) if verify else None)
    print_decision(decision, as_json=as_json)


def _given(report: Path, config: list[Path] | None, assignments: list[str] | None) -> "LoadedConfig":
    """Return the configuration that was given for judging, with the section of the report's strategy."""
    from myquant.cli.settings import load_settings
    from myquant.evidence.report import load
    from myquant.evidence.write import config_path

    found = load(report)
    folder = report if report.is_dir() else report.parent
    own = config_path(folder, found)  # `--set` alone changes the report's own
    base = config if config or not own.exists() else [own]
    return load_settings(found.run.strategy, config=base, assignments=assignments)


def _prover(
    request: "GateRequest",
) -> "Callable[[BaselineReport, Change, tuple[Change, ...]], Verification]":
    """Return what proves a change: the strategy and the configuration of the report, with the changes kept so far."""
    from myquant.cli.progress import progress_bar
    from myquant.evidence.plan import VerifyPlan
    from myquant.evidence.verify import verify

    folder = request.report if request.report.is_dir() else request.report.parent

    def prove(report: "BaselineReport", change: "Change", kept: "tuple[Change, ...]") -> "Verification":
        strategy, loaded = _as_measured(folder, report, kept)
        settings = loaded.config.evidence
        with progress_bar(f"verify {change.key}", settings.pairs) as tell:
            return verify(VerifyPlan(report, change, loaded, strategy, report.run.seed, folder), tell)

    return prove


def _as_measured(
    folder: Path, report: "BaselineReport", kept: "tuple[Change, ...]"
) -> "tuple[LoadedStrategy, LoadedConfig]":
    """Return a report's strategy and configuration, with some changes; ConfigError when they are no longer the same."""
    from myquant.cli.settings import own_sections
    from myquant.config.loading import load_config
    from myquant.errors import ConfigError
    from myquant.evidence.decide import changed_config
    from myquant.evidence.write import config_path
    from myquant.strategies.loading import load_strategy

    again = "measure again with `myquant baseline`"
    strategy = load_strategy(report.run.strategy)
    if strategy.engine_hash != report.environment.engine_hash:
        raise ConfigError(f"{folder}: the engine or the strategy has changed since this report: {again}")
    path, sections = config_path(folder, report), own_sections(strategy)
    if load_config(files=[path], sections=sections).hash != report.environment.config_hash:
        raise ConfigError(f"{path}: is not the configuration that the report was made with: {again}")
    return strategy, changed_config(
        lambda changes: load_config(files=[path], assignments=changes, sections=sections), kept
    )
