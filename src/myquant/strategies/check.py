"""What a strategy's file must hold, and the errors that name the user's line where it does not."""

import inspect
import re
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple, NoReturn

from pydantic import BaseModel

from myquant.config.loading import SECTION_NAME
from myquant.config.schema import SECTIONS
from myquant.errors import ConfigError
from myquant.strategies.parameters import check_model, params_tuple
from myquant.strategies.problems import did_you_mean, nearest
from myquant.strategies.source import MAIN, Source
from myquant.strategies.state import first_state

ARGUMENTS: Final = {
    "update": ("state", "tick", "params"),
    "entry": ("state", "tick", "context", "params"),
    "stop": ("state", "tick", "context", "params"),
    "exit": ("state", "tick", "context", "params"),
}
NEEDED: Final = ("update", "entry")
MEMORY_MAX: Final = 1_000_000


class Found(NamedTuple):
    """The parts of a strategy that were found in a file, each of the right form."""

    label: str
    section: str
    model: type[BaseModel] | None
    params: type
    state: type
    first_state: Any
    memory: int
    takes_memory: bool
    functions: dict[str, FunctionType]  # update, entry, and of stop and exit those there are


class _Holder(NamedTuple):
    """Where the parts are looked for: the file itself, or a class in it."""

    source: Source
    thing: Any
    label: str

    def place(self, name: str) -> str:
        """Return where the file defines a part."""
        if self.thing is self.source.module:
            return self.source.place(MAIN, name) or str(self.source.path)
        own = self.source.place(MAIN, f"{self.thing.__qualname__}.{name}")
        return own or self.source.place(MAIN, self.thing.__qualname__) or str(self.source.path)

    def get(self, name: str) -> Any:
        """Return a part as it was defined, None where it is missing."""
        return inspect.getattr_static(self.thing, name, None)

    def field_place(self, record: type, name: str) -> str:
        """Return where a field of a class was declared, or the class itself."""
        owners = (each for each in record.__mro__ if name in vars(each).get("__annotations__", {}))
        owner = next(owners, record)
        declared = f"{owner.__qualname__}.{name}" if name else owner.__qualname__
        return self.source.place(owner.__module__, declared) or self.place("State")


def check_strategy(source: Source, name: str) -> Found:
    """Return the parts of a file's strategy, or of that of its class `name`.

    Raises ConfigError with file, line and remedy at the first that is wrong.
    """
    holder = _holder(source, name)
    section = _section(holder)
    model = holder.get("Params")
    if model is not None:

        def place(field: str) -> str:
            return holder.field_place(model, field) if isinstance(model, type) else holder.place("Params")

        model = check_model(model, section, place, source.files)
    state = holder.get("State")
    if state is None:
        remedy = "declare class State(NamedTuple), each field with its value before the first tick"
        raise ConfigError(f"{source.path}: strategy {holder.label} has no State; {remedy}")
    first = first_state(state, holder.field_place)
    memory = holder.get("MEMORY") or 0
    if isinstance(memory, bool) or not isinstance(memory, int) or not 0 <= memory <= MEMORY_MAX:
        raise ConfigError(
            f"{holder.place('MEMORY')}: MEMORY = {memory!r}: must be a whole number from 0 to {MEMORY_MAX}"
        )
    functions = {each: function for each in ARGUMENTS if (function := _function(holder, each)) is not None}
    update = functions["update"]
    takes_memory = len(inspect.signature(update).parameters) > len(ARGUMENTS["update"])
    if takes_memory and memory == 0:
        raise ConfigError(f"{_line(update)}: update takes a memory; say how many numbers it holds: MEMORY = 200")
    if memory and not takes_memory:
        raise ConfigError(
            f"{holder.place('MEMORY')}: MEMORY is for update(state, tick, params, memory), which takes none"
        )
    return Found(
        holder.label,
        section,
        model,
        params_tuple(model),
        state,
        first,
        memory,
        takes_memory,
        functions,
    )


def _holder(source: Source, name: str) -> _Holder:
    if not name:
        return _Holder(source, source.module, source.path.stem)
    classes = {
        key for key, value in vars(source.module).items() if isinstance(value, type) and value.__module__ == MAIN
    }
    thing = vars(source.module).get(name)
    if not isinstance(thing, type):
        hint = did_you_mean(name, classes) or f"; name one of its classes, or leave :{name} away"
        raise ConfigError(f"{source.path}: has no class {name}{hint}")
    return _Holder(source, thing, name)


def _section(holder: _Holder) -> str:
    """Return the strategy's section: its SECTION, else its name in snake case."""
    chosen = holder.get("SECTION")
    if chosen is None:
        section = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", holder.label).lower()
        section = re.sub(r"[^a-z0-9]+", "_", section).strip("_")
    else:
        section = chosen
    if holder.get("Params") is None:
        return str(section)
    if not isinstance(section, str) or not SECTION_NAME.fullmatch(section) or section in SECTIONS:
        remedy = "choose another, as in SECTION = 'my_strategy': letters, digits and single underscores"
        raise ConfigError(
            f"{holder.place('SECTION')}: {section!r} can't be the section of the strategy's parameters; {remedy}"
        )
    return section


def _missing(holder: _Holder, name: str) -> NoReturn:
    call = f"{name}({', '.join(ARGUMENTS[name])})"
    functions = {key for key, value in vars(holder.thing).items() if inspect.isfunction(value)}
    near = nearest(name, functions - set(ARGUMENTS))
    place = holder.place(near) if near else holder.source.path
    hint = f"; is {near} meant to be it?" if near else "; every strategy needs update and entry"
    raise ConfigError(f"{place}: strategy {holder.label} has no function {call}{hint}")


def _function(holder: _Holder, name: str) -> FunctionType | None:
    """Return one of the strategy's functions, without decorators; None where there is none."""
    found = holder.get(name)
    function = found.__func__ if isinstance(found, staticmethod) else found
    function = getattr(function, "py_func", function)  # of a user who has compiled it himself
    if function is None:
        return _missing(holder, name) if name in NEEDED else None
    if not isinstance(function, FunctionType) or inspect.iscoroutinefunction(function):
        raise ConfigError(
            f"{holder.place(name)}: {name} must be a plain function: def {name}({', '.join(ARGUMENTS[name])})"
        )
    wanted = ARGUMENTS[name]
    parameters = inspect.signature(function).parameters
    given = tuple(parameters)
    plain = all(each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty for each in parameters.values())
    if name == "update" and len(given) == len(wanted) + 1:
        wanted = (*wanted, "memory")
    mixed = given != wanted and sorted(given) == sorted(wanted)
    if not plain or len(given) != len(wanted) or mixed:
        hint = "; leave self away" if given[:1] == ("self",) else ""
        called = f"the engine calls {name}({', '.join(wanted)})"
        raise ConfigError(
            f"{_line(function)}: {name} takes ({', '.join(map(str, parameters.values()))}); {called}{hint}"
        )
    return function


def _line(function: Callable[..., Any]) -> str:
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
