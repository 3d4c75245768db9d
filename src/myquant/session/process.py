"""One process of a session, wired: from its journal, taken up, to its results."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from myquant.brokers.angelone.opening import OpenAccount
from myquant.brokers.secrets import Redactor
from myquant.core import codes
from myquant.core.orders import AT_WORK
from myquant.errors import MyquantError
from myquant.journal.disk import DISK
from myquant.results.record import RunRecord
from myquant.session import archive
from myquant.session.adaptive import AdaptiveLogging
from myquant.session.archive import SessionFacts
from myquant.session.clock import ExchangeClock, MachineClock, latest_of, zone_offset_ns
from myquant.session.config_watch import watch_of
from myquant.session.ending import end_data, session_record
from myquant.session.engine import Engine
from myquant.session.feeding import feed_of
from myquant.session.hours import hours_of
from myquant.session.log import SessionLog
from myquant.session.log_async import AsyncLog
from myquant.session.log_files import start_packing
from myquant.session.loop import SessionLoop
from myquant.session.notify import Notifier
from myquant.session.pipeline import open_pipeline, open_session_log
from myquant.session.reader_log import place_of
from myquant.session.recovery import Hashes, Recovered, SavedOrders, save
from myquant.session.rules import SECOND_NS
from myquant.session.supervisor import Supervisor
from myquant.session.taking_up import TakenUp, segment_records_of, take_up

if TYPE_CHECKING:
    from myquant.brokers.angelone.decode import FrameDecoder


@dataclass(frozen=True)
class Work:
    """A session taken up: where its journal ends, what its state is saved with, its log and what is done beside deciding."""

    folder: Path
    facts: SessionFacts
    taken: TakenUp
    orders: SavedOrders
    hashes: Hashes
    log: SessionLog | AsyncLog


@contextmanager
def taken_up(
    folder: Path, facts: SessionFacts, engine: Engine, orders: SavedOrders, redactor: Redactor
) -> Iterator[Work]:
    """Take a session up, and let go of its journal and log at the end. Raises JournalError."""
    config = engine.loaded.config
    hashes = Hashes(facts.engine_hash, facts.config_hash)
    records = segment_records_of(config.journal.segment_mib)
    taken = take_up(folder, engine, orders, hashes, key=facts.key, segment_records=records, disk=DISK)
    log = open_session_log(folder, config, redactor, facts.name)
    start_packing(folder)
    with ExitStack() as closing:
        closing.callback(start_packing, folder)
        closing.callback(log.close)
        closing.callback(taken.journal.close)
        yield Work(folder, facts, taken, orders, hashes, log)


def halted_by(engine: Engine) -> str:
    """Return why an engine's entries are halted; empty: they are not."""
    account = engine.account()
    if account.halt != codes.NOT_HALTED:
        return codes.HALT_NAMES[account.halt]
    return "flattened by the operator" if account.flatten else ""


