"""A typed `njit`: what is compiled into its callers can be called from compiled code only, so the tests wrap it."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def jitted(function: Function) -> Function:
    """Compile a function on its first call."""
    return njit(function)  # type: ignore[no-any-return]


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the Python function of a compiled one that calls no other."""
    return getattr(function, "py_func", function)
