"""What a user's strategy must look like, and the errors that name his line when it does not."""

import inspect
import re
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
from pydantic import BaseModel, ValidationError

from myquant.core.layout import is_record
from myquant.core.records import Context, Tick
from myquant.errors import ConfigError

ARGUMENTS = {
    "update": ("state", "tick", "params"),
    "entry": ("state", "tick", "context", "params"),
    "stop": ("state", "tick", "context", "params"),
    "exit": ("state", "tick", "context", "params"),
}
MEMORY_MAX = 1_000_000
_PARAMETER_KINDS = (bool, int, float, Decimal)
_TICK = Tick(1_759_463_100_000_000_000, 100.0, 10_000, 75, 9_995, 10_005, 1, True)
_CONTEXT = Context(0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0, 0.0)


class Found(NamedTuple):
    """The parts of a strategy that were found in a file, each of the right form."""

    model: type[BaseModel] | None
    state: type
    memory: int
    takes_memory: bool
    update: Callable[..., Any]
    entry: Callable[..., Any]
    stop: Callable[..., Any] | None
    exit_: Callable[..., Any] | None


def check_strategy(holder: Any, label: str, path: Path) -> Found:
    """Return the parts of a strategy; raise ConfigError with file, line and remedy at the first that is wrong."""
    model = _model(holder, path)
    state = _state(holder, label, path)
    memory = getattr(holder, "MEMORY", 0)
    if not isinstance(memory, int) or not 0 <= memory <= MEMORY_MAX:
        raise ConfigError(f"{path}: MEMORY = {memory!r}: a whole number of places from 0 to {MEMORY_MAX}")
    functions = {name: _function(holder, name, label, path) for name in ARGUMENTS}
    update, entry = functions["update"], functions["entry"]
    if update is None or entry is None:
        missing = "update(state, tick, params)" if update is None else "entry(state, tick, context, params)"
        raise ConfigError(f"{path}: strategy {label} has no function {missing}; every strategy needs update and entry")
    takes_memory = len(inspect.signature(update).parameters) == len(ARGUMENTS["update"]) + 1
    found = Found(model, state, memory, takes_memory, update, entry, functions["stop"], functions["exit"])
    try_strategy(found, path)
    return found


def section_name(holder: Any, label: str) -> str:
    """Return the strategy's section: its SECTION, else its name in snake case."""
    chosen = getattr(holder, "SECTION", None)
    return str(chosen) if chosen else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label).lower()


def _model(holder: Any, path: Path) -> type[BaseModel] | None:
    model = getattr(holder, "Params", None)
    if model is None:
        return None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ConfigError(f"{_place(model, path)}: Params must be a pydantic model: class Params(BaseModel)")
    for name, info in model.model_fields.items():
        if info.annotation not in _PARAMETER_KINDS:
            raise ConfigError(f"{_place(model, path)}: Params.{name}: a parameter is an int, a float or a bool")
        if info.is_required():
            raise ConfigError(f"{_place(model, path)}: Params.{name} needs a default, as in {name}: int = Field(20, ge=2)")
    try:
        model()
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{_place(model, path)}: Params.{first['loc'][0]}: its default is refused: {first['msg']}") from error
    return model


def _state(holder: Any, label: str, path: Path) -> type:
    state = getattr(holder, "State", None)
    if state is None:
        raise ConfigError(f"{path}: strategy {label} has no State; declare class State(NamedTuple) with a default per field")
    if not is_record(state):
        raise ConfigError(f"{_place(state, path)}: State must be a NamedTuple: class State(NamedTuple)")
    defaults = state._field_defaults
    for name, kind in get_type_hints(state).items():
        if name not in defaults:
            raise ConfigError(f"{_place(state, path)}: State.{name} needs a default: its value before the first tick")
        if not is_record(kind) and kind not in (int, float, bool):
            raise ConfigError(f"{_place(state, path)}: State.{name} is {kind}; a state holds int, float, bool, NamedTuples")
    return state  # type: ignore[no-any-return]


def _function(holder: Any, name: str, label: str, path: Path) -> Callable[..., Any] | None:
    function = inspect.getattr_static(holder, name, None)
    if isinstance(function, staticmethod):
        function = function.__func__
    if function is None:
        return None
    if not inspect.isfunction(function):
        raise ConfigError(f"{path}: {label}.{name} must be a plain function")
    wanted = ARGUMENTS[name]
    given = tuple(inspect.signature(function).parameters)
    if len(given) != len(wanted) and not (name == "update" and len(given) == len(wanted) + 1):
        line = function.__code__.co_firstlineno
        raise ConfigError(f"{path}:{line}: {name} takes ({', '.join(given)}); the engine calls {name}({', '.join(wanted)})")
    return function


def try_strategy(found: Found, path: Path) -> None:
    """Run the functions once as plain Python on a made-up tick: misspelt names and wrong results show with their line."""
    params = found.model() if found.model else None
    memory = (np.zeros(max(1, found.memory)),) if found.takes_memory else ()
    state = found.state()
    after = _call(found.update, path, state, _TICK, params, *memory)
    if not isinstance(after, found.state):
        line = found.update.__code__.co_firstlineno
        raise ConfigError(f"{path}:{line}: update returned {after!r}; it must return a State")
    for name, kind in get_type_hints(found.state).items():
        value = getattr(after, name)
        if kind in (int, bool) and isinstance(value, float):
            line = found.update.__code__.co_firstlineno
            raise ConfigError(f"{path}:{line}: update returned State.{name} = {value!r}, but it is declared {kind.__name__}")
    for function, kinds in ((found.entry, (bool, np.bool_)), (found.exit_, (bool, np.bool_)), (found.stop, (float, int))):
        if function is None:
            continue
        answer = _call(function, path, after, _TICK, _CONTEXT, params)
        if not isinstance(answer, kinds):
            line = function.__code__.co_firstlineno
            wanted = "True or False" if bool in kinds else "a price in rupees"
            raise ConfigError(f"{path}:{line}: {function.__name__} returned {answer!r}; it must return {wanted}")


def _call(function: Callable[..., Any], path: Path, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001  (whatever a user's function raises is shown with his line)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
        line = frames[-1].lineno if frames else function.__code__.co_firstlineno
        raise ConfigError(f"{path}:{line}: in {function.__name__}: {type(error).__name__}: {error}") from error


def _place(thing: Any, path: Path) -> str:
    try:
        return f"{path}:{inspect.getsourcelines(thing)[1]}"
    except (OSError, TypeError):
        return str(path)
