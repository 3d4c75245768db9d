"""The wirings: which feed, which exchange and which clock an engine gets. The only file that knows which one runs.

A backtest reads recorded ticks, fills at once on the simulated exchange and has no clock but the ticks'.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from myquant.config.loading import LoadedConfig
from myquant.core import codes
from myquant.errors import DataError
from myquant.results.record import RunRecord
from myquant.session.collector import Collector
from myquant.session.engine import Engine
from myquant.session.explain import FirstOfSize, notices
from myquant.session.outcome import Rejects, run_record
from myquant.session.rules import SECOND_NS
from myquant.session.under_way import VenueRun
from myquant.strategies.loading import LoadedStrategy
from myquant.ticks.batch import TickBatch

if TYPE_CHECKING:
    from myquant.ticks.source import TickSource


def backtest(
    source: "TickSource",
    loaded: LoadedConfig,
    strategy: LoadedStrategy,
    on_progress: Callable[[TickBatch], None] | None = None,
) -> RunRecord:
    """Run a source of ticks through the engine and return the record of the run.

    Raises DataError when no tick was usable, or, with `data_quality.strict`, at the first that was refused; DataError or
    ConfigError where the market's tables do not cover a day.
    """
    config = loaded.config
    engine = Engine(loaded, strategy, source.instruments, symbols_are_labels=source.symbols_are_labels)
    collector = Collector(config.results.max_marks, config.results.mark_interval_s * SECOND_NS)
    rejects = Rejects(config.data_quality.strict, config.data_quality.rejected_examples)
    first_of_size = FirstOfSize()

    def take(commands: np.ndarray[Any, Any]) -> None:
        rejects.take(commands)
        collector.take(commands)
        first_of_size.take(commands)

    through_venue = VenueRun(engine, take) if config.execution.fill_model == "limit" else None
    for batch in source.batches():
        if through_venue is not None:
            through_venue.run(batch, rejects)
        else:
            rejects.begin(batch, (-engine.inputs).__add__)
            engine.run(batch, take)
        if on_progress is not None:
            on_progress(batch)
    if not engine.instruments["counts"][:, codes.COUNT_TICKS].any():
        raise DataError(rejects.nothing_valid([str(path) for path in source.paths], engine.inputs))
    _end(engine, collector, close=config.execution.close_at_end)
    return run_record(engine, collector, rejects.examples, source.input_hash, notices(engine, first_of_size))


def _end(engine: Engine, collector: Collector, *, close: bool) -> None:
    """End the data: take the last marks; if asked, close what is open at its last price."""
    for who in range(len(engine.instruments)):
        if engine.instruments[who]["counts"][codes.COUNT_TICKS] == 0:
            continue
        if close:
            engine.end(who, codes.CLOSE_OPEN, collector.take)
        engine.end(who, codes.LAST_MARK, collector.take)
