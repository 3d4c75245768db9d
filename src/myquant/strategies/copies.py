"""Copies of a strategy's functions and of all that they call: once as plain Python, once for the compiler.

A user's functions need no decorator, because it is their copies that are compiled. His modules stay as they were.
"""

from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any, get_args, get_type_hints

from numba import njit

from myquant.core.compiled import OPTIONS
from myquant.core.layout import is_record
from myquant.strategies.source import Source

Namespace = dict[str, Any]


def plain_copies(source: Source) -> "Copies":
    """Return copies that run as plain Python, indicators included."""
    return Copies(source, "plain", lambda function: function, lambda record: record)


def compiled_copies(source: Source, name: str) -> "Copies":
    """Return copies that compile into their callers, in a namespace called `name`.

    A place outside an array is an IndexError, as in Python: unchecked it would overwrite some other memory.
    """
    return Copies(source, name, _compiled, lambda record: _compiled(_constructor(record, name)))


def _compiled(function: FunctionType) -> Any:
    options = {**OPTIONS, "_nrt": True}  # a user may make arrays
    callers: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # compiled ones only
    return njit(forceinline=True, boundscheck=True, **options, **callers)(function)


class Copies:
    """Copies of functions in namespaces of their own, in which whatever they call has been copied, too.

    `make` turns the copy of a function into what its callers see, `record` a named tuple of the user's.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        make: Callable[[FunctionType], Any],
        record: Callable[[type], Any],
    ) -> None:
        self._name = name
        self._make = make
        self._record = record
        self._user = {id(vars(module)) for module in source.modules.values()}
        self._modules = {id(module) for module in source.modules.values()}
        self._names = set(source.modules)
        self._made: dict[Any, Any] = {}
        self._namespaces: dict[int, Namespace] = {}

    def function(self, function: Any) -> Any:
        """Return the copy of a function, plain or compiled."""
        plain = getattr(function, "py_func", function)
        namespace = self._namespace(plain.__globals__)
        if plain not in self._made:
            copy = FunctionType(plain.__code__, namespace, plain.__name__, plain.__defaults__, plain.__closure__)
            copy.__kwdefaults__ = plain.__kwdefaults__
            self._made[plain] = self._make(copy)
        return self._made[plain]

    def _namespace(self, original: Mapping[str, Any]) -> Namespace:
        """Return the copy of a module's namespace; it may still be filling, since functions call each other."""
        if id(original) not in self._namespaces:
            copy = self._namespaces[id(original)] = dict(original)
            copy["__name__"] = self._name  # under which Numba finds it when it loads machine code from disk
            mine = id(original) in self._user
            copy.update({name: self._value(value, mine=mine) for name, value in original.items() if name[:2] != "__"})
        return self._namespaces[id(original)]

    def _value(self, value: Any, *, mine: bool) -> Any:
        if hasattr(value, "py_func") or (isinstance(value, FunctionType) and id(value.__globals__) in self._user):
            return self.function(value)
        if isinstance(value, ModuleType) and (id(value) in self._modules or value.__name__.startswith("myquant.")):
            return self._as_module(value, value.__name__, vars(value))
        if not isinstance(value, type) or not mine:
            return value
        if is_record(value):
            return self._once(value, lambda: self._record(value))
        if type(value) is type and value.__module__ in self._names:
            names = {name: each for base in reversed(value.__mro__[:-1]) for name, each in vars(base).items()}
            return self._as_module(value, value.__name__, names)
        return value

    def _as_module(self, original: Any, name: str, names: Mapping[str, Any]) -> ModuleType:
        """Return a module with the copies of what a module or a class holds: compiled code knows no classes."""
        module: ModuleType | None = self._made.get(original)
        if module is None:
            module = self._made[original] = ModuleType(name)
            if isinstance(original, ModuleType):
                module.__dict__.update(self._namespace(names))
            else:
                plain = {key: getattr(each, "__func__", each) for key, each in names.items() if key[:2] != "__"}
                module.__dict__.update({key: self._value(each, mine=True) for key, each in plain.items()})
        return module

    def _once(self, original: Any, make: Callable[[], Any]) -> Any:
        if original not in self._made:
            self._made[original] = make()
        return self._made[original]


def _constructor(record: type, module: str) -> FunctionType:
    """Return a function that makes a named tuple as its class does, and takes an int for a float as Python does."""
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]
    kinds = get_type_hints(record)
    defaults = record._field_defaults  # type: ignore[attr-defined]
    values = ", ".join(_as_float(field, kinds.get(field)) for field in fields)
    names: Namespace = {"record": record, "__name__": module}
    exec(f"def {record.__name__}({', '.join(fields)}):\n    return record({values})\n", names)  # noqa: S102  (our own text, of field names)
    made: FunctionType = names[record.__name__]
    made.__defaults__ = tuple(defaults[field] for field in fields if field in defaults)
    return made


def _as_float(field: str, kind: Any) -> str:
    """Return the expression of a field, converted where it is declared float or a tuple of floats."""
    if float in get_args(kind):
        return "(" + "".join(f"float({field}[{i}]), " for i in range(len(get_args(kind)))) + ")"
    return f"float({field})" if kind is float else field
