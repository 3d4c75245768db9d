"""`myquant logs`: the lines of sessions, recorders, the monitor and the pages in one stream, by time."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myquant.cli.options import examples

if TYPE_CHECKING:
    from myquant.monitor.log_merge import Line, Wanted
    from myquant.monitor.log_reader import LogReader

EXAMPLES: Final = examples(
    "myquant logs",
    "myquant logs --follow --level warning",
    "myquant logs monday tuesday --since 2026-11-23 --grep trade_closed",
    "myquant logs monday --since 10m --json",
)
OWN: Final = ("monitor", "dashboard")  # folders among the states, and the names of the monitor and the pages here
LOOK_S: Final = 0.2
DISCOVER_LOOKS: Final = 10  # from one look for new sessions to the next
FOLLOWED_LINES: Final = 10  # before what comes, unless told otherwise


class Level(StrEnum):
    """Levels of lines."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def logs(
    sessions: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SESSION]...",
            show_default=False,
            help="Names or folders, of recordings too; monitor for the monitor's, dashboard for the pages'.",
        ),
    ] = None,
    *,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="From: 10m, 09:30, today, 2026-11-23.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before, likewise.")] = None,
    level: Annotated[Level, typer.Option("--level", help="This level and those above.")] = Level.DEBUG,
    grep: Annotated[str | None, typer.Option("--grep", metavar="REGEX", help="Lines (as JSON) that match.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they are in the files.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", show_default=False, help="The last N lines only.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory",
            metavar="DIR",
            help="The folder of the runs, or of a recording; else that of results.directory.",
        ),
    ] = None,
) -> None:
    """Print what sessions have logged, by time, from all their files, packed ones too.

    Without a name: the sessions and recorders that run, the monitor and the pages; where none runs, the last session. With
    --follow, the ten lines before, what comes, and sessions that begin meanwhile. Lines that are no JSON are shown as such,
    and counted at the end.
    """
    from myquant.cli.logs_print import LinePrinter
    from myquant.cli.runs import runs_directory, screen_zone
    from myquant.monitor.log_merge import Wanted, pattern_of, time_of

    zone, now_ns = screen_zone(), time.time_ns()
    wanted = Wanted(
        since_ns=0 if since is None else time_of("--since", since, zone, now_ns),
        until_ns=None if until is None else time_of("--until", until, zone, now_ns),
        level=level.value,
        pattern=None if grep is None else pattern_of(grep),
    )
    printer = LinePrinter(zone, is_coloured=_is_coloured())

    def show(lines: "Iterable[Line]") -> None:
        for line in lines:
            print(line.raw.decode("utf-8", "replace") if as_json else printer.text(line))
        sys.stdout.flush()

    place = runs_directory(directory)
    if follow and limit is None and since is None:
        limit = FOLLOWED_LINES
    _run(lambda: _chosen(sessions, place), wanted, show, limit, follows=follow, discovers=not sessions)


def _run(
    chosen: Callable[[], list[Path]],
    wanted: "Wanted",
    show: "Callable[[Iterable[Line]], None]",
    limit: int | None,
    *,
    follows: bool,
    discovers: bool,
) -> None:
    """Show what is there, then what comes; say at the end what could not be read."""
    from myquant.monitor.log_merge import merged
    from myquant.monitor.log_reader import LogReader

    readers = {folder: LogReader(folder, since_ns=wanted.since_ns) for folder in chosen()}
    try:
        lines = merged(readers.values(), wanted)
        show(lines if limit is None else deque(lines, limit))
        looks = 0
        while follows:
            time.sleep(LOOK_S)
            looks += 1
            if discovers and looks % DISCOVER_LOOKS == 0:
                for folder in chosen():
                    readers.setdefault(folder, LogReader(folder))
            show(merged(readers.values(), wanted))
    finally:
        for reader in readers.values():
            reader.close()
        _tell_damage(readers.values(), wanted)


def _tell_damage(readers: "Iterable[LogReader]", wanted: "Wanted") -> None:
    for source, count in sorted(wanted.damaged.items()):
        print(f"{source}: {count:,} lines are no JSON", file=sys.stderr)
    for reader in readers:
        for path in reader.damaged:
            print(f"{path}: torn, read in part", file=sys.stderr)
    if not wanted.found:
        print("no line is wanted by --since, --until, --level and --grep", file=sys.stderr)


def _chosen(sessions: list[Path] | None, directory: Path) -> list[Path]:
    """Return the folders whose logs are asked for. Raises ConfigError where one has none."""
    from myquant.errors import ConfigError
    from myquant.session.at_broker import state_folder
    from myquant.session.operator import running_sessions
    from myquant.session.recording_log import is_recording, recordings_in

    own = {name: state_folder() / name for name in OWN}
    if sessions:
        return list(dict.fromkeys(_folder(each, directory, own) for each in sessions))
    others = [folder for folder in own.values() if _has_log(folder)]
    running = [folder for folder in running_sessions(directory) if _has_log(folder)] if directory.is_dir() else []
    running += [folder for folder in recordings_in(directory) if is_recording(folder)]
    found = running or _latest(directory)
    if running or not found:
        found += others
    if not found:
        raise ConfigError(f"{directory}: no session has a log here: name the folder of your runs with --directory")
    return found


def _folder(given: Path, directory: Path, own: dict[str, Path]) -> Path:
    from myquant.errors import ConfigError

    places = [directory / given, given, *(folder for name, folder in own.items() if str(given) == name)]
    for folder in places:
        if _has_log(folder):
            return folder
    raise ConfigError(f"{given}: no session with a log: `myquant runs` lists those of {directory}")


def _has_log(folder: Path) -> bool:
    from myquant.session.log_files import FILE, earlier_files

    try:
        return (folder / FILE).exists() or bool(earlier_files(folder))
    except OSError:
        return False


def _latest(directory: Path) -> list[Path]:
    """Return the folder with the log that was written last: one in the directory, or itself."""
    from myquant.session.log_files import FILE

    logs = sorted([*directory.glob(f"*/{FILE}"), *directory.glob(FILE)], key=lambda path: path.stat().st_mtime_ns)
    return [path.parent for path in logs[-1:]]


def _is_coloured() -> bool:
    import os

    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
