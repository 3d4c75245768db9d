"""A session whose log adapts, one second after the other."""

import io
import json
from pathlib import Path
from typing import Any

from journal.journal_samples import QUICK
from laws.driver import settings
from myquant.session.adaptive import FALLEN, RAISED, AdaptiveLogging
from myquant.session.channels import HandoffCounts
from myquant.session.log import open_log
from myquant.session.pipeline import Pipeline, TickLines
from myquant.session.rules import SECOND_NS
from session.async_logs import BOUNDS
from session.sessions import RICH
from session.supervised import Supervised, market_inputs, supervised

VALUES = {**RICH}
CALM = {"logs.volatility_percent": 100, "logs.raise_s": 30}


class Watched:
    """A session whose log adapts; `counts`: of its hand-off."""

    def __init__(self, folder: Path, values: dict[str, Any], *, pipeline: bool = False) -> None:
        config = settings({**VALUES, **CALM, **values}).config
        self.counts = HandoffCounts(0, 0, 100, 0)
        self.folder = folder
        self.run: Supervised = supervised(
            folder, VALUES, market_inputs(3, 2000), QUICK, segment_records=8192, pipeline=lambda _: None
        )
        supervisor = self.run.supervisor
        self.log = open_log(folder, str, session="s", clock=self.wall_ns, bounds=BOUNDS, stderr=io.StringIO())
        supervisor.log = self.log
        if pipeline:
            supervisor.pipeline = Pipeline(self.log, lines=TickLines(self.log, ("NIFTY",), 100))
        self.adaptive = AdaptiveLogging(supervisor, self.log, config.logs, ("NIFTY",), lambda: self.counts)

    def wall_ns(self) -> int:
        return self.run.tape.now_ns

    def seconds(self, count: int) -> None:
        """Let seconds go by in which nothing else happens."""
        for _ in range(count):
            self.run.tape.now_ns += SECOND_NS
            self.adaptive.look()

    def price(self, paise: int) -> None:
        self.run.session.engine.instruments["core"]["tape"]["last_price"] = paise

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log.jsonl").read_text().splitlines()]

    def told(self) -> list[str]:
        return [line.get("why", line["event"]) for line in self.lines() if line["event"] in (RAISED, FALLEN)]

    def is_raised(self) -> bool:
        return self.adaptive.is_raised

    def is_debug(self) -> bool:
        return self.log.is_debug

    def close(self) -> None:
        self.run.session.journal.close()
        self.log.close()

    def fail(self, count: int) -> None:
        """Log errors."""
        for _ in range(count):
            self.log.error("trouble")
