"""The guard over columns of ticks: which of them an engine would take."""

import numpy as np

from myquant.core import codes
from myquant.core.guard import refuse
from myquant.ticks.compiled import kept


@kept
def guard_ticks(
    time_ns: np.ndarray,
    price: np.ndarray,
    volume: np.ndarray,
    instrument: np.ndarray,
    last_ns: np.ndarray,
    reasons: np.ndarray,
) -> None:
    """Write each tick's rejection reason (0: accepted) into `reasons`, carrying `last_ns` per instrument on.

    All are int64 of length n, `last_ns` one per instrument, `instrument` of length 0 where there is one only.
    """
    for i in range(len(time_ns)):
        who = instrument[i] if len(instrument) > 0 else 0
        reasons[i] = refuse(last_ns[who], time_ns[i], price[i], volume[i])
        if reasons[i] == codes.ACCEPTED:
            last_ns[who] = time_ns[i]
