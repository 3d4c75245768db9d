"""A strategy's functions run on made-up ticks as plain Python, before anything is compiled."""

import io
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from operator import attrgetter
from threading import Timer
from types import FunctionType
from typing import Any, Final, NoReturn

import numpy as np

from myquant.core import codes
from myquant.core.records import Context, Tick
from myquant.errors import ConfigError
from myquant.strategies.check import Found
from myquant.strategies.copies import plain_copies
from myquant.strategies.parameters import plain_parameters
from myquant.strategies.problems import line_in, one_line, words
from myquant.strategies.source import Source
from myquant.strategies.state import SCALARS, leaves

TICKS: Final = 60  # beside as many as fill the memory once
MEMORY_TICKS_MAX: Final = 1000
START_NS: Final = 1_759_463_100_000_000_000  # 2025-10-03 09:15 in Asia/Kolkata
SECOND_NS: Final = 10**9
PATIENCE_S: Final = 5.0

NEVER_TRADED: Final = Context(0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 4, 0.0)
STOPPED_OUT: Final = Context(0, 0.0, 0.0, 0.0, 0, codes.STOP_LOSS, START_NS, 1, 0, -1125.0)
IN_POSITION: Final = Context(75, 98.5, 83.5, 104.25, START_NS, codes.TAKE_PROFIT, START_NS, 2, 1, 431.25)
DIFFERS: Final = "math domain error"  # what Python raises where compiled code gives nan


def try_strategy(found: Found, source: Source) -> None:
    """Run the functions on ticks that rise, fall and stand still, flat and in a position.

    Raises ConfigError with the user's line where one of them raises, or returns something of another type. Arithmetic
    that only plain Python refuses (a division by zero) ends the trial without a word.
    """
    copies = plain_copies(source)
    functions = {name: copies.function(function) for name, function in found.functions.items()}
    defaults = {} if found.model is None else dict(found.model())
    params = plain_parameters(found.params, found.section, defaults)
    memory = (np.zeros(found.memory),) if found.takes_memory else ()
    state = found.first_state

    def ask(name: str, context: Context) -> Any:
        return _call(functions[name], source, state, tick, context, params)

    with _patience(source), redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        for tick in made_up_ticks(TICKS + min(found.memory, MEMORY_TICKS_MAX)):
            try:
                state = _checked_state(_call(functions["update"], source, state, tick, params, *memory), found)
                for context in (NEVER_TRADED, STOPPED_OUT):
                    _check_bool(ask("entry", context), found.functions["entry"])
                if "stop" in functions:
                    _check_price(ask("stop", NEVER_TRADED), found.functions["stop"])
                if "exit" in functions:
                    _check_bool(ask("exit", IN_POSITION), found.functions["exit"])
            except ArithmeticError:
                return


@contextmanager
def _patience(source: Source) -> Iterator[None]:
    """Say so on stderr when the trial, which takes a tenth of a second, does not end."""
    text = (
        f"note: {source.path}: its functions still run on made-up ticks after {PATIENCE_S:g} s; does every loop end?\n"
    )
    timer = Timer(PATIENCE_S, sys.stderr.write, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def made_up_ticks(count: int) -> Iterator[Tick]:
    """Yield ticks on two days that rise, fall, stand still and jump; some without volume, some with a quote."""
    for n in range(1, count + 1):
        paise = 10_000 + 5 * round(9 * math.sin(n / 7)) + (500 if n % 29 == 0 else 0)
        day = 2 * n > count
        new_day = n == 1 or (day and 2 * (n - 1) <= count)
        time_ns = START_NS + (n // 2) * SECOND_NS + day * 86_400 * SECOND_NS
        quoted = n % 3 == 0
        bid, ask = (paise - 5, paise + 5) if quoted else (0, 0)
        yield Tick(time_ns, paise / 100.0, paise, 75 * (n % 4), bid, ask, n, new_day)


def _call(function: Callable[..., Any], source: Source, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ArithmeticError:
        raise
    except Exception as error:  # whatever a user's function raises
        if str(error) == DIFFERS:
            raise ArithmeticError from error
        code = function.__code__
        place = line_in(error, source.files) or f"{code.co_filename}:{code.co_firstlineno}"
        text = words(error)
        if isinstance(error, IndexError):
            text += "; is MEMORY large enough for the periods?"
        raise ConfigError(f"{place}: in {function.__name__}: {text}") from error


def _checked_state(after: Any, found: Found) -> Any:
    if type(after) is not found.state:
        _wrong(found.functions["update"], repr(after), "must return a State, as in state._replace(...)")
    for name, _, kind in leaves(found.state, ""):
        value = attrgetter(name)(after)
        if kind in SCALARS and not isinstance(value, (*SCALARS[kind], *SCALARS[bool])):
            _wrong(found.functions["update"], f"State.{name} = {value!r}", f"is declared {kind.__name__}")
    return after


def _check_bool(answer: Any, function: FunctionType) -> None:
    if not isinstance(answer, bool | np.bool_):
        _wrong(function, repr(answer), "must return True or False on every path")


def _check_price(answer: Any, function: FunctionType) -> None:
    if isinstance(answer, bool) or not isinstance(answer, float | int | np.floating | np.integer):
        _wrong(function, repr(answer), "must return a price in rupees on every path")


def _wrong(function: FunctionType, answer: str, wanted: str) -> NoReturn:
    place = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    raise ConfigError(f"{place}: {function.__name__} returned {one_line(answer)}; it {wanted}")
