"""The layers of a configuration: a TOML file, a mapping, the environment, assignments; each read into settings."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from myquant.config.kinds import TEXT_MAX, is_text
from myquant.errors import ConfigError

FILE_BYTES_MAX = 2**20
VARIABLE_PREFIX = "MYQUANT_"
# What tomllib raises: its own error is a ValueError, as is an int of too many digits; a float beyond what a Decimal
# holds is an ArithmeticError; deep nesting ends in a RecursionError.
TOML_ERRORS = (ValueError, ArithmeticError, RecursionError)

Models = Mapping[str, type[BaseModel]]


class Setting(NamedTuple):
    """One value as it was given.

    A section without a key is an empty one; a key without a section stands outside any; a value without either is an
    assignment that names nothing.
    """

    section: str | None
    key: str | None
    value: object
    origin: str


def from_file(path: Path) -> Iterator[Setting]:
    """Read the settings of a TOML file; ConfigError with file and line when it is missing, unreadable or not TOML."""
    return from_mapping(read_toml(path), plain(str(path)))


def from_mapping(table: Mapping[Any, Any], origin: str) -> Iterator[Setting]:
    """Read the settings of a mapping of sections."""
    for section, body in table.items():
        if not isinstance(body, Mapping):
            yield Setting(None, str(section), body, origin)
        elif not body:
            yield Setting(str(section), None, None, origin)
        else:
            for key, value in body.items():
                yield Setting(str(section), str(key), value, origin)


def from_environment(environment: Mapping[str, str], models: Models) -> Iterator[Setting]:
    """Read the variables MYQUANT_<SECTION>__<KEY>; others that begin so, without a double underscore, are not ours."""
    for name in sorted(environment):
        if not name.startswith(VARIABLE_PREFIX) or "__" not in name:
            continue
        section, _, key = name.removeprefix(VARIABLE_PREFIX).partition("__")
        section = _spelled(section, models)
        key = _spelled(key, models[section].model_fields if section in models else ())
        yield Setting(section, key, _value(environment[name], models, section, key), plain(name))


def from_assignments(assignments: Sequence[str], models: Models) -> Iterator[Setting]:
    """Read the assignments `section.key=value` of the command line."""
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, dot, key = name.strip().partition(".")
        if equals and dot and section and key:
            yield Setting(section, key, _value(text, models, section, key), "--set")
        else:
            yield Setting(None, None, assignment, "--set")


def _spelled(name: str, known: Iterable[str]) -> str:
    """Return the known name that a variable means: variables are in capitals, names mostly not."""
    return next((each for each in known if each.lower() == name.lower()), name.lower())


def _value(text: str, models: Models, section: str, key: str) -> object:
    """Return the text as the TOML value that it is, else as plain text; always as text where only text can be meant."""
    field = models[section].model_fields.get(key) if section in models else None
    try:
        table = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except TOML_ERRORS:
        return text.strip()
    value = table["value"]
    if table.keys() != {"value"} or (field and is_text(field) and not isinstance(value, str)):
        return text.strip()
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file, floats as Decimals; ConfigError with the file, the line and what is wrong."""
    where = plain(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such config file") from None
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{where}: the config file cannot be read: {reason}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{where}: larger than 1 MiB, so it is no config file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{where}, line {line}: not UTF-8 text, so it is no TOML file") from None
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except TOML_ERRORS as error:
        raise ConfigError(f"{where}, line {_broken_line(text, error)}: not valid TOML: {_reason(error)}") from None


def _broken_line(text: str, error: Exception) -> int:
    """Return the number of the line at which parsing fails; only some errors of the parser carry it."""
    if match := re.search(r"\(at line (\d+), column \d+\)$", str(error)):
        return int(match[1])
    lines = text.rstrip().split("\n")
    if isinstance(error, tomllib.TOMLDecodeError):  # "at end of document"
        return len(lines)

    def fails(count: int) -> bool:
        try:
            tomllib.loads("\n".join(lines[:count]), parse_float=Decimal)
        except TOML_ERRORS as found:
            return type(found) is type(error)
        return False

    return bisect_left(range(len(lines)), True, key=fails)


def _reason(error: Exception) -> str:
    if isinstance(error, tomllib.TOMLDecodeError):
        return re.sub(r" \(at .*\)$", "", str(error))
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"


def plain(text: str) -> str:
    """Return a name or path as it is when it fits into one line of a message, else escaped or cut."""
    return (text if text.isprintable() else repr(text))[:TEXT_MAX]
