"""Fixtures for strategy files."""

from pathlib import Path

import pytest

from myquant.errors import ConfigError
from myquant.strategies.loading import load_strategy
from strategies.texts import Refused, line_of, write


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Return a function that loads a text which must be refused, and returns what is said about which line of it.

    `at` is a part of the line that must be named; without one the message names the file alone.
    """

    def refuse(text: str, at: str) -> str:
        path = write(tmp_path, text)
        with pytest.raises(ConfigError) as caught:
            load_strategy(path)
        place = f"{path}:{line_of(text, at)}: " if at else f"{path}: "
        message = str(caught.value)
        assert message.startswith(place), message
        assert "\n" not in message
        assert len(message) < len(place) + 400
        return message.removeprefix(place)

    return refuse
