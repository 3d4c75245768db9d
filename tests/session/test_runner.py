from pathlib import Path

import pytest

from myquant.session.runner import is_ready
from myquant.strategies.loading import default_strategy
from session.sessions import RICH, day_inputs, open_session


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
