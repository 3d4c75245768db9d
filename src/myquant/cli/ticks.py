"""`myquant ticks`: check, convert, generate and describe files of ticks."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from myquant.cli.options import Assignments, ConfigFiles, TickFiles, examples

FIRST_DAY: Final = datetime(2025, 10, 3)  # noqa: DTZ001  (a date: typer knows none)

app = typer.Typer(help="Check, convert, generate and describe files of ticks.", rich_markup_mode=None)

Target: TypeAlias = Annotated[
    Path, typer.Argument(metavar="OUT", show_default=False, help="A new .csv, .csv.gz, .csv.zst or .parquet file.")
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")]


@app.command(
    epilog=examples(
        "myquant ticks check ticks.csv",
        "myquant ticks check days/*.csv.gz --strict",
        "myquant ticks check ticks.csv --set data_quality.rejected_examples=20",
    )
)
def check(
    files: TickFiles,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when any row is rejected.")] = False,
) -> None:
    """Count the rows that a backtest would reject, by reason, and name the first lines.

    Notes name the days that no table of the market covers and those on which it was closed.
    Exit code 3 when a file cannot be read or has no valid row; with --strict, when any row is rejected.
    """
    from myquant.cli.settings import load_settings
    from myquant.cli.tick_check import check_files

    flags = {"--strict": "data_quality.strict=true"} if strict else {}
    check_files(files, load_settings(None, config=config, assignments=assignments, flags=flags))


@app.command(
    epilog=examples(
        "myquant ticks convert ticks.csv ticks.parquet",
        "myquant ticks convert days/*.csv.gz all.parquet",
        "myquant ticks convert utc.csv ist.parquet --set session.timezone=UTC",
    )
)
def convert(
    sources: Annotated[
        list[Path], typer.Argument(metavar="IN", show_default=False, help="CSV (also .gz, .zst) or Parquet files.")
    ],
    target: Target,
    *,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    force: Force = False,
) -> None:
    """Write ticks into another kind of file.

    Several files are merged by time; rejected rows are left out and counted. Naive times are taken in the session's
    time zone; what is written carries its offset.
    """
    from myquant.cli.settings import load_settings
    from myquant.cli.tick_files import convert_files

    settings = load_settings(None, config=config, assignments=assignments).config
    convert_files(sources, target, settings, force=force)


@app.command(
    epilog=examples(
        "myquant ticks generate day.csv",
        "myquant ticks generate week.parquet --days 5 --from 2025-10-06 --seed 7",
        "myquant ticks generate call.csv.gz --symbol NIFTY07OCT2524900CE --quotes",
    )
)
def generate(
    target: Target,
    *,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, help="How many trading days.")] = 1,
    first_day: Annotated[
        datetime,
        typer.Option(
            "--from",
            metavar="DATE",
            formats=["%Y-%m-%d"],
            show_default="2025-10-03",
            help="The first day, if it is a trading day.",
        ),
    ] = FIRST_DAY,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same ticks.")] = 1,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="liquid, trending, interrupted or illiquid.")
    ] = "liquid",
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", metavar="SYMBOL", help="A trading symbol, for a symbol column; can be repeated."),
    ] = None,
    quotes: Annotated[bool, typer.Option("--quotes", help="With bid and ask.")] = False,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    force: Force = False,
) -> None:
    """Generate days of option ticks that look like recorded ones.

    Days and hours are the exchange's; lots and tick sizes are those of the contract on each day.
    """
    from myquant.cli.settings import load_settings
    from myquant.cli.tick_generate import Wish, generate_file

    settings = load_settings(None, config=config, assignments=assignments).config
    wish = Wish(days, first_day.date(), seed, profile, tuple(dict.fromkeys(symbols or ())), quotes)
    generate_file(target, wish, settings, force=force)


@app.command(
    epilog=examples(
        "myquant ticks info ticks.csv",
        "myquant ticks info recorded.csv generated.csv",
        "myquant ticks info stock.csv --set instrument.lot_size=1",
    )
)
def info(files: TickFiles, config: ConfigFiles = None, assignments: Assignments = None) -> None:
    """Describe files of ticks by their statistics, side by side.

    The rows that a backtest would reject are left out. Shares are of 0..1, sizes of moves are parts of the price.
    """
    from myquant.cli.settings import load_settings
    from myquant.cli.tick_info import describe_files

    describe_files(files, load_settings(None, config=config, assignments=assignments).config)
