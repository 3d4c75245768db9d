"""`myquant backtest`: run recorded ticks through a strategy."""

from pathlib import Path
from typing import Annotated, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, Strategy, TickFiles, examples

EXAMPLES: Final = examples(
    "myquant backtest ticks.csv",
    "myquant backtest NIFTY07OCT2524900CE.csv.gz --out runs/first --excel",
    "myquant backtest day1.csv day2.csv --set capital.initial_capital=1000000",
    "myquant backtest ticks.parquet --strategy my_strategy.py --config mine.toml",
    "myquant backtest days/*.parquet --separate --json > summaries.json",
)


def backtest(
    ticks: TickFiles,
    *,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    strategy: Strategy = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where the results go; else runs/<time>-<name of the ticks>."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of the summary.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that is no usable tick.")] = False,
    close_at_end: Annotated[
        bool, typer.Option("--close-at-end", help="Exit what is open after the last tick, as end_of_data.")
    ] = False,
    excel: Annotated[bool, typer.Option("--excel", help="Write an Excel workbook, too.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.html.")] = False,
    separate: Annotated[
        bool,
        typer.Option("--separate", help="Run each file by itself, with its own account and folder, on all cores."),
    ] = False,
) -> None:
    """Run recorded ticks through a strategy.

    The results are a folder with trades.csv, equity.csv, summary.json, config.toml and report.html. Several files share
    one account, their ticks merged by time, unless --separate is given. A file without a symbol column holds
    the contract that it is named after, else instrument.symbol.
    """
    from myquant.cli.run import Request, run
    from myquant.cli.summary import print_runs, print_summary

    flags = {
        "--strict": (strict, "data_quality.strict=true"),
        "--close-at-end": (close_at_end, "execution.close_at_end=true"),
        "--excel": (excel, "results.excel=true"),
        "--no-report": (no_report, "results.report=false"),
    }
    chosen = {option: assignment for option, (given, assignment) in flags.items() if given}
    request = Request(tuple(ticks), tuple(config or ()), tuple(assignments or ()), chosen, strategy, out)
    if separate:
        from myquant.cli.separate import run_separately

        raise typer.Exit(print_runs(run_separately(request), as_json=as_json))
    print_summary(run(request), as_json=as_json)
