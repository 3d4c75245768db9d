"""A strategy's functions compiled by themselves, and the compiler's errors as lines that name the user's own.

The engine around them compiles for up to a minute and would bury the error; this takes a second.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, Final, get_args, get_type_hints

from numba import typeof, types
from numba.core.errors import NumbaWarning

from myquant.core.layout import is_record
from myquant.core.records import Context, Tick
from myquant.errors import ConfigError
from myquant.strategies.check import Found
from myquant.strategies.problems import did_you_mean, one_line
from myquant.strategies.source import Source
from myquant.strategies.state import records_in

PLACE: Final = re.compile(r'File "([^"\n]+)", line (\d+)|(?:at|from) (\S+\.py) \((\d+)\)')
RETURN: Final = re.compile(r"type '([^\n]*)', location: \nFile \"([^\"\n]+)\", line (\d+)")
MEMORY: Final = types.Array(types.float64, 1, "C")
SHORT: Final = (  # how the compiler's types read to a user
    (r"Literal\[(\w+)\]\([^)]*\)", r"\1"),
    (r"(readonly )?array\((\w+), (\d)d, \w\)", r"array of \2"),
    (r"unicode_type", "str"),
    (r"\b(u?int|float)(8|16|32|64)\b", r"\1"),
    (r"\breflected list\((\w+)\)(<iv=[^>]*>)?", r"list of \1"),
    (r"<iv=[^>]*>", ""),
    (r"OptionalType\((\w+)\)", r"\1 or None"),
    (r"IntEnum<int>\((\w+)\)", r"\1"),
    (r"\bnone\b", "None"),
    (r"(Uni)?Tuple\(", "tuple("),
    (r"(\b[A-Z]\w*)\((?:\w+|, |\w+\([^)]*\)| x \d+)*\)", r"\1"),  # a named tuple: without the types of its fields
    (r"CPUDispatcher\(<function (\w+) at \w+>\)", r"\1"),
)


def compile_alone(found: Found, functions: dict[str, Any], source: Source) -> None:
    """Compile the functions for the types that the engine will give them.

    Raises ConfigError with the user's line and a short reason where that fails, or where a result has another type.
    """
    examples = (found.first_state, _example(Tick), _example(Context), _example(found.params))
    state, tick, context, params = map(typeof, examples)
    records = {each.__name__: each for each in (Tick, Context, found.params, *records_in(found.state))}
    for name, original in found.functions.items():
        seen = (state, tick, context, params) if name != "update" else (state, tick, params)
        signature = (*seen, MEMORY) if name == "update" and found.takes_memory else seen
        compiled = functions[name]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", NumbaWarning)  # such as a cast that loses precision
                compiled.compile(signature)
        except Exception as error:  # the compiler fails in many ways on what it does not know
            wanted = {"update": state, "stop": types.float64}.get(name, types.boolean)
            place = _place(str(error), str(wanted), source) or _line(original)
            raise ConfigError(f"{place}: {reason(str(error), records)}") from error
        problem = _result_problem(name, compiled.overloads[signature].signature.return_type, found)
        if problem:
            raise ConfigError(f"{_line(original)}: {name} {problem}")


def _example(record: type) -> Any:
    """Return a named tuple of the declared types."""
    return record(*(kind(0) for kind in get_type_hints(record).values()))


def _line(function: FunctionType) -> str:
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def _place(text: str, wanted: str, source: Source) -> str | None:
    """Return `file:line` of the first place of a compiler's error that lies in the user's files: the innermost.

    Where results differ from path to path, it is the first that is not of the wanted type.
    """
    known = {Path(file).resolve(): file for file in source.files}
    places = [(file, line) for kind, file, line in RETURN.findall(text) if kind != wanted]
    places += [(quoted or bare, line or number) for quoted, line, bare, number in PLACE.findall(text)]
    for file, line in places:
        path = Path(file).resolve()
        if path in known:
            return f"{known[path]}:{line}"
    return None


def _result_problem(name: str, result: Any, found: Found) -> str | None:
    shown = short(str(result))
    if name != "update":
        wanted = types.Boolean if name != "stop" else types.Number
        if isinstance(result, wanted):
            return None
        words = "a price in rupees on every path" if name == "stop" else "True or False on every path, as a > b is"
        return f"returns {shown}; it must return {words}"
    if getattr(result, "instance_class", None) is not found.state:
        return f"returns {shown}; it must return a State on every path"
    for field, kind, given in _fields(found.state, result):
        if kind in (int, bool) and not isinstance(given, types.Integer | types.Boolean):
            return f"returns State.{field} as {short(str(given))}, but it is declared {kind.__name__}"
        if kind is float and not isinstance(given, types.Number | types.Boolean):
            return f"returns State.{field} as {short(str(given))}, but it is declared float"
    return None


def _fields(record: type, typed: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    for (name, kind), given in zip(get_type_hints(record).items(), typed, strict=True):
        if is_record(kind) and hasattr(given, "fields"):
            yield from _fields(kind, given, f"{prefix}{name}.")
        else:
            yield prefix + name, kind, given


def short(text: str) -> str:
    """Return a compiler's name of a type as a user would write it."""
    for pattern, plain in SHORT:
        text = re.sub(pattern, plain, text)
    return text


def reason(text: str, records: dict[str, type]) -> str:
    """Return in one line why the compiler refuses something; `records` are the named tuples that a user knows."""
    for pattern, explain in REASONS:
        if match := re.search(pattern, text, re.DOTALL):
            return one_line(explain(match, records))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("Failed in nopython mode")]
    return one_line(f"compiled code does not allow this: {short(lines[0]) if lines else 'no reason was given'}")


