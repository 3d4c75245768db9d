"""What is wrong with a strategy's file, in one line: the place, what it is, the remedy."""

import builtins
import traceback
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final

from pydantic.errors import PydanticUserError

TEXT_MAX: Final = 300  # characters of an error's own words; some libraries write pages


def one_line(text: object) -> str:
    """Return a text in one line, cut where it is very long."""
    joined = " ".join(str(text).split())
    return joined if len(joined) <= TEXT_MAX else joined[: TEXT_MAX - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like another one, if any is."""
    return next(iter(get_close_matches(name, [each for each in known if not each.startswith("_")], 1)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` with the nearest name there is, or nothing."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def line_in(error: BaseException, files: Collection[str]) -> str | None:
    """Return `file:line` where an error arose: the innermost place of its traceback that lies in one of the files."""
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{error.filename}:{error.lineno or 1}"
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next((f"{file}:{line}" for file, line in reversed(places) if file in files), None)


def words(error: BaseException) -> str:
    """Return what an error says, in one line, with the name that was probably meant."""
    if isinstance(error, SyntaxError):
        return one_line(error.msg)
    if isinstance(error, PydanticUserError):
        untyped = error.code == "model-field-missing-annotation"
        return one_line(error.message.partition(". ")[0]) + (
            "; give it a type, as in period: int = 20" if untyped else ""
        )
    if isinstance(error, AttributeError) and isinstance(error.name, str) and isinstance(error.obj, tuple):
        return f"{type(error.obj).__name__} has no {error.name}{did_you_mean(error.name, dir(error.obj))}"
    if isinstance(error, NameError) and isinstance(error.name, str):
        return f"{error.name} is not defined{did_you_mean(error.name, _names_at(error))}"
    text = f"{type(error).__name__}: {one_line(error)}" if str(error) else type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        return f"{text}; put the module beside the strategy, or install it"
    return text


def _names_at(error: BaseException) -> list[str]:
    """Return the names that were known where an error arose."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return [*frames[-1].f_locals, *frames[-1].f_globals, *dir(builtins)] if frames else []
