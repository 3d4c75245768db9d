"""From one declaration, a named tuple, to its structured dtype and the compiled functions that load and store it.

A field may be `int` (int64), `float` (float64), `bool` (int64, 0 or 1), another named tuple (a nested record), or a
tuple of n times `int` or `float` (a sub-array).
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numba.extending import overload

from myquant.core.compiled import inlined

_SCALARS: dict[type, str] = {int: "<i8", float: "<f8", bool: "<i8"}


class RecordAccess(NamedTuple):
    """A dtype with the compiled functions between one record of it and the named tuple.

    `peek` is for what is only read: the tuple in plain Python, in compiled code the record itself, of which a function
    then loads just the fields that it names.
    """

    dtype: np.dtype[np.void]
    load: Callable[[Any], Any]
    store: Callable[[Any, Any], None]
    peek: Callable[[Any], Any]


@cache
def dtype_of(declaration: type) -> np.dtype[np.void]:
    """Return the structured dtype of a named tuple; raise TypeError at a field of another kind."""
    fields: list[tuple[str, Any] | tuple[str, Any, tuple[int]]] = []
    for name, hint in get_type_hints(declaration).items():
        if hint in _SCALARS:
            fields.append((name, _SCALARS[hint]))
        elif get_origin(hint) is tuple:
            items = get_args(hint)
            if len(set(items)) != 1 or items[0] not in _SCALARS:
                raise TypeError(f"{declaration.__name__}.{name}: a tuple holds n times int or n times float")
            fields.append((name, _SCALARS[items[0]], (len(items),)))
        elif is_record(hint):
            fields.append((name, dtype_of(hint)))
        else:
            raise TypeError(f"{declaration.__name__}.{name}: {hint} is none of int, float, bool, tuple, named tuple")
    return np.dtype(fields)


def is_record(hint: object) -> bool:
    """Return whether a type hint is a named tuple."""
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


_ACCESS: dict[type, RecordAccess] = {}


def record_access(declaration: type) -> RecordAccess:
    """Return the dtype, `load(record) -> tuple` and `store(record, tuple)` of a named tuple (made once per class)."""
    if declaration not in _ACCESS:
        _ACCESS[declaration] = _make_access(declaration)
    return _ACCESS[declaration]


def _make_access(declaration: type) -> RecordAccess:
    names: dict[str, Any] = {"declaration": declaration, "inlined": inlined}
    loads: list[str] = []
    stores: list[str] = []
    for name, hint in get_type_hints(declaration).items():
        if is_record(hint):
            inner = record_access(hint)
            names[f"load_{name}"], names[f"store_{name}"] = inner.load, inner.store
            loads.append(f"load_{name}(record['{name}'])")
            stores.append(f"store_{name}(record['{name}'], value.{name})")
        elif get_origin(hint) is tuple:
            kind = get_args(hint)[0].__name__
            count = len(get_args(hint))
            loads.append("(" + "".join(f"{kind}(record['{name}'][{i}]), " for i in range(count)) + ")")
            stores.extend(f"record['{name}'][{i}] = value.{name}[{i}]" for i in range(count))
        elif hint is bool:
            loads.append(f"record['{name}'] != 0")
            stores.append(f"record['{name}'] = 1 if value.{name} else 0")
        else:
            loads.append(f"{hint.__name__}(record['{name}'])")
            stores.append(f"record['{name}'] = value.{name}")
    source = "@inlined\ndef load(record):\n    return declaration(" + ", ".join(loads) + ")\n"
    source += "@inlined\ndef store(record, value):\n    " + "\n    ".join(stores or ["pass"]) + "\n"
    exec(source, names)  # noqa: S102  (the text is made of our own field names, the way namedtuple makes its methods)
    load = names["load"]

    def peek(record: Any) -> Any:
        return load(record)

    @overload(peek, jit_options={"forceinline": True})
    def _peek(record):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001  (Numba compares the signatures)
        return lambda record: record

    return RecordAccess(dtype_of(declaration), load, names["store"], peek)
