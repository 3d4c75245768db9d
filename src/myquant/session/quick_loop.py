"""The fastest event loop there is."""

from collections.abc import Coroutine
from typing import Any


def run_loop(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on a loop of its own, in this thread."""
    try:
        import uvloop  # noqa: PLC0415  (not on every platform)
    except ImportError:
        import asyncio  # noqa: PLC0415  (likewise)

        return asyncio.run(main)
    return uvloop.run(main)
