"""`myquant baseline`: measure the whole pipeline, component by component."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, Strategy, examples

if TYPE_CHECKING:
    from myquant.config.loading import LoadedConfig
    from myquant.strategies.loading import LoadedStrategy

EXAMPLES: Final = examples(
    "myquant baseline --plain",
    "myquant baseline NIFTY24NOV2625000CE.csv --ticks 50000 --asap",
    "myquant baseline --rate 1000 --set pipeline.logging=async",
)
EXIT_CODES: Final = """\b
Exit codes: 0 measured, whether or not the targets are met; 1 failed;
2 usage or configuration; 3 data; 5 broker"""
TICKS: Final = 20_000
RATE_PER_S: Final = 470.0  # not in step with the millisecond of a poll
SEED: Final = 1
NAME: Final = Path("baseline")  # of the folder, behind the time
FEEDS: Final = ("angelone",)


def baseline(
    ticks: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[TICKS]...", show_default=False, help="Files of ticks; else a day is generated."),
    ] = None,
    *,
    count: Annotated[int, typer.Option("--ticks", metavar="N", help="How many ticks to measure.")] = TICKS,
    feed: Annotated[
        str | None, typer.Option("--feed", metavar="NAME", help="Measure a broker's own feed instead: angelone.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="R", help=f"Ticks a second, else {RATE_PER_S:g}.")
    ] = None,
    asap: Annotated[bool, typer.Option("--asap", help="Flat out, as fast as they are taken.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="With every variant of [pipeline] plain.")] = False,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    strategy: Strategy = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where the report goes; else runs/<time>-baseline."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the generated day and of the sample.")] = SEED,
    memory: Annotated[
        bool, typer.Option("--memory", help="A second, slow pass: what each component keeps in memory.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Measure the whole pipeline: where a tick's time goes, how long it takes, and what is worth optimising.

    The ticks come through a socket in the broker's format, paced or flat out, and are taken as in a session. Leaves
    baseline_report_<time>.json, detailed_metrics_<time>.csv, decision_<time>.txt and baseline.html.
    """
    from myquant.cli.evidence_print import print_baseline
    from myquant.cli.folder import run_folder
    from myquant.cli.progress import progress_bar
    from myquant.evidence.baseline import run_baseline
    from myquant.evidence.plan import BaselinePlan
    from myquant.evidence.write import write_baseline
    from myquant.strategies.loading import load_strategy

    _refuse_contradictions(ticks, feed, rate, asap=asap)
    chosen = load_strategy(strategy)
    loaded = _settings(chosen, config, assignments, count, plain=plain)
    with run_folder(out, loaded.config.results.directory, [NAME]) as folder:
        plan = BaselinePlan(
            inputs=tuple(ticks or ()),
            feed=feed,
            ticks=count,
            rate_per_s=None if asap or feed else rate or RATE_PER_S,
            seed=seed,
            loaded=loaded,
            strategy=chosen,
            strategy_name=strategy,
            folder=folder,
            traces_memory=memory,
        )
        with progress_bar("baseline", count) as tell:
            result = run_baseline(plan, tell)
        print_baseline(result.report, write_baseline(result, loaded, folder), as_json=as_json)


def _refuse_contradictions(ticks: list[Path] | None, feed: str | None, rate: float | None, *, asap: bool) -> None:
    from myquant.errors import ConfigError

    if feed is not None and feed not in FEEDS:
        raise ConfigError(f"--feed {feed}: no such broker; there is {', '.join(FEEDS)}")
    if feed is not None and ticks:
        raise ConfigError(f"--feed {feed}: a broker's feed has its own ticks: leave {ticks[0]} out, or --feed")
    if feed is not None and (asap or rate is not None):
        raise ConfigError(f"--feed {feed}: a broker's feed has its own pace: leave --rate and --asap out")
    if asap and rate is not None:
        raise ConfigError("--asap and --rate: give one of the two")
    if rate is not None and not 0 < rate <= 10_000_000:
        raise ConfigError(f"--rate {rate:g}: must be above 0 and at most 10000000 ticks a second")


def _settings(
    strategy: "LoadedStrategy", config: list[Path] | None, assignments: list[str] | None, count: int, *, plain: bool
) -> "LoadedConfig":
    """Return the configuration; that it is plain goes before everything else. ConfigError where it wants more ticks."""
    from dataclasses import replace

    from myquant.cli.settings import load_settings
    from myquant.errors import ConfigError
    from myquant.evidence.plan import PLAIN

    chosen = [f"{key}={value}" for key, value in PLAIN.items()] if plain else []
    loaded = load_settings(strategy, config=config, assignments=[*(assignments or ()), *chosen])
    least = loaded.config.evidence.min_ticks
    if count < least:
        raise ConfigError(f"--ticks {count}: fewer than evidence.min_ticks = {least}: every verdict would be UNKNOWN")
    return replace(loaded, origins=loaded.origins | dict.fromkeys(PLAIN, "--plain")) if plain else loaded
