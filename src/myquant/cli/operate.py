"""`myquant status`, `halt`, `resume`, `flatten`, `stop`: look at a running session, and step in."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, cast

import typer

from myquant.cli.options import Assignments, ConfigFiles, examples
from myquant.cli.runs import Directory, runs_directory
from myquant.errors import ConfigError, MyquantError

if TYPE_CHECKING:
    from myquant.session.status import SessionStatus

STATUS_EXAMPLES: Final = examples("myquant status", "myquant status runs/20251003-091000-nifty --json")
HALT_EXAMPLES: Final = examples("myquant halt", 'myquant halt 20251003-091000-nifty --reason "news at ten"')
RESUME_EXAMPLES: Final = examples("myquant resume", 'myquant resume --reason "feed is back"')
FLATTEN_EXAMPLES: Final = examples(
    "myquant flatten",
    "myquant flatten 20251003-091000-nifty --yes",
    "myquant flatten --broker angelone",
    "myquant flatten --broker angelone --symbol NIFTY24NOV2625000CE --yes",
)
STOP_EXAMPLES: Final = examples("myquant stop", "myquant stop 20251003-091000-nifty")

Session: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="SESSION", show_default=False, help="Its folder or name; else the one that runs."),
]
Reason: TypeAlias = Annotated[
    str, typer.Option("--reason", metavar="TEXT", show_default=False, help="Why; kept in the session's log.")
]


def status(
    session: Session = None,
    directory: Directory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: prices in paise, times in ns UTC.")] = False,
) -> None:
    """Print how a running session stands: feed, positions, P&L, orders, journal.

    Exit code 1 when it does not run or does not answer.
    """
    import json

    from myquant.cli.status_print import print_status
    from myquant.session.operator import STATUS, ask_session

    answer = ask_session(running_folder(session, directory), STATUS)
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        print_status(cast("SessionStatus", answer))


def halt(session: Session = None, reason: Reason = "", directory: Directory = None) -> None:
    """Let a running session enter nothing any more; what is open is managed on."""
    _order("halt", running_folder(session, directory), reason)


def resume(session: Session = None, reason: Reason = "", directory: Directory = None) -> None:
    """Let a halted session enter again."""
    _order("resume", running_folder(session, directory), reason)


def flatten(
    session: Session = None,
    reason: Reason = "",
    directory: Directory = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    broker: Annotated[
        str | None,
        typer.Option("--broker", metavar="NAME", show_default=False, help="Flatten the account there, engine or none."),
    ] = None,
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", metavar="SYMBOL", help="With --broker: this contract only; can be repeated."),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="With --broker: do not wait for orders that may still be under way.")
    ] = False,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Exit every position of a running session now, and enter nothing any more.

    With --broker no engine is needed: all engines of the account are fenced off first, so that none can send an order any
    more, then working orders are cancelled and positions closed with limit orders until the broker's books say flat, and
    say it again when whatever was under way has arrived. Exit code 0 only then.
    """
    if broker is not None:
        from myquant.cli.flatten_broker import flatten_broker

        if session is not None or directory is not None:
            raise ConfigError("flatten --broker: takes no session and no --directory: it is about the whole account")
        flatten_broker(
            broker,
            symbols or [],
            config=config,
            assignments=assignments,
            confirm=None if yes else _ask_for_yes,
            wait=not no_wait,
        )
        return
    if symbols or no_wait or config is not None or assignments:
        raise ConfigError("flatten: --symbol, --no-wait, --config and --set go with --broker")
    folder = running_folder(session, directory)
    if not yes:
        _ask_for_yes(f"{folder.name}: exit every position and halt entries? Type yes to do it: ")
    _order("flatten", folder, reason)


def stop(session: Session = None, reason: Reason = "", directory: Directory = None) -> None:
    """End a running session as SIGTERM does: no entries, flatten or keep by config, write the results."""
    _order("stop", running_folder(session, directory), reason)


def running_folder(session: str | None, directory: Path | None) -> Path:
    """Return the folder of a session by its path or name, or of the only one that runs, or can go on.

    Raises MyquantError for none.
    """
    from myquant.session.operator import running_sessions

    if session is not None and Path(session).is_dir():
        return Path(session)
    runs = runs_directory(directory)
    if session is not None and (runs / session).is_dir():
        return runs / session
    running = running_sessions(runs)
    if session is None and len(running) == 1:
        return running[0]
    told = f"running in {runs}: {_names(running)}" if running else f"no session runs in {runs}"
    if session is not None:
        raise MyquantError(f"{session}: no such session; {told}")
    if running:
        raise MyquantError(f"name one of the sessions: {told}")
    from myquant.session.left import unended

    left = unended(runs)
    if len(left) == 1:
        return left[0]  # who asks it hears what it has left
    names = f"; not ended, the last one first: {_names(left)}" if left else ""
    raise MyquantError(f"{told}: name the folder of one{names}")


def _names(folders: list[Path]) -> str:
    return ", ".join(folder.name for folder in folders)


def _order(request: str, folder: Path, reason: str) -> None:
    from myquant.session.operator import ask_session

    print(f"{folder.name}: {ask_session(folder, request, reason)['message']}")


def _ask_for_yes(question: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError("flatten: nobody can be asked, as stdin is no terminal: give --yes")
    try:
        answer = input(question)
    except EOFError:
        answer = ""
    if answer.strip() != "yes":
        raise MyquantError("not flattened: the answer was not yes")
