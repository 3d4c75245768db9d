"""Sessions' folders that several tests read."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from journal.journal_samples import QUICK
from monitor.watched import put_session
from session.sessions import LIMIT
from session.supervised import Supervised, market_inputs, supervised

DAY = "2025-10-01"  # that is played


@dataclass(frozen=True)
class Played:
    """A session that was stopped in the middle of its day."""

    folder: Path
    run: Supervised


@pytest.fixture(scope="package")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return a session whose orders take their time; nobody may write there."""
    folder = tmp_path_factory.mktemp("sessions") / "monday"
    run = supervised(folder, LIMIT, market_inputs(5, 1500), QUICK)
    run.take(1500)
    run.supervisor.stopped(0)
    run.session.journal.close()
    put_session(folder, LIMIT)
    return Played(folder, run)
