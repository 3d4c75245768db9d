"""The few kinds of value that a setting can have: how one is accepted, described, shown and written as TOML.

The kinds are bool, int, Decimal, float, str, Literal, and a tuple or list of one of these. A kind is given by a
pydantic field or by an annotation, so a user's own model is treated like ours.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from numbers import Integral
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

DIGITS_MAX = 28  # what decimal arithmetic keeps by default; a longer number would be rounded somewhere
TEXT_MAX = 4096
ITEMS_MAX = 1000
SHOWN_MAX = 80
INT64_MAX = 2**63 - 1
NUMBERS = {int: "a whole number", float: "a number", Decimal: "a number"}
OTHERS = {bool: "true or false", str: "text"}


class RefusedError(ValueError):
    """The value is not of the kind, not finite, or larger than any setting may be."""


@dataclass(frozen=True)
class Allowed:
    """Metadata of a field whose range the bounds alone don't say: what is allowed, in words."""

    text: str


def peel(kind: Any) -> tuple[Any, list[Any]]:
    """Return the bare annotation and the list of its metadata, of a pydantic field or of an `Annotated`."""
    found: list[Any] = []
    if isinstance(kind, FieldInfo):
        kind, found = kind.annotation, list(kind.metadata)
    while get_origin(kind) is Annotated:
        kind, *metadata = get_args(kind)
        for each in metadata:
            found += each.metadata if isinstance(each, FieldInfo) else [each]
    return kind, found


def is_kind(kind: Any) -> bool:
    """Say whether a setting may have this kind."""
    bare, _ = peel(kind)
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is tuple:
        return len(arguments) == 2 and arguments[1] is Ellipsis and is_kind(arguments[0])
    if origin is list:
        return is_kind(arguments[0])
    if origin is Literal:
        return all(isinstance(choice, str | int) for choice in arguments)
    return bare in NUMBERS or bare in OTHERS


def is_text(kind: Any) -> bool:
    """Say whether only text can be meant: `symbol=2025` or a folder named like a date."""
    bare, _ = peel(kind)
    return bare is str or (get_origin(bare) is Literal and all(isinstance(choice, str) for choice in get_args(bare)))


def are_numbers(kind: Any) -> bool:
    """Say whether it is a list of numbers."""
    bare, _ = peel(kind)
    return get_origin(bare) in (tuple, list) and peel(get_args(bare)[0])[0] in NUMBERS


def convert(value: object, kind: Any) -> Any:
    """Return the value in its kind's own type, exactly; a RefusedError when it has none. Bounds are the model's.

    Ints serve as Decimals and floats, floats as the Decimal of their shortest form; a bool or a text is never a number.
    """
    bare, _ = peel(kind)
    origin = get_origin(bare)
    if origin in (tuple, list):
        if not isinstance(value, list | tuple) or len(value) > ITEMS_MAX:
            raise RefusedError
        return origin(convert(each, get_args(bare)[0]) for each in value)
    if bare in NUMBERS:
        return _number(value, bare)
    if bare is bool:
        accepted = isinstance(value, bool)
    elif bare is str:
        accepted = isinstance(value, str) and value.isprintable() and len(value) <= TEXT_MAX
    else:
        accepted = any(type(value) is type(choice) and value == choice for choice in get_args(bare))
    if not accepted:
        raise RefusedError
    return value


def _number(value: object, number: type[int] | type[float] | type[Decimal]) -> int | float | Decimal:
    """Return the number as an int, float or Decimal; NaN, infinity and a number of absurd size or length are none."""
    if isinstance(value, bool):
        raise RefusedError
    if isinstance(value, Integral):
        whole = int(value)
        if abs(whole) > INT64_MAX:
            raise RefusedError
        return number(whole)
    if number is int or not isinstance(value, float | Decimal):
        raise RefusedError
    exact = Decimal(repr(float(value))) if isinstance(value, float) else value
    if not exact.is_finite():
        raise RefusedError
    if not exact:
        return number(0)  # whatever its sign and exponent
    if len(exact.as_tuple().digits) > DIGITS_MAX or abs(exact.adjusted()) > DIGITS_MAX:
        raise RefusedError
    return number(exact)


def allowed(kind: Any) -> str:
    """Describe the kind and its bounds: `a whole number from 1 to 5000`."""
    bare, metadata = peel(kind)
    for each in metadata:
        if isinstance(each, Allowed):
            return each.text
    origin = get_origin(bare)
    if origin in (tuple, list):
        return f"a list{_length(metadata, 'items')}, each {allowed(get_args(bare)[0])}"
    if origin is Literal:
        return "one of " + ", ".join(show(choice) for choice in get_args(bare))
    if bare is str:
        return "text" + _length(metadata, "characters") + "".join(_extras(metadata))
    if bare is bool:
        return OTHERS[bool]
    return NUMBERS[bare] + _range(metadata) + "".join(_extras(metadata))


def _bound(metadata: list[Any], name: str) -> Any:
    return next((found for each in metadata if (found := getattr(each, name, None)) is not None), None)


def _range(metadata: list[Any]) -> str:
    at_least, above, at_most, below = (_bound(metadata, name) for name in ("ge", "gt", "le", "lt"))
    if at_least is not None and at_most is not None:
        return f" from {at_least} to {at_most}"
    low = f"at least {at_least}" if at_least is not None else f"above {above}" if above is not None else ""
    high = f"at most {at_most}" if at_most is not None else f"below {below}" if below is not None else ""
    return " " + " and ".join(filter(None, (low, high))) if low or high else ""


def _length(metadata: list[Any], unit: str) -> str:
    least, most = _bound(metadata, "min_length"), _bound(metadata, "max_length")
    if least is None and most is None:
        return ""
    return f" of {least or 0} to {most} {unit}" if most is not None else f" of at least {least} {unit}"


def _extras(metadata: list[Any]) -> Iterator[str]:
    if (places := _bound(metadata, "decimal_places")) is not None:
        yield f" with at most {places} decimals"
    if (step := _bound(metadata, "multiple_of")) is not None:
        yield f", a multiple of {step}"
    if (pattern := _bound(metadata, "pattern")) is not None:
        yield f" matching {pattern}"


def show(value: object) -> str:
    """Return any value in one line that fits into a message."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = f'"{value}"' if value.isprintable() else repr(value)
    elif isinstance(value, Integral):
        whole = int(value)
        text = str(whole) if abs(whole) <= INT64_MAX else f"an integer of {whole.bit_length()} bits"
    elif isinstance(value, float | Decimal | date | time):
        text = str(value)
    elif isinstance(value, list | tuple):
        items = ["[...]" if isinstance(each, list | tuple) else show(each) for each in value[:10]]
        text = f"[{', '.join(items)}{', ...' if len(value) > 10 else ''}]"
    else:
        # Not its own text, which may be long, or fail.
        text = "a table" if isinstance(value, Mapping) else f"a {type(value).__name__}"
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def write(value: Any) -> str:
    """Return a converted value as TOML; one text for one value, whatever its notation was (15, 15.0 and 15.00)."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # printable text: JSON's escapes are TOML's
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(write, value))}]"
    if isinstance(value, int):
        return str(value)
    text = format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"
