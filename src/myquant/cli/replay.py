"""`myquant replay` and `myquant divergence`: a session's decisions again, and what set it apart from a plain run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myquant.cli.options import examples
from myquant.cli.runs import session_folder
from myquant.errors import JournalError

if TYPE_CHECKING:
    from myquant.session.divergence import Divergence
    from myquant.session.replay import Replayed

REPLAY_EXAMPLES: Final = examples("myquant replay runs/monday", "myquant replay runs/monday --json")
DIVERGENCE_EXAMPLES: Final = examples(
    "myquant divergence runs/monday", "myquant divergence runs/monday --ticks NIFTY24NOV2625000CE.csv --json"
)
DIFFERS: Final = 1

SessionFolder = Annotated[
    Path,
    typer.Argument(
        metavar="SESSION", show_default=False, callback=session_folder, help="A session's folder, or its name in runs/."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def replay(session: SessionFolder, *, as_json: AsJson = False) -> None:
    """Run a session's recorded inputs through the engine again; every decision must come out byte for byte.

    Exit code 1 at a difference, which is named with what the journal holds and what the replay makes; 4 where records behind
    the replayed ones are damaged.
    """
    from myquant.cli.output import console
    from myquant.session.replay import replay as run

    found, _ = run(session)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        for line in _lines(found):
            console().print(line)
    raise typer.Exit(DIFFERS if found.difference else JournalError.exit_code if found.is_damaged else 0)


def _lines(found: "Replayed") -> list[str]:
    played = f"{found.inputs:,} inputs, {found.commands:,} commands, {found.states} states"
    lines = []
    if found.difference is None:
        lines.append(f"{found.session}: identical: {played}")
    else:
        lines.append(f"{found.session}: DIFFERENT at record {found.difference.record}: {found.difference.what}")
        for name, side in (("journal", found.difference.recorded), ("replay", found.difference.replayed)):
            lines.append(f"  {name:<8}{_text(side)}")
    if found.unwritten:
        lines.append(
            f"  {found.unwritten} commands are not written yet: the process died before; a restart writes them"
        )
    if found.behind:
        lines.append(f"  {found.behind}")
    return lines


def _text(side: dict[str, Any] | None) -> str:
    return (
        "nothing" if side is None else ", ".join(f"{name} {value}" for name, value in side.items() if name != "state")
    )


def divergence(
    session: SessionFolder,
    *,
    ticks: Annotated[
        list[Path] | None,
        typer.Option("--ticks", metavar="FILE", help="What was really traded, to find what the feed missed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how far a session came out from the plain run over its ticks, and through what: the parts sum to the gap."""
    from myquant.session.divergence import divergence as compare
    from myquant.session.reference import reference_inputs

    found = compare(session, reference_inputs(session, ticks) if ticks else None)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        _print(found)


def _print(found: "Divergence") -> None:
    from myquant.cli.output import console, money

    out = console()
    of = "the ticks given" if found.reference else "its ticks"
    out.print(
        f"{found.name}: net P&L {money(found.session.net / 100)}, a plain run over {of} {money(found.plain.net / 100)}"
    )
    for line in found.lines:
        if line.paise:
            out.print(f"  {line.cause:<20}{money(line.paise / 100):>14}")
    out.print(f"  {'gap':<20}{money(found.gap / 100):>14}")
    trades = f"{found.session.trades} trades, the plain run {found.plain.trades}"
    out.print(f"  {trades}; {'the same, to the paisa' if found.same_trades else 'not the same'}")
    if found.behind:
        out.print(f"  only the sound records are compared: {found.behind}")
    if found.acting_timers:
        shown = ", ".join(map(str, found.acting_timers[:10]))
        out.print(f"  timers that acted: inputs {shown}{' ...' if len(found.acting_timers) > 10 else ''}")
