"""`myquant record`: a broker's ticks into files, without trading."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, examples

EXAMPLES: Final = examples(
    "myquant record --broker angelone NIFTY24NOV2625000CE NIFTY24NOV2625000PE",
    "myquant record --broker angelone NIFTY24NOV2625000CE --out ticks/november",
    "myquant backtest ticks/2026-11-23.parquet",
)
EXIT_CODES: Final = """\b
Exit codes: 0 stopped, or all contracts have expired; 1 failed; 2 configuration; 3 a file in the folder can't be read;
4 the folder can't be written or is in use, or ticks were left in memory; 5 broker"""


def record(
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL...", show_default=False, help="Contracts, as in NIFTY24NOV2625000CE.")
    ],
    *,
    broker: Annotated[str, typer.Option("--broker", metavar="NAME", show_default=False, help="angelone.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the files go; a new folder, or one recorded into.")
    ] = Path("ticks"),
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Record the ticks of a broker's feed, for days on end, without trading.

    There is one Parquet file per trading day, FOLDER/2026-11-23.parquet, for `myquant backtest` and `myquant ticks`.
    While the day is under way its ticks are in FOLDER/2026-11-23/; the next stop, the day's end or the next start make the
    file of them. The same command goes on in the same folder: no tick is there twice, and after a kill those of the last
    five seconds may be missing. The times in which ticks may be missing are in FOLDER/gaps.jsonl, the log is in
    FOLDER/log.jsonl: `myquant logs FOLDER` prints it.

    Ctrl-C or SIGTERM ends it in order. Each trading day begins with a login 20 minutes before the open. A full disk is told
    at once; up to a million ticks then wait in memory.
    """
    from myquant import compose
    from myquant.cli.output import counts
    from myquant.cli.settings import load_settings
    from myquant.errors import JournalError
    from myquant.results.text import counted
    from myquant.session.quick_loop import run_loop

    loaded = load_settings(None, config=config, assignments=assignments)
    plan = compose.RecordPlan(broker, tuple(dict.fromkeys(symbols)), loaded.config, out, os.environ)
    done = run_loop(compose.record(plan))
    print(
        f"{out}: {counted(done.ticks, 'tick')}, {counted(done.quotes, 'quote')} without a trade, {counted(done.gaps, 'gap')}"
    )
    print(f"not used: {counts(done.unused) or 'nothing'}")
    if done.dropped or done.waiting:
        raise JournalError(f"{out}: {done.dropped + done.waiting:,} ticks could not be written: free the disk")
