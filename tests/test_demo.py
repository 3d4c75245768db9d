"""The demonstration shows what it promises: every take-profit tier, and every other exit of the default strategy."""

import re
from datetime import date
from pathlib import Path

from laws.driver import Ticks, run_engine, settings
from myquant.core import codes
from myquant.ticks.generate import LIQUID, generate_day


def test_the_demonstrations_day_meets_every_exit() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    found = re.search(r"^DEMO_SEED := (\d+)$", makefile, re.MULTILINE)
    assert found is not None
    day = generate_day(LIQUID, day=date(2025, 10, 3), seed=int(found[1]))
    record = run_engine(
        Ticks(day.time_ns, day.price, day.volume),
        settings({"capital.initial_capital": 1_000_000, "session.source": "calendar"}),
    )
    seen = {codes.EXIT_NAMES[int(reason)] for reason in record.trades["reason"]}
    assert seen == {"session_end", "stop_loss", "trailing_stop", *(f"take_profit_{tier}" for tier in range(1, 5))}
