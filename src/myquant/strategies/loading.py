"""Load a strategy: the default one, or a user's own from one file, and specialise the engine on it."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast, get_type_hints

import numpy as np
from pydantic import BaseModel

from myquant.core import layout
from myquant.core.codes import COUNTS
from myquant.core.compiled import inlined
from myquant.core.records import Account, Day, Instrument, Rules
from myquant.errors import ConfigError
from myquant.strategies import default
from myquant.strategies.check import check_strategy, section_name
from myquant.strategies.specialise import is_compiled, specialise

DEFAULT_ADAPTER = """\
from myquant.core.slot import HAS_EXIT, HAS_STOP, exit_, stop
from myquant.strategies.default import FIRST_STATE, MEMORY, Params, State, as_usual, entry, is_usual, update
"""

# The adapter of a user's strategy: his functions, compiled, under the engine's names. A result is converted to the
# declared types, so that `0` is good enough for a float.
USER_ADAPTER = """\
# strategy {digest}
import sys
from myquant.core import slot
from myquant.core.compiled import inlined
from myquant.core.slot import as_usual, is_usual
user = sys.modules["{module}"].__strategy__
Params, State, FIRST_STATE, MEMORY = user.Params, user.State, user.first_state, user.memory
HAS_STOP, HAS_EXIT = {has_stop}, {has_exit}
_update, _entry = user.update, user.entry
stop, exit_ = user.stop or slot.stop, user.exit_ or slot.exit_

@inlined
def update(state, tick, params, memory):
    after = _update(state, tick, params{memory})
    return State({fields})

@inlined
def entry(state, tick, context, params):
    return bool(_entry(state, tick, context, params))
"""


class UserStrategy(NamedTuple):
    """What the adapter takes from a user's file."""

    Params: type
    State: type
    first_state: Any
    memory: int
    update: Callable[..., Any]
    entry: Callable[..., Any]
    stop: Callable[..., Any] | None
    exit_: Callable[..., Any] | None


@dataclass(frozen=True)
class LoadedStrategy:
    """A strategy that the engine can be specialised on.

    `model` is the pydantic model of its own section, None for the default one, whose keys are part of `[strategy]`.
    """

    name: str
    section: str
    model: type[BaseModel] | None
    params: type
    state: type
    first_state: Any
    memory: int
    has_stop: bool
    adapter: str

    @cached_property
    def drive(self) -> ModuleType:
        """The engine specialised on this strategy: a module with `run` and `step`."""
        return specialise(self.adapter)

    @property
    def compiled(self) -> bool:
        """Whether this engine's machine code is on disk already."""
        return is_compiled(self.drive)

    @property
    def engine_hash(self) -> str:
        """The hash of everything this engine is made from."""
        return str(self.drive.__name__).split("_")[1]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return the parameters as the compiled functions take them, from the section's values."""
        kinds = get_type_hints(self.params)
        return self.params(**{name: _plain(values[name], kind) for name, kind in kinds.items()})

    def desk_dtype(self) -> np.dtype[np.void]:
        """Return the dtype of what the instruments share: account, rules, the strategy's parameters."""
        parts = {"account": Account, "rules": Rules, "params": self.params}
        return np.dtype([(name, layout.dtype_of(part)) for name, part in parts.items()])

    def instrument_dtype(self) -> np.dtype[np.void]:
        """Return the dtype of one instrument: the core's part, its day, the strategy's state, counters, windows."""
        return np.dtype(
            [
                ("core", layout.dtype_of(Instrument)),
                ("day", layout.dtype_of(Day)),
                ("strategy", layout.dtype_of(self.state)),
                ("counts", "<i8", (COUNTS,)),
                ("memory", "<f8", (max(1, self.memory),)),
            ]
        )


def default_strategy() -> LoadedStrategy:
    """Return the built-in strategy."""
    return LoadedStrategy(
        "default",
        default.SECTION,
        None,
        default.Params,
        default.State,
        default.FIRST_STATE,
        default.MEMORY,
        has_stop=False,
        adapter=DEFAULT_ADAPTER,
    )


def load_strategy(target: str | Path | None) -> LoadedStrategy:
    """Return the strategy of `FILE.py` or `FILE.py:Name`; None is the default one.

    Without a name the file's own functions are the strategy. Raises ConfigError with the user's file and line.
    """
    if target is None:
        return default_strategy()
    text, _, name = str(target).partition(".py:")
    path = Path(f"{text}.py") if name else Path(text)
    module, digest = _import_file(path)
    if name and not hasattr(module, name):
        raise ConfigError(f"{path}: holds no {name}; name one of the file's classes, or leave :{name} away")
    holder = getattr(module, name) if name else module
    label = name or path.stem
    found = check_strategy(holder, label, path)
    _compile_functions(module)
    user = UserStrategy(
        _params_tuple(found.model),
        found.state,
        found.state(),
        found.memory,
        inlined(found.update),
        inlined(found.entry),
        inlined(found.stop) if found.stop else None,
        inlined(found.exit_) if found.exit_ else None,
    )
    handle = f"myquant_user_{digest}_{label}"
    carrier = ModuleType(handle)
    carrier.__dict__["__strategy__"] = user
    sys.modules[handle] = carrier
    adapter = USER_ADAPTER.format(
        digest=digest,
        module=handle,
        has_stop=found.stop is not None,
        has_exit=found.exit_ is not None,
        memory=", memory" if found.takes_memory else "",
        fields=", ".join(_converted(field, kind) for field, kind in get_type_hints(found.state).items()),
    )
    return LoadedStrategy(
        label,
        section_name(holder, label),
        found.model,
        user.Params,
        user.State,
        user.first_state,
        user.memory,
        has_stop=found.stop is not None,
        adapter=adapter,
    )


def _import_file(path: Path) -> tuple[ModuleType, str]:
    """Import a strategy's file; return it and the hash of its source and of the modules beside it that it imports."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such strategy file; name a Python file, as in --strategy my_strategy.py")
    name = f"myquant_strategy_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    before = set(sys.modules)
    sys.path.insert(0, folder)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ConfigError(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except Exception as error:  # noqa: BLE001  (whatever a user's module does while it is imported is his line's fault)
        raise ConfigError(f"{_last_line(error, path)}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    digest = hashlib.sha256(path.read_bytes())
    for helper in sorted(set(sys.modules) - before):
        source = getattr(sys.modules[helper], "__file__", None) or ""
        if source.startswith(folder) and helper != name and "site-packages" not in source:
            digest.update(Path(source).read_bytes())
            _compile_functions(sys.modules[helper])
    return module, digest.hexdigest()[:16]


def _last_line(error: BaseException, path: Path) -> str:
    """Return `file:line` of the innermost frame of an error that lies in the user's file."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)


def _compile_functions(module: ModuleType) -> None:
    """Let the user's functions call each other in compiled code: each plain function of the file is compiled on demand."""
    for name, value in list(vars(module).items()):
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            setattr(module, name, inlined(value))


def _params_tuple(model: type[BaseModel] | None) -> type:
    """Return the parameters' model as a named tuple type of int, float and bool."""
    fields = [] if model is None else [(name, info.annotation) for name, info in model.model_fields.items()]
    kinds = [(name, float if kind is Decimal else kind) for name, kind in fields]
    return cast("type", NamedTuple("Params", kinds or [("unused", int)]))


def _plain(value: Any, kind: type) -> Any:
    return kind(value)


def _converted(field: str, kind: Any) -> str:
    return f"after.{field}" if layout.is_record(kind) else f"{kind.__name__}(after.{field})"
