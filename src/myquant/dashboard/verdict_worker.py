"""The process that replays one session and compares it with the plain run: `python -m myquant.dashboard.verdict_worker SESSION`.

Prints one line of JSON. It gives way to everything else on the machine: it works when the processors are idle, is the first to
be ended where memory runs short, and ends with the process that began it.
"""

import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from myquant.errors import MyquantError
from myquant.session import archive
from myquant.session.divergence import divergence_of
from myquant.session.replay import Replayed, replay

IDENTICAL: Final = "identical"
PARTLY: Final = "partly identical"  # the sound records are; behind them the journal is damaged
DIFFERS: Final = "differs"
NOT_COMPARABLE: Final = "not comparable"
FAILED: Final = "failed"

LOOK_S: Final = 1.0
FIRST_TO_GO: Final = "1000"  # of the kernel, where memory runs short


def verdict(folder: Path) -> dict[str, Any]:
    """Return the verdict on a session as plain data: `state`, `text`, `records`, `divergence` (or why there is none)."""
    try:
        facts = archive.read(folder)
        engine_hash = archive.archived_strategy(folder, facts).engine_hash
        if engine_hash != facts.engine_hash:
            other = f"it ran on another engine: {facts.engine_hash} (myquant {facts.version}), this is {engine_hash}"
            return _said(NOT_COMPARABLE, other)
        found, engine = replay(folder)
    except MyquantError as error:
        return _said(FAILED, str(error))
    if found.difference is not None:
        return _said(DIFFERS, f"at record {found.difference.record:,}: {found.difference.what}", found.records)
    try:
        parts, why = divergence_of(folder, found, engine).as_dict(), ""
    except MyquantError as error:
        parts, why = None, str(error)
    said = _said(PARTLY if found.is_damaged else IDENTICAL, _identical(found), found.records)
    return said | {"divergence": parts, "why_no_divergence": why}


def _said(state: str, text: str, records: int | None = None) -> dict[str, Any]:
    why = "" if state == IDENTICAL else f"its replay: {state}"
    return {"state": state, "text": text, "records": records, "divergence": None, "why_no_divergence": why}


def _identical(found: Replayed) -> str:
    compared = f"{found.inputs:,} inputs, {found.commands:,} commands, {found.states} states"
    return f"{compared}; {found.behind}" if found.behind else compared


def _give_way() -> None:
    """Work only when nobody else would, and end with whoever began this."""
    with suppress(OSError):  # then its priority is low only
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


def main() -> None:
    """Work on the session that the command line names."""
    _give_way()
    print(json.dumps(verdict(Path(sys.argv[1]))))  # noqa: T201  (it is read by who began this)


if __name__ == "__main__":
    main()
