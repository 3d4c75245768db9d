"""myquant: an intraday trading engine for Indian index options.

    import myquant as mq
    result = mq.backtest("ticks.csv", config={"risk.base_sl_points": 20})

The names below are loaded when they are first used, so that the import itself costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from myquant.api import Result, backtest, load_config
    from myquant.core.records import Context, Tick
    from myquant.measure.instrumentor import ComponentStats, PerformanceInstrumentor, TickMetrics

__all__ = [
    "ComponentStats",
    "Context",
    "PerformanceInstrumentor",
    "Result",
    "Tick",
    "TickMetrics",
    "__version__",
    "backtest",
    "load_config",
]
__version__ = "0.1.0"

_HOMES: Final = {
    "ComponentStats": "myquant.measure.instrumentor",
    "Context": "myquant.core.records",
    "PerformanceInstrumentor": "myquant.measure.instrumentor",
    "Result": "myquant.api",
    "Tick": "myquant.core.records",
    "TickMetrics": "myquant.measure.instrumentor",
    "backtest": "myquant.api",
    "load_config": "myquant.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
