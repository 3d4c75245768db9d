"""Load a strategy: the default one, or a user's own from one file, and specialise the engine on it."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple, get_args, get_type_hints

import numpy as np
from pydantic import BaseModel

from myquant.core import layout
from myquant.core.codes import COUNTS
from myquant.core.compiled import jit_enabled
from myquant.core.records import Account, Command, Day, Instrument, Rules
from myquant.errors import ConfigError
from myquant.strategies import default
from myquant.strategies.check import Found, check_strategy
from myquant.strategies.compiling import compile_alone
from myquant.strategies.copies import compiled_copies
from myquant.strategies.lint import check_code
from myquant.strategies.parameters import plain_parameters
from myquant.strategies.problems import one_line
from myquant.strategies.source import Source, imported
from myquant.strategies.specialise import engine_name, handle_of, has_compiled, is_compiled, specialise
from myquant.strategies.state import records_in
from myquant.strategies.trial import try_strategy

DEFAULT_ADAPTER: Final = """\
from myquant.core.slot import HAS_EXIT, HAS_STOP, exit_, stop
from myquant.strategies.default import FIRST_STATE, MEMORY, Params, State, as_usual, entry, is_usual, update
"""

# The adapter of a user's strategy: his functions, compiled, under the engine's names. A state is converted to the
# declared types, so that an int is good enough for a float.
USER_ADAPTER: Final = """\
import sys
from myquant.core import codes, slot
from myquant.core.compiled import inlined
user = sys.modules["{handle}"].strategy
Params, State, FIRST_STATE, MEMORY = user.params, user.state, user.first_state, user.memory
HAS_STOP, HAS_EXIT = {has_stop}, {has_exit}
_update, _entry = user.functions["update"], user.functions["entry"]
_stop, _exit = user.functions.get("stop", slot.stop), user.functions.get("exit", slot.exit_)
{records} = user.records

@inlined
def update(state, tick, params, memory):
    after = _update(state, tick, params{memory})
    return {after}

@inlined
def entry(state, tick, context, params):
    return bool(_entry(state, tick, context, params))

@inlined
def stop(state, tick, context, params):
    return float(_stop(state, tick, context, params))

@inlined
def exit_(state, tick, context, params):
    return bool(_exit(state, tick, context, params))

@inlined
def is_usual(rules, params):
    return not rules.noise_filter_enabled and rules.stop_mode != codes.STOP_BY_ATR

@inlined
def as_usual(rules, params):
    return rules._replace(noise_filter_enabled=False, stop_mode=codes.STOP_BY_POINTS), params
"""


class _User(NamedTuple):
    """What the adapter takes from a user's file."""

    params: type
    state: type
    first_state: Any
    memory: int
    records: tuple[type, ...]  # the named tuples in a state, the state first
    functions: Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class LoadedStrategy:
    """A strategy that the engine can be specialised on.

    `model` is the pydantic model of its own section, None where it has none; the default one's keys are part of
    `[strategy]`. `adapter` is the source of the module that the engine takes it from, `path` the user's file.
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
    path: Path | None = None
    text: str = ""  # of the user's file
    entry_name: str = ""  # the class in it, where one was named
    files: Mapping[str, bytes] = field(default_factory=dict)  # it and those beside it that it imports, by their paths
    probe: str = ""  # the module that counts where time goes, in an engine that is to be measured

    @cached_property
    def drive(self) -> ModuleType:
        """The engine specialised on this strategy: a module with `run` and `step`."""
        return specialise(self.adapter, self.probe)

    @property
    def handle(self) -> ModuleType:
        """The module with this engine's `handle`."""
        return handle_of(self.drive)

    @property
    def compiled(self) -> bool:
        """Whether the machine code of this engine's `run` is on disk; else the first call compiles for a while."""
        ticks = np.zeros(0, np.int64)
        columns = self.drive.Columns(*[ticks] * len(self.drive.Columns._fields))
        instruments = np.zeros(1, self.instrument_dtype())
        desk, commands = np.zeros(1, self.desk_dtype()), np.zeros(1, layout.dtype_of(Command))
        return is_compiled(
            self.drive.run, (columns, 0, 0, 0, 0, desk, instruments, instruments["day"].copy(), commands)
        )

    @property
    def engine_hash(self) -> str:
        """The hash of everything this engine is made from, measured or not."""
        return engine_name(self.adapter).removeprefix("myquant_")

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return the parameters as the compiled functions take them, from the section's values.

        Raises ConfigError where a validator of the user's made something else than a number of one.
        """
        return plain_parameters(self.params, self.section, values)

    def failure(self, error: Exception) -> ConfigError:
        """Return what to tell a user when compiled code has raised: the engine's own does not."""
        text = one_line(error) or type(error).__name__
        if isinstance(error, IndexError):
            text = f"a place outside the memory (MEMORY = {self.memory}) or another array; is a period too long for it?"
        return ConfigError(f"{self.path or self.name}: strategy {self.name} stopped the run: {text}")

    def desk_dtype(self) -> np.dtype[np.void]:
        """Return the dtype of what the instruments share: account, rules, the strategy's parameters."""
        return _desk_dtype(self.params)

    def instrument_dtype(self) -> np.dtype[np.void]:
        """Return the dtype of one instrument: the core's part, its day, the strategy's state, counters, windows."""
        return _instrument_dtype(self.state, self.memory)


