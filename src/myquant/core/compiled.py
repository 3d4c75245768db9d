"""How the core is compiled: two decorators, and `_replace` of a named tuple inside compiled code.

No function of the core is compiled with `fastmath`: without it the compiler neither fuses nor reorders float
operations, so the same events give the same bytes on every machine.
"""

import inspect
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
from numba import config, njit, typeof, types
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, signature
from numba.extending import lower_builtin

Function = TypeVar("Function", bound=Callable[..., Any])

# The core allocates nothing, so nothing is counted: without `_nrt=False` Numba counts the references to every array
# that is handed on, atomically, which took a third of an act's time.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}
_INNER: dict[str, Any] = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # for compiled callers only


def inlined(function: Function) -> Function:
    """Compile a function into its callers: as a call of its own it would pass every field of its tuples through memory."""
    return njit(forceinline=True, **_INNER)(function)  # type: ignore[no-any-return]


def entry_point(function: Function) -> Function:
    """Compile a function that Python calls and keep its machine code on disk, beside the module's source."""
    return njit(cache=True, **OPTIONS)(function)  # type: ignore[no-any-return]


def direct(function: Function, *arguments: Any) -> Function:
    """Return the machine code of an entry point for arguments of these types, past Numba's dispatcher.

    The dispatcher looks at the type of every argument on every call: 15 us for our large records. What is returned does
    not look, so it must be called with the very arrays given here, or others of the same dtypes and layout.
    """
    if not jit_enabled():
        return function
    known = (function, *(_kind(argument) for argument in arguments))
    if known not in _DIRECT:
        signature_of = tuple(typeof(argument) for argument in arguments)  # type: ignore[no-untyped-call]
        function.compile(signature_of)  # type: ignore[attr-defined]
        _DIRECT[known] = function.overloads[signature_of].entry_point  # type: ignore[attr-defined]
    return _DIRECT[known]  # type: ignore[return-value]


_DIRECT: dict[tuple[Hashable, ...], Callable[..., Any]] = {}


def _kind(argument: Any) -> Hashable:
    """Return what of an argument decides its compiled type; Numba's own `typeof` takes 1 ms on our records."""
    if isinstance(argument, tuple):
        return (str(type(argument)), *(_kind(part) for part in argument))
    if isinstance(argument, np.ndarray):
        flags = argument.flags
        return argument.dtype, argument.ndim, flags.c_contiguous, flags.f_contiguous, flags.writeable, flags.aligned
    return str(type(argument))


def jit_enabled() -> bool:
    """Return whether functions are compiled; `NUMBA_DISABLE_JIT=1` runs them as plain Python."""
    return not getattr(config, "DISABLE_JIT", False)


class _Replace(AbstractTemplate):
    """Types `record._replace(name=value, ...)`: known names, values that convert without loss.

    The names travel to the code generator inside an `Omitted` argument, the only part of a signature that carries a
    value.
    """

    key = "NamedTuple._replace"

    def generic(self, args: tuple[types.Type, ...], kws: dict[str, types.Type]) -> Any:
        record = self.this  # type: ignore[attr-defined]
        names = tuple(kws)
        if args or not names or any(name not in record.fields for name in names):
            return None
        kinds = [tuple(record)[record.fields.index(name)] for name in names]
        for given, kind in zip(kws.values(), kinds, strict=True):
            conversion = self.context.can_convert(given, kind)
            if conversion is None or conversion > Conversion.safe:
                return None
        parameter = inspect.Parameter
        parameters = [parameter(name, parameter.POSITIONAL_OR_KEYWORD) for name in names]
        parameters.append(parameter("_names", parameter.POSITIONAL_OR_KEYWORD, default=names))
        typed = signature(record, *kinds, types.Omitted(names), recvr=record)  # type: ignore[no-untyped-call]
        return typed.replace(pysig=inspect.Signature(parameters))


@infer_getattr
class _NamedTupleMethods(AttributeTemplate):
    key = types.BaseNamedTuple  # of mixed fields, or of fields of one type

    def resolve__replace(self, record: types.BaseNamedTuple) -> types.BoundFunction:
        return types.BoundFunction(_Replace, record)


@lower_builtin("NamedTuple._replace", types.BaseNamedTuple, types.VarArg(types.Any))  # type: ignore[no-untyped-call, untyped-decorator]
def _lower_replace(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001  (Numba's interface)
    record = sig.args[0]
    changed = args[0]
    for name, value in zip(sig.args[-1].value, args[1:], strict=False):
        changed = builder.insert_value(changed, value, record.fields.index(name))
    return changed
