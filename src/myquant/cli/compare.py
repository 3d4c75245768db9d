"""`myquant compare`: two baselines, or two benchmarks; what became slower."""

from pathlib import Path
from typing import Annotated, Final

import typer

from myquant.cli.options import examples

EXAMPLES: Final = examples(
    "myquant compare runs/before runs/after",
    "myquant compare bench/out/base.json bench/out/results.json --json",
    "myquant compare --history runs",
)
EXIT_CODES: Final = """\b
Exit codes: 0 no regression is proven; 1 one is, or the command failed;
2 usage, files of two kinds, another version; 3 a damaged file"""
WORSE: Final = 1


def compare(
    base: Annotated[
        Path | None,
        typer.Argument(metavar="BASE", show_default=False, help="A report, its folder, or results of a benchmark."),
    ] = None,
    new: Annotated[
        Path | None, typer.Argument(metavar="NEW", show_default=False, help="What is compared with it, of its kind.")
    ] = None,
    *,
    history: Annotated[
        Path | None,
        typer.Option(
            "--history", metavar="FOLDER", help="Instead: since when all reports below a folder have changed."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two baselines, or two benchmarks, component by component; exit 1 when something is proven to be slower.

    Two runs are no interleaved pairs: a difference counts when it is larger than what two runs of the same code differ
    by: 1 % of computing where both have the time of the reference kernel, 15 % of waiting or without it.
    """
    from myquant.cli.evidence_print import print_compared, print_trend
    from myquant.errors import ConfigError
    from myquant.evidence.compare import compare_files
    from myquant.evidence.trend import trend

    if history is not None:
        if base is not None:
            raise ConfigError("--history and BASE: give one of the two")
        print_trend(trend(history), as_json=as_json)
        return
    if base is None or new is None:
        raise ConfigError("BASE and NEW are missing: name two reports, or --history FOLDER; see myquant compare --help")
    found = compare_files(base, new)
    print_compared(found, as_json=as_json)
    raise typer.Exit(WORSE if found.regressions else 0)
