"""A strategy's state: named tuples of numbers, whose defaults are the state before the first tick."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, get_args, get_origin, get_type_hints

import numpy as np

from myquant.core.layout import is_record
from myquant.errors import ConfigError
from myquant.strategies.problems import words

SCALARS: Final = {bool: (bool, np.bool_), int: (int, np.integer), float: (float, int, np.floating, np.integer)}
ALLOWED: Final = "int, float, bool, a NamedTuple of these, or a tuple such as tuple[float, float]"
INT64_MAX: Final = 2**63 - 1

Place = Callable[[type, str], str]  # from a named tuple and one of its fields ("": the tuple itself) to `file:line`


def first_state(state: object, place: Place) -> Any:
    """Return a strategy's state before the first tick, every value of its declared type.

    Raises ConfigError with the line of the first field that can't be used.
    """
    if not is_record(state) or not isinstance(state, type):
        where = place(state, "") if isinstance(state, type) else place(object, "")
        raise ConfigError(f"{where}: State must be a NamedTuple: class State(NamedTuple)")
    resolve(state, place)
    defaults = state._field_defaults  # type: ignore[attr-defined]
    kinds = get_type_hints(state)
    if not kinds:
        raise ConfigError(f"{place(state, '')}: State has no field; give it one, as in last_price: float = 0.0")
    for name in kinds:
        if name not in defaults:
            raise ConfigError(f"{place(state, name)}: State.{name} needs a default: its value before the first tick")
    return state(
        **{name: _typed(defaults[name], kind, place(state, name), f"State.{name}") for name, kind in kinds.items()}
    )


def resolve(record: type, place: Place) -> None:
    """Check the fields of a named tuple and of those inside it; annotations that are strings become types."""
    try:
        hints = get_type_hints(record)
    except Exception as error:  # an annotation is an expression of the user's
        raise ConfigError(f"{place(record, '')}: the types of {record.__name__}: {words(error)}") from error
    for name, kind in hints.items():
        if is_record(kind):
            resolve(kind, place)
        elif kind not in SCALARS and not _is_row(kind):
            shown = getattr(kind, "__name__", kind) if not get_args(kind) else kind
            raise ConfigError(f"{place(record, name)}: {record.__name__}.{name} is {shown}; a field is {ALLOWED}")
    record.__annotations__ = hints


def records_in(record: type) -> list[type]:
    """Return a named tuple and those inside it, each once."""
    inner = [each for kind in get_type_hints(record).values() if is_record(kind) for each in records_in(kind)]
    return list(dict.fromkeys([record, *inner]))


def leaves(record: type, value: str) -> Iterator[tuple[str, str, Any]]:
    """Yield for each number in a named tuple its name, the expression that reads it from `value`, and its type."""
    for name, kind in get_type_hints(record).items():
        if is_record(kind):
            yield from ((f"{name}.{inner}", text, scalar) for inner, text, scalar in leaves(kind, f"{value}.{name}"))
        else:
            yield name, f"{value}.{name}", kind


def _is_row(kind: Any) -> bool:
    """Return whether a type is a tuple of n times int or n times float."""
    items = set(get_args(kind))
    return get_origin(kind) is tuple and len(items) == 1 and items <= {int, float}


def _typed(value: Any, kind: Any, where: str, name: str) -> Any:
    """Return a default as a value of exactly its declared type."""

    def refuse() -> NoReturn:
        shown = kind if get_args(kind) else kind.__name__
        raise ConfigError(f"{where}: {name} = {value!r}: its default must be of its type, {shown}")

    if is_record(kind):
        if not isinstance(value, kind):
            refuse()
        inner = get_type_hints(kind)
        return kind(
            *(_typed(part, inner[field], where, f"{name}.{field}") for field, part in zip(inner, value, strict=True))
        )
    if get_args(kind):
        if not isinstance(value, tuple) or len(value) != len(get_args(kind)):
            refuse()
        return tuple(_typed(part, get_args(kind)[0], where, name) for part in value)
    fits = isinstance(value, SCALARS[kind]) and (kind is bool or not isinstance(value, bool))
    if not fits or (kind is int and abs(value) > INT64_MAX):
        refuse()
    return kind(value)