def _attribute(match: re.Match[str], records: dict[str, type]) -> str:
    name, owner = match[1], match[2]
    if module := re.search(r"Module\(<module '([\w.]+)'", match.string):
        return f"compiled code can't use {module[1]}.{name}"
    record = re.search(r"of type type\(CPUDispatcher\(<function (\w+)", match.string)
    owner = record[1] if record else owner
    if owner in records and hasattr(records[owner], name):
        return f"{owner}.{name}: compiled code knows a NamedTuple's fields and _replace only; make it a function of the file"
    fields = getattr(records.get(owner), "_fields", ())
    return f"{short(owner)} has no {name}{did_you_mean(name, fields)}"


def _returned(match: re.Match[str], records: dict[str, type]) -> str:
    """Explain several types of result; of one named tuple with several types of field, name the field."""
    kinds = _parts(match[1])
    names = {kind.partition("(")[0] for kind in kinds}
    if len(names) == 1 and (record := records.get(names.pop())) is not None:
        columns = zip(record._fields, *(_parts(kind.partition("(")[2][:-1]) for kind in kinds), strict=False)  # type: ignore[attr-defined]
        for field, *given in columns:
            if len(set(given)) > 1:
                declared = _shown(get_type_hints(record)[field])
                shown = " and ".join(map(short, dict.fromkeys(given)))
                return f"returns {record.__name__}.{field} as {shown}; it is declared {declared}"
    return f"returns different types on different paths: {', '.join(map(short, kinds))}"


def _parts(text: str) -> list[str]:
    """Split a compiler's list of types at its outer commas; `float64 x 2` is two of them."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    repeated = [re.fullmatch(r"\s*(.*?)(?: x (\d+))?\s*", part) for part in parts]
    return [each[1] for each in repeated if each for _ in range(int(each[2] or 1))]


def _shown(kind: Any) -> str:
    return str(kind) if get_args(kind) else str(kind.__name__)


def _replaced(match: re.Match[str], records: dict[str, type]) -> str:
    owner, given = match[1], dict(re.findall(r"(\w+)=([^,()]+(?:\([^)]*\))?)", match[2]))
    fields = get_type_hints(records[owner]) if owner in records else {}
    for name in given:
        if fields and name not in fields:
            return f"_replace: {owner} has no {name}{did_you_mean(name, fields)}"
    shown = ", ".join(f"{name}={short(kind)}" for name, kind in given.items())
    declared = ", ".join(f"{name}: {_shown(fields[name])}" for name in given if name in fields)
    return f"_replace({shown}) does not fit {owner}" + (f" ({declared})" if declared else "")


def _operation(match: re.Match[str], records: dict[str, type]) -> str:
    del records
    name, call = match[1], short(match[2])
    if "Cannot modify readonly array" in match.string:
        return "an array of the file is a constant in compiled code; what changes belongs into State or memory"
    signs = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**"}
    signs |= {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "iadd": "+=", "isub": "-="}
    inside = call.partition("(")[2].rpartition(")")[0]
    if name in signs:
        return f"compiled code can't compute {inside.replace(', ', f' {signs[name]} ', 1)}"
    if name in ("getitem", "static_getitem", "setitem"):
        return f"compiled code can't index {inside.partition(',')[0]}"
    return f"compiled code has no {name}({inside})"


def _global(match: re.Match[str], records: dict[str, type]) -> str:
    del records
    name = match["name"] or match["other"]
    found = re.search(r"<class '([\w.]+)'>|The use of an? (?:reflected )?(\w+)|empty (\w+)", match.string)
    kind = next(filter(None, found.groups()), "").rpartition(".")[2] if found else ""
    kind = {"type": "class", "builtin_function_or_method": "function of Python's"}.get(kind, kind)
    shown = f"is a {kind}, which" if kind else "is of a kind that"
    allowed = "numbers, True, False, tuples of these, NumPy arrays, and functions of the strategy's"
    return f"{name} {shown} compiled code can't use; from outside a function it takes {allowed}"


Explain = Callable[[re.Match[str], dict[str, type]], str]
REASONS: Final[tuple[tuple[str, Explain], ...]] = (
    (r"Unknown attribute '(\w+)' of type (\w+)", _attribute),
    (r"BoundFunction\(NamedTuple\._replace for (\w+)\(.*?\) with parameters \((.*?)\)\n", _replaced),
    (r"The use of an? [^\n]*assigned to variable '(?P<other>\w+)'|Untyped global name '(?P<name>\w+)'", _global),
    (r"NameError: name '(\w+)' is not defined", lambda match, _: f"{match[1]} is not defined"),
    (
        r"Cannot bind .*? to signature '.*?' due to \"TypeError: ([^\"]*)\".*?<function (\w+)",
        lambda match, _: f"{match[2]}: {match[1]}",
    ),
    (r"Can't unify return type from the following types: ([^\n]*)", _returned),
    (
        r"Cannot unify ([^\n]*?) and ([^\n]*?) for '(\w+)",
        lambda match, _: f"{match[3]} is {short(match[1])} on one path and {short(match[2])} on another",
    ),
    (
        r"Cannot infer the type of variable '(\w+)[^']*'",
        lambda match, _: (
            f"what {match[1]} holds is not clear (an empty list?); set numbers, and remember them in State"
        ),
    ),
    (
        r"No implementation of function Function\(<(?:built-in |intrinsic )?(?:function|class|method|ufunc)? ?'?(\w+).*?>>> (\w+\([^\n]*)",
        _operation,
    ),
    (
        r"No type info available for ([^\n]*?) as a callable",
        lambda match, _: f"{short(match[1])} is no function that compiled code can call",
    ),
    (r"unsupported opcode \((\w+)\)", lambda match, _: f"compiled code has no such statement ({match[1].lower()})"),
)
