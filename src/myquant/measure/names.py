"""The components of a tick's time: their codes, which keep their meaning for ever, and their names."""

from typing import Final

CORE: Final = -1  # pseudo-code of a mark: the compiled core is running, whose parts its own counters tell apart

UNATTRIBUTED: Final = 0
INGEST: Final = 1  # socket readable to decoded
QUEUE_OPS: Final = 2  # waiting in the hand-off, and its cost
INDICATOR_UPDATE: Final = 3
SIGNAL_EVAL: Final = 4
POSITION_MGMT: Final = 5
JOURNAL: Final = 6
ORDER_SEND: Final = 7
LOGGING: Final = 8
CSV_WRITE: Final = 9  # result files
DATAFRAME_OPS: Final = 10  # frames of the tick history
GC: Final = 11  # pauses of Python's garbage collector, cut out of whatever they fell into
FIRST_OWN: Final = 12  # the user's own components from here

NAMES: Final[tuple[str, ...]] = (
    "unattributed",
    "ingest",
    "queue_ops",
    "indicator_update",
    "signal_eval",
    "position_mgmt",
    "journal",
    "order_send",
    "logging",
    "csv_write",
    "dataframe_ops",
    "gc",
)
CORE_CODES: Final[tuple[int, ...]] = (INDICATOR_UPDATE, SIGNAL_EVAL, POSITION_MGMT, JOURNAL)  # counted inside the core
