"""Ticks of files as the inputs of a session: what was really traded, to hold against what the feed brought."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from myquant.errors import DataError
from myquant.session import archive
from myquant.session.runner import Words, words_of_batch
from myquant.ticks.source import open_ticks


def reference_inputs(folder: Path, paths: Sequence[Path]) -> Words:
    """Return the ticks of files as inputs, with the numbers of the session's instruments.

    Raises DataError for a file of an instrument that the session does not have.
    """
    facts = archive.read(folder)
    config = archive.archived_config(folder, archive.archived_strategy(folder, facts)).config
    source = open_ticks(paths, time_zone=config.session.timezone, symbol=facts.symbols[0])
    numbers = {symbol: number for number, symbol in enumerate(facts.symbols)}
    for name in source.instruments:
        if name.symbol not in numbers:
            known = ", ".join(facts.symbols)
            raise DataError(f"{name.symbol}: not an instrument of session {facts.name}, which has {known}")
    own = np.array([numbers[name.symbol] for name in source.instruments], np.int64)
    parts = [words_of_batch(batch) for batch in source.batches()]
    words = np.concatenate(parts)
    words[:, 1] = own[words[:, 1]]
    return words
