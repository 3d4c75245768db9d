from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from myquant.session.runner import is_ready
from myquant.strategies.loading import default_strategy
from session.sessions import LIMIT, RICH, day_inputs, decisions, open_session


def test_what_a_session_runs_is_ready_once_one_has_run(tmp_path: Path) -> None:
    session = open_session(tmp_path / "s", RICH)
    session.go_on(day_inputs(1, count=20))
    session.journal.close()
    assert is_ready(default_strategy())


def test_an_input_of_an_unknown_kind_or_instrument_is_not_taken(tmp_path: Path) -> None:
    session = open_session(tmp_path / "s", RICH)
    inputs = day_inputs(1, count=20)
    for column, value in ((0, 99), (1, 7), (1, -2)):
        wrong = inputs[:1].copy()
        wrong[0, column] = value
        with pytest.raises(ValueError, match="an input of unknown kind"):
            session.runner.take(wrong)
    assert session.journal.cursor[0] == 0
    assert session.engine.inputs == 0
    session.journal.close()


@pytest.mark.parametrize("values", [RICH, LIMIT])
def test_one_input_is_taken_as_many_are(tmp_path: Path, values: Mapping[str, Any]) -> None:
    """A journal of short segments, days that begin, orders that are busy: whatever lies in the way."""
    inputs = day_inputs(5, count=600)
    sessions = [open_session(tmp_path / name, values, segment_records=128) for name in ("many", "one")]
    sessions[0].go_on(inputs)
    for at in range(len(inputs)):
        sessions[1].runner.take_one(inputs[at : at + 1].copy())
    for session in sessions:
        session.journal.close()
    assert sessions[0].engine.account().trades > 0
    assert sessions[1].state() == sessions[0].state()
    assert decisions(sessions[1].folder).tobytes() == decisions(sessions[0].folder).tobytes()
