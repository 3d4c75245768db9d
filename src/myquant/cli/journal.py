"""`myquant journal`: look at the journal of a session, of one that has ended or of one at work."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from myquant.cli.options import examples
from myquant.cli.runs import session_folder

app = typer.Typer(help="Look at the journal of a session, even while it is at work.", rich_markup_mode=None)

Session: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="SESSION", show_default=False, callback=session_folder, help="A session's folder, or its name in runs/."
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Kind(StrEnum):
    """What a record holds; or which notes, of those whose values have names."""

    INPUT = "input"
    COMMAND = "command"
    DAY = "day"
    NOTE = "note"
    TELEMETRY = "telemetry"
    LEDGER = "ledger"
    POSITION = "position"
    SENT = "sent"


ALL: Final = (Kind.INPUT, Kind.COMMAND, Kind.DAY, Kind.NOTE)


@app.command(
    epilog=examples(
        "myquant journal cat sessions/monday --kind command",
        "myquant journal cat sessions/monday --from 1200 --limit 10 --json",
        "myquant journal cat sessions/monday --follow",
    )
)
def cat(
    session: Session,
    *,
    kinds: Annotated[
        list[Kind] | None,
        typer.Option("--kind", show_default=False, help="Only records of this kind; can be repeated."),
    ] = None,
    first: Annotated[int, typer.Option("--from", metavar="N", min=1, help="Number of the first record.")] = 1,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Print so many records and end.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until interrupted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line, with every field.")] = False,
) -> None:
    """Print records, one per line: number, what it holds, and the fields that are not zero.

    Times are UTC, prices and money in paise. Paddings at the end of a segment are left out. Exit code 4 when the journal
    is damaged; what is sound is printed all the same.
    """
    from myquant.cli.journal_print import print_records

    print_records(
        session, [*dict.fromkeys(map(str, kinds or ALL))], first=first, limit=limit, follow=follow, as_json=as_json
    )


@app.command(epilog=examples("myquant journal verify sessions/monday"))
def verify(session: Session) -> None:
    """Check segments, checksums, the order of records, and the snapshots beside them.

    Exit code 4 when something is damaged, with a line for each finding. A torn record at the end is in order: its process
    was killed while writing it.
    """
    from myquant.cli.journal_print import print_findings

    print_findings(session)


@app.command(epilog=examples("myquant journal cut sessions/monday --after 7200"))
def cut(
    session: Session,
    after: Annotated[
        int, typer.Option("--after", metavar="N", min=0, show_default=False, help="Number of the last sound record.")
    ],
) -> None:
    """Give up what stands behind the last sound record of a damaged journal, so that the session can go on.

    What is cut off is kept in a folder beside the segments. The session forgets it: compare orders and positions with the
    broker's before you go on.
    """
    from myquant.cli.journal_print import cut_journal

    cut_journal(session, after)


@app.command(epilog=examples("myquant journal stats sessions/monday", "myquant journal stats sessions/monday --json"))
def stats(session: Session, *, as_json: Json = False) -> None:
    """Count records by kind, and say what times they span and how much room they take."""
    from myquant.cli.journal_print import print_statistics

    print_statistics(session, as_json=as_json)


@app.command(
    epilog=examples(
        "myquant journal export sessions/monday inputs.parquet",
        "myquant journal export sessions/monday commands.csv --kind command",
        "myquant journal export sessions/monday ledger.csv --kind ledger",
    )
)
def export(
    session: Session,
    target: Annotated[Path, typer.Argument(metavar="OUT", show_default=False, help="A new .parquet or .csv file.")],
    *,
    kind: Annotated[Kind, typer.Option("--kind", help="What to write.")] = Kind.INPUT,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
) -> None:
    """Write the records of one kind as a table. Of the kinds of notes named here each value has a column of its name.

    Times are in two columns, as a UTC timestamp and in ns; prices and money are in paise. Exit code 4 when the journal is
    damaged; what is sound is written all the same.
    """
    from myquant.cli.journal_print import export_records

    export_records(session, target, kind, force=force)
