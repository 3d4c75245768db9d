"""Where a tick's time goes inside the compiled engine: the calls that a measuring engine fills in, here empty.

`engine`, `drive` and `handle` import these. An engine that is to be measured is the same source with this one import
pointing at a module that counts (strategies/specialise.py); in any other they are compiled away.

`probe` is an int64 array that goes along; see `measure.cycles` for what it holds there.
"""

from typing import Any

import numpy as np

from myquant.core.compiled import inlined

# What time is counted for: columns of a tick's row.
REST = 0
INDICATORS = 1
SIGNAL = 2
POSITION = 3
JOURNALING = 4


@inlined
def begin(probe: np.ndarray[Any, Any], kind: int) -> None:
    """Begin an input of this kind."""


@inlined
def lap(probe: np.ndarray[Any, Any], column: int) -> None:
    """Count the time since the last call for a column."""
