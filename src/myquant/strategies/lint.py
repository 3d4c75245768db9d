"""What compiled code can't hold, found in the source: on every path, and with the line.

The compiler finds most of it, too; here is what it reports without a line, or not at all.
"""

import ast
import builtins
import inspect
import random
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

import numpy as np

from myquant.core.layout import is_record
from myquant.errors import ConfigError
from myquant.strategies.paths import unset_names
from myquant.strategies.problems import did_you_mean
from myquant.strategies.source import Source

NO_RAISE: Final = "it must answer on every tick: return False, or the state as it is"
REMEMBER: Final = "what is remembered is a field of State"
REFUSED: Final[Mapping[type[ast.AST], tuple[str, str]]] = {
    ast.Try: ("try", "nothing raises in compiled code: test the value (a division by zero gives inf or nan)"),
    ast.TryStar: ("try", "nothing raises in compiled code: test the value"),
    ast.Raise: ("raise", NO_RAISE),
    ast.Assert: ("assert", NO_RAISE),
    ast.With: ("with", "read what it needs when its file is imported"),
    ast.Import: ("import", "put it at the top of the file"),
    ast.ImportFrom: ("import", "put it at the top of the file"),
    ast.Global: ("global", REMEMBER),
    ast.Nonlocal: ("nonlocal", REMEMBER),
    ast.Delete: ("del", "leave it away"),
    ast.ClassDef: ("class", "put it outside the function"),
    ast.Yield: ("yield", "return the value"),
    ast.YieldFrom: ("yield", "return the value"),
    ast.Await: ("await", "it must answer at once"),
    ast.GeneratorExp: ("a generator expression", "write a loop"),
    ast.NamedExpr: (":=", "set the name on a line of its own"),
    ast.JoinedStr: ("an f-string", "it computes with numbers"),
}
CODES: Final = "reasons are codes: context.last_exit == codes.STOP_LOSS, with `from myquant.core import codes`"
ARRAY_BYTES_MAX: Final = 1_000_000  # a larger constant keeps Numba from storing the machine code
RANDOM: Final = ("random", "numpy.random", "secrets", "uuid")


class _Found(NamedTuple):
    line: int
    text: str


def check_code(functions: Mapping[str, FunctionType], source: Source) -> None:
    """Check a strategy's functions, and those of the user's that they call.

    Raises ConfigError at the first thing that compiled code can't hold.
    """
    sound: set[FunctionType] = set()
    for function in functions.values():
        _check(function, (), source, sound)


def _check(function: FunctionType, callers: tuple[FunctionType, ...], source: Source, sound: set[FunctionType]) -> None:
    if function in sound:
        return
    node = _node_of(function, source)
    if node is not None:
        code = _Code(function, node, source)
        problems, called = sorted(code.problems()), code.called
    else:
        values = (function.__globals__.get(name) for name in function.__code__.co_names)
        first = function.__code__.co_firstlineno
        problems, called = [], [(first, each) for each in values if isinstance(each, FunctionType)]
    called = [(line, each) for line, each in called if each.__module__ in source.modules]
    callers = (*callers, function)
    problems += [
        _Found(line, f"{each.__name__} calls itself; write a loop") for line, each in called if each in callers
    ]
    if problems:
        raise ConfigError(f"{function.__code__.co_filename}:{problems[0].line}: {problems[0].text}")
    for _, each in called:
        _check(each, callers, source, sound)
    sound.add(function)


def _node_of(function: FunctionType, source: Source) -> ast.FunctionDef | None:
    """Return the syntax of a function, None where it has none of its own, such as a lambda."""
    code = function.__code__
    tree = source.trees.get(code.co_filename)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def _asks_for_text(node: ast.Compare) -> bool:
    """Return whether something is compared for equality with a text; compiled code would answer False on every tick."""
    equal = any(isinstance(each, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for each in node.ops)
    parts = [part for side in (node.left, *node.comparators) for part in getattr(side, "elts", [side])]
    return equal and any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)