class SessionProcess:
    """One process of a session. `cache`: where the account's tokens of the day are; `environ`: where its secrets are.

    `notifier`: tells a service manager how it does.
    """

    def __init__(
        self, work: Work, account: OpenAccount, cache: Path, environ: Mapping[str, str], notifier: Notifier
    ) -> None:
        taken, engine = work.taken, work.taken.runner.engine
        config = engine.loaded.config
        self._work = work
        self._config = config
        self._pipeline = open_pipeline(work.folder, config, work.facts.symbols, work.log)
        self.clock = MachineClock()
        recovered = taken.recovered
        decoders = account.decoders(
            zone_offset_ns(config.session.timezone), int(config.feed.max_clock_jump_s * SECOND_NS)
        )
        if recovered is not None:
            _recall(decoders, recovered)
        exchange_clock = ExchangeClock(
            self.clock,
            lambda: latest_of(decoder.clock() for decoder in decoders),
            recovered.offset_ns if recovered is not None else None,
        )
        self.supervisor = Supervisor(
            taken.runner,
            taken.journal,
            decoders,
            self.clock,
            exchange_clock,
            work.log,
            save=self._save,
            snapshot_interval_ns=config.journal.snapshot_interval_s * SECOND_NS,
            durable_orders=config.journal.durability == "power",
            pipeline=self._pipeline,
        )
        self.supervisor.errors = work.log.errors
        self.loop = SessionLoop(
            self.supervisor,
            work.folder,
            work.facts.kind,
            hours_of(engine),
            flatten_on_stop=config.execution.on_stop == "flatten",
            hide=account.client.redactor.keep,
        )
        watch = watch_of(engine.loaded, engine.strategy, work.log)
        self.supervisor.each_second.append(watch.look)
        self.feed = feed_of(account, config, cache, environ, self.loop, place_of(work.folder, config, work.facts.name))
        self.adaptive: AdaptiveLogging | None = None
        if config.logs.adaptive:
            self.adaptive = AdaptiveLogging(
                self.supervisor, work.log, config.logs, work.facts.symbols, self.feed.counts
            )
            self.supervisor.each_second.append(self.adaptive.look)
        self._wire_telemetry(notifier)

    def _wire_telemetry(self, notifier: Notifier) -> None:
        """Let the session know, each second, what its log, its files and its feed's hand-off say of themselves."""
        telemetry, log = self.supervisor.telemetry, self._work.log
        telemetry.notifier = notifier
        telemetry.handoff = self.feed.take_fullest
        telemetry.log_lost = lambda: log.lost
        results = self._pipeline.results if self._pipeline is not None else None
        if results is not None:
            telemetry.rows_lost = lambda: results.lost
        if self.adaptive is not None:
            adaptive = self.adaptive
            telemetry.verbose = lambda: adaptive.is_raised

    async def run(self) -> int:
        """Run till the day is over or a stop is asked for; return the exit code."""
        try:
            return await self.loop.run(self.feed)
        finally:
            if self._pipeline is not None:
                self._pipeline.close()

    def end(self, *, close: bool) -> RunRecord | None:
        """Close the books: last marks when the day is over, the state on disk, the results written.

        `close`: what is open at the end of the day is sold at its last price, in the books.
        """
        from myquant.results.write import write_results  # noqa: PLC0415  (only the end needs it)

        folder, config = self._work.folder, self._config
        taken, code = self._work.taken, self.supervisor.stopping or 0
        if self.loop.is_over:
            self._tell_what_is_left()
            end_data(taken.runner, close=close)
        self.supervisor.save()
        self.supervisor.stopped(code)
        taken.journal.sync()
        record = session_record(folder, taken.runner.engine)
        try:
            if record is not None:
                place, results = folder / archive.RESULTS, config.results
                write_results(record, place, report=results.report, excel=results.excel)
            if self.loop.is_over:
                archive.end(folder, code)
        except MyquantError as error:
            if not code:
                raise
            self.supervisor.note_error("the results can't be written", error)  # why it stopped matters more
        return record

    def _tell_what_is_left(self) -> None:
        """Say loudly what is open at the end of the day: no later process of the session will see to it."""
        core = self._work.taken.runner.engine.instruments["core"]
        held = int(np.count_nonzero(core["position"]["quantity"]))
        works = sum(int(np.isin(core[name]["state"], AT_WORK).sum()) for name in ("order", "stop_order"))
        if held or works:
            self.supervisor.log.error("the day is over, and not all is closed", positions=held, orders=works)

    def _save(self) -> None:
        work, taken = self._work, self._work.taken
        save(taken.runner.engine, work.orders, taken.journal, work.folder, work.hashes, self.clock, DISK)


def _recall(decoders: "Sequence[FrameDecoder]", recovered: Recovered) -> None:
    """Let each connection's decoder go on from the last input of its instruments."""
    for who, last in recovered.last_inputs.items():
        for decoder in decoders:
            if who in decoder.tokens.rows:
                decoder.recall(last)
