"""The engine with its functions compiled by themselves instead of into each other: prints what it and C take, as JSON.

Run in a process and with a cache of its own (see `shape`), as it compiles the engine's source in another way.
"""

import json
from collections.abc import Callable
from typing import Any

from numba import njit

from myquant.core import compiled

ROUNDS = 5


def called(function: Callable[..., Any]) -> Any:
    """Compile a function by itself: its tuples go in and out through memory."""
    return njit(**compiled._INNER)(function)  # noqa: SLF001  (as the engine's own, only not forced into its callers)


def main() -> None:
    compiled.inlined = called
    from bench import company, core, jobs  # noqa: PLC0415  (the engine's modules take `inlined` when they are imported)
    from bench.limit import climit  # noqa: PLC0415  (likewise)
    from bench.measure import interleaved  # noqa: PLC0415  (likewise)

    columns = jobs.ticks()
    price = columns.price
    core.engine_seconds(jobs.REDUCED, columns)  # compiles
    sides = {
        "engine": lambda: core.engine_seconds(jobs.REDUCED, columns),
        "C": lambda: climit.run_reduced(columns.time_ns, price).seconds,
    }
    seconds = interleaved(sides, ROUNDS)
    print(json.dumps({"seconds": seconds, "tally": vars(company.tally)}))


if __name__ == "__main__":
    main()
