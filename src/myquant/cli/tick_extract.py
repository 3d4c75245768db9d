"""`myquant ticks extract`: the ticks of a session as a file."""

from pathlib import Path
from typing import Annotated, Final

import typer

from myquant.cli.options import examples
from myquant.cli.replay import SessionFolder

EXAMPLES: Final = examples(
    "myquant ticks extract runs/monday monday.parquet",
    "myquant ticks extract runs/monday monday.csv.gz",
)


def extract(
    session: SessionFolder,
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", show_default=False, help="A new .csv, .csv.gz, .csv.zst or .parquet file."),
    ],
    *,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
) -> None:
    """Write the ticks that a session's feed brought into a file, for `myquant backtest`.

    Ticks that the session refused are left out and counted. Exit code 4 when the journal is damaged; what is sound is
    written all the same.
    """
    from myquant.cli.output import counts
    from myquant.cli.tick_files import refuse_existing
    from myquant.results.text import counted
    from myquant.session.ticks_of import write_session_ticks

    refuse_existing(target, force=force)
    written = write_session_ticks(session, target)
    print(f"{target}: {counted(written.rows, 'tick')}; left out: {counts(written.rejected) or 'none'}")
