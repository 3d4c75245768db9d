"""What went wrong, as an exit code and lines for stderr."""

import sys
import traceback
from pathlib import Path
from typing import Final, NamedTuple

from typer.exceptions import TyperException

from myquant.errors import MyquantError

DONE: Final = 0
FAILED: Final = 1
BAD_USAGE: Final = 2
BAD_DATA: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count

MESSAGE_MAX = 300  # of a defect's own words; some libraries write pages
PACKAGE: Final = Path(__file__).parents[1]


class Failure(NamedTuple):
    """A failed command: its exit code and a line for each problem."""

    code: int
    lines: list[str]


def failure(error: BaseException) -> Failure:
    """Return what to tell the user about an error, of whatever kind it is."""
    if isinstance(error, MyquantError):
        return Failure(error.exit_code, str(error).splitlines())
    if isinstance(error, TyperException):
        return Failure(BAD_USAGE, [_usage(error)])
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, ["interrupted"])
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return Failure(FAILED, [_plain(f"{place}{error.strerror}")])
    return Failure(FAILED, [_defect(error)])


def tell(lines: list[str]) -> None:
    """Write the problems on stderr."""
    for line in lines:
        print(f"error: {line}", file=sys.stderr)


def _usage(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "myquant"
    return f"{_plain(error.format_message()).rstrip('.')}; see {command} --help"


def _defect(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)] or frames
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}, in {ours[-1].name}" if ours else ""
    words = _plain(str(error))[:MESSAGE_MAX]
    return f"a defect in myquant, please report it: {type(error).__name__}{place}: {words}; --debug shows the traceback"


def _plain(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())
