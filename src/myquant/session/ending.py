"""What a session leaves, read from its journal: the same record as of any other run, so the same results."""

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.records import Event
from myquant.journal.reader import JournalReader, commands, days, inputs
from myquant.journal.record import BODY, HOLDS, INPUT
from myquant.results.record import RejectedExample, RunRecord
from myquant.session.collector import Collector
from myquant.session.engine import Engine
from myquant.session.explain import FirstOfSize, notices
from myquant.session.outcome import Examples, run_record
from myquant.session.rules import SECOND_NS
from myquant.session.runner import Runner


def end_data(runner: Runner, *, close: bool) -> None:
    """End the data of every instrument that had ticks: take the last marks; if asked, close what is open before."""
    engine = runner.engine
    for who in range(len(engine.instruments)):
        if engine.instruments[who]["counts"][codes.COUNT_TICKS] == 0:
            continue
        for code in (codes.CLOSE_OPEN, codes.LAST_MARK) if close else (codes.LAST_MARK,):
            runner.take_event(Event(codes.END_OF_DATA, who, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, code))


def session_record(folder: Path, engine: Engine) -> RunRecord | None:
    """Return the record of a session whose engine is where the journal ends; None: no tick was usable."""
    results, quality = engine.loaded.config.results, engine.loaded.config.data_quality
    collector = Collector(results.max_marks, results.mark_interval_s * SECOND_NS)
    first_of_size = FirstOfSize()
    examples: Examples = {}
    digest = blake2b(digest_size=32)
    leaves: list[int] = []  # numbers of the inputs by which a stop halted
    for block in JournalReader(folder).blocks():
        digest.update(block[block[:, HOLDS] == INPUT][:, BODY:].tobytes())
        for note in days(block)["body"]:
            engine.prepare_day(int(note["instrument"]), int(note["day"]["start_ns"]))
        found = np.ascontiguousarray(commands(block)["body"])
        collector.take(found)
        events = inputs(block)["body"]["event"]
        first_of_size.take(found, events)
        leaves += events["sequence"][(events["kind"] == codes.OPERATOR) & (events["code"] == codes.ASK_LEAVE)].tolist()
        _keep_examples(examples, found, folder, quality.rejected_examples)
    if not engine.instruments["counts"][:, codes.COUNT_TICKS].any():
        return None
    record = run_record(engine, collector, examples, digest.hexdigest(), notices(engine, first_of_size))
    if record.account.halt != codes.BY_OPERATOR:  # a stop has lifted its own halts, and nobody else asked for them
        record = replace(record, halts=record.halts[~np.isin(record.halts["event_sequence"], leaves)])
    return record


def _keep_examples(examples: Examples, found: np.ndarray[Any, Any], folder: Path, keep: int) -> None:
    """Keep where the first refused ticks of each reason stand: the numbers of their inputs."""
    for command in found[found["kind"] == codes.TICK_REJECTED]:
        known = examples.setdefault(int(command["reason"]), [])
        if len(known) < keep:
            known.append(RejectedExample(folder.name, int(command["event_sequence"])))