class _Code:
    """The source of one function, with what its names mean."""

    def __init__(self, function: FunctionType, node: ast.FunctionDef, source: Source) -> None:
        self.node = node
        self.modules = source.modules
        self.globals = function.__globals__
        self.code = function.__code__
        self.nonlocals = inspect.getclosurevars(function).nonlocals
        self.locals = set(self.code.co_varnames) | set(self.code.co_cellvars) | _inner_names(node)
        self.called: list[tuple[int, FunctionType]] = []  # with the lines

    def problems(self) -> Iterator[_Found]:
        """Yield what is wrong, and collect the functions that it calls."""
        for node in (each for statement in self.node.body for each in ast.walk(statement)):
            if type(node) in REFUSED:
                what, remedy = REFUSED[type(node)]
                yield _Found(node.lineno, f"a strategy's functions can't use {what}; {remedy}")  # type: ignore[attr-defined]
            elif isinstance(node, ast.Attribute | ast.Name):
                yield from self._name(node)
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Compare) and _asks_for_text(node):
                yield _Found(node.lineno, f"{ast.unparse(node)}: no number equals a text; {CODES}")
        for line, name in unset_names(self.node, set(self.code.co_varnames) | set(self.code.co_cellvars)):
            yield _Found(line, f"{name} is not set on every path to here; set it before the if")

    def _name(self, node: ast.Attribute | ast.Name) -> Iterator[_Found]:
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            remedy = f"state = state._replace({node.attr}=...)"
            yield _Found(node.lineno, f"{ast.unparse(node)} can't be changed in place; make a new one: {remedy}")
            return
        try:
            value = self._value(node)
        except NameError as error:
            yield _Found(node.lineno, str(error))
            return
        if isinstance(value, FunctionType):
            self.called.append((node.lineno, value))
        if _is_random(value):
            yield _Found(
                node.lineno, f"{ast.unparse(node)}: the same ticks must give the same trades; leave chance away"
            )
        if isinstance(value, np.ndarray) and value.nbytes > ARRAY_BYTES_MAX:
            yield _Found(
                node.lineno, f"{ast.unparse(node)} is an array of more than a megabyte, too large for a constant"
            )
        compiled = getattr(value, "py_func", None)
        home = str(getattr(compiled, "__module__", ""))
        if home and home not in self.modules and not home.startswith("myquant."):
            remedy = "copy it beside the strategy"
            yield _Found(
                node.lineno, f"{ast.unparse(node)} is compiled code of {home}, whose changes go unseen; {remedy}"
            )

    def _call(self, node: ast.Call) -> Iterator[_Found]:
        """Check the arguments with which a named tuple is made."""
        try:
            value = self._value(node.func)
        except NameError:
            return
        if isinstance(value, type) and value.__module__ in self.modules and not is_record(value):
            yield _Found(node.lineno, f"{ast.unparse(node.func)} is a class; compiled code makes named tuples only")
        named = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        spread = len(named) < len(node.keywords) or any(isinstance(each, ast.Starred) for each in node.args)
        if not is_record(value) or spread:
            return
        try:
            inspect.signature(value).bind(*node.args, **named)
        except TypeError as error:
            yield _Found(node.lineno, f"{ast.unparse(node.func)}: {error}; its fields are {', '.join(value._fields)}")

    def _value(self, node: ast.expr) -> Any:
        """Return what a name or a dotted name outside the function means; None for anything else. NameError: nothing."""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in self.locals:
            for names in (self.nonlocals, self.globals, vars(builtins)):
                if node.id in names:
                    return names[node.id]
            raise NameError(
                f"{node.id} is not defined{did_you_mean(node.id, {*self.locals, *self.globals, *dir(builtins)})}"
            )
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            if isinstance(owner, ModuleType | type):
                if not hasattr(owner, node.attr):
                    raise NameError(
                        f"{ast.unparse(node.value)} has no {node.attr}{did_you_mean(node.attr, dir(owner))}"
                    )
                return getattr(owner, node.attr)
        return None


def _inner_names(node: ast.FunctionDef) -> set[str]:
    """Return the names that functions, lambdas and comprehensions inside a function bind for themselves."""
    arguments = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    stored = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return arguments | stored


def _is_random(value: object) -> bool:
    owner = getattr(value, "__self__", None)
    home = value.__name__ if isinstance(value, ModuleType) else type(owner).__module__
    return home.startswith(RANDOM) or isinstance(owner, random.Random)
