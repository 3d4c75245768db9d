"""Loads and stores of one word that two processes share: what was written before a release is seen after its acquire."""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from myquant.core.compiled import jit_enabled

Words = np.ndarray[Any, np.dtype[np.int64]]

WORD_BYTES: Final = 8


def _load(words: Words, index: int) -> int:
    return int(words[index])


def _store(words: Words, index: int, value: int) -> None:
    words[index] = value


def _place(context: Any, builder: Any, kind: Any, words: Any, index: Any) -> Any:
    array = context.make_array(kind)(context, builder, words)
    return cgutils.gep(builder, array.data, index)  # type: ignore[no-untyped-call]


@intrinsic
def _load_acquire(typing: Any, words: Any, index: Any) -> Any:  # noqa: ARG001  (Numba's interface)
    """Load a word of an int64 array."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(place, "acquire", WORD_BYTES, typ=ir.IntType(64))

    return types.int64(words, types.int64), code


@intrinsic
def _store_release(typing: Any, words: Any, index: Any, value: Any) -> Any:  # noqa: ARG001  (Numba's interface)
    """Store a word of an int64 array."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], place, "release", WORD_BYTES)
        return context.get_dummy_value()

    return types.void(words, types.int64, types.int64), code


# As plain Python, for a debugger: the interpreter's own work between two words is fence enough on x86, and no promise elsewhere.
load_acquire: Callable[[Words, int], int] = cast("Any", _load_acquire) if jit_enabled() else _load
store_release: Callable[[Words, int, int], None] = cast("Any", _store_release) if jit_enabled() else _store
