"""What is proven of a session, on its page: the gate's verdicts on the newest baseline, and the verdict on its replay."""

import asyncio
from pathlib import Path
from typing import Final

from nicegui import ui

from myquant.dashboard.components import Cell, Facts, LiveTable, LiveText, heading
from myquant.dashboard.frame import Frame, part_timer
from myquant.dashboard.pages_evidence import evidence_url
from myquant.dashboard.pages_runs import run_url
from myquant.dashboard.runs_evidence import LatestEvidence, latest_verdicts
from myquant.dashboard.runs_show import gate_light, replay_light
from myquant.dashboard.verdicts import Verdicts
from myquant.results.text import NOTHING, grouped

LOOK_S: Final = 10.0
NO_BASELINE: Final = "No baseline is in the folders of runs: nothing was measured. `myquant baseline` measures."


class EvidencePart:
    """The verdicts, read again now and then in a thread."""

    def __init__(self, frame: Frame, name: str, folder: Path, config_hash: str | None, engine_hash: str | None) -> None:
        self._frame, self._folder = frame, folder
        self._hashes = config_hash, engine_hash
        heading("Evidence")
        self._facts, self._said = Facts(), LiveText("p", "is-quiet")
        with ui.element("div").classes("cards"):
            columns = ("Component", "Verdict", "#Share, %", "#Limit, %", "Why")
            self._table = LiveTable(columns, "The gate's verdicts on the newest baseline", "No verdict.")
        with ui.element("p").classes("actions"):
            ui.link("Replay and divergence", run_url(name))
            self._link = ui.link("All evidence", "/evidence")
        part_timer(LOOK_S, self._look)
        frame.each_update.append(self._show_verdict)

    def _show_verdict(self) -> None:
        self._facts.show(replay_facts(self._frame.site.runs.verdicts, self._folder))

    async def _look(self) -> None:
        rows = self._frame.site.runs.book.rows
        self._show(await asyncio.to_thread(latest_verdicts, rows, *self._hashes))

    def _show(self, found: LatestEvidence | None) -> None:
        if found is None:
            self._said.show(NO_BASELINE)
            return
        evidence = found.evidence
        of = f"; it is {found.of_another}" if found.of_another else "; it is of this engine and configuration"
        self._said.show(f"The newest baseline is {found.key}{of}.")
        self._link.props(f'href="{evidence_url(found.key)}"')
        self._table.show(
            [
                (
                    line.component,
                    (
                        line.component,
                        gate_light(line.verdict),
                        grouped(line.share, 1),
                        grouped(line.limit, 1),
                        line.reason,
                    ),
                )
                for line in evidence.verdicts
            ]
        )


def replay_facts(verdicts: Verdicts, folder: Path) -> dict[str, Cell | str]:
    """Return what is known of a session's replay and divergence; not known is no verdict."""
    found = verdicts.of(folder)
    gap = None if found.divergence is None else int(found.divergence["gap"]) / 100
    return {
        "Replay": replay_light(found),
        "What was found": found.text,
        "More than the plain run, Rs": grouped(gap) if gap is not None else NOTHING,
    }