@cache
def _desk_dtype(params: type) -> np.dtype[np.void]:
    parts = {"account": Account, "rules": Rules, "params": params}
    return np.dtype([(name, layout.dtype_of(part)) for name, part in parts.items()])


@cache
def _instrument_dtype(state: type, memory: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("core", layout.dtype_of(Instrument)),
            ("day", layout.dtype_of(Day)),
            ("strategy", layout.dtype_of(state)),
            ("counts", "<i8", (COUNTS,)),
            ("memory", "<f8", (max(1, memory),)),
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

    Without a name the file's own functions are the strategy, else those of its class `Name`. The file is read anew each
    time. Raises ConfigError with the user's file and line for whatever is wrong in it.
    """
    if target is None:
        return default_strategy()
    stem, colon, name = str(target).partition(".py:")
    with imported(Path(f"{stem}.py" if colon else stem)) as source:
        text = source.path.read_text(encoding="utf-8")
        folder = source.path.parent.resolve()
        files = {
            Path(path).resolve().relative_to(folder).as_posix(): source.texts[module]
            for module, path in source.paths.items()
        }
        found = check_strategy(source, name)
        handle = f"myquant_user_{source.digest(name)}"
        adapter = _adapter(found, handle)
        if handle not in sys.modules:
            check_code(found.functions, source)
            try_strategy(found, source)
            _compile(found, source, handle, adapter)
        user: _User = vars(sys.modules[handle])["strategy"]
    return LoadedStrategy(
        found.label,
        found.section,
        found.model,
        user.params,
        user.state,
        user.first_state,
        user.memory,
        has_stop="stop" in found.functions,
        adapter=adapter,
        path=source.path,
        text=text,
        entry_name=name,
        files=files,
    )


def _compile(found: Found, source: Source, handle: str, adapter: str) -> None:
    """Put a strategy's compiled functions where the adapter finds them: among the interpreter's modules as `handle`.

    The module is there before anything compiles: Numba notes in its machine code which one to look for.
    """
    copies = compiled_copies(source, handle)
    functions = {name: copies.function(function) for name, function in found.functions.items()}
    records = tuple(records_in(found.state))
    module = sys.modules[handle] = ModuleType(handle)
    vars(module)["strategy"] = _User(found.params, found.state, found.first_state, found.memory, records, functions)
    if jit_enabled() and not has_compiled(adapter):
        try:
            compile_alone(found, functions, source)
        except ConfigError:
            del sys.modules[handle]
            raise


def _adapter(found: Found, handle: str) -> str:
    names = {record: f"Record{number}" for number, record in enumerate(records_in(found.state))}
    return USER_ADAPTER.format(
        handle=handle,
        has_stop="stop" in found.functions,
        has_exit="exit" in found.functions,
        records="".join(f"{name}, " for name in names.values()).rstrip(),
        memory=", memory" if found.takes_memory else "",
        after=_converted(found.state, "after", names),
    )


def _converted(record: type, value: str, names: Mapping[type, str]) -> str:
    """Return the expression that makes a named tuple anew with every number of its declared type."""
    parts = []
    for name, kind in get_type_hints(record).items():
        field = f"{value}.{name}"
        if layout.is_record(kind):
            parts.append(_converted(kind, field, names))
        elif items := get_args(kind):
            parts.append("(" + "".join(f"{items[0].__name__}({field}[{i}]), " for i in range(len(items))) + ")")
        else:
            parts.append(f"{kind.__name__}({field})")
    return f"{names[record]}({', '.join(parts)})"
