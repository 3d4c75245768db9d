"""Law: a session that is killed anywhere and taken up again ends byte for byte like one that was not."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myquant.core import codes
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY, COMMAND, HOLDS, INPUT, RECORD_BYTES
from myquant.journal.segment import HEADER_BYTES
from session.sessions import LIMIT, RICH, Session, day_inputs, decisions, open_session

SEGMENT = 256


def whole(folder: Path, values: dict[str, Any], inputs: Any, *, save_every: int = 0) -> Session:
    session = open_session(folder, values, segment_records=SEGMENT)
    session.go_on(inputs, save_every=save_every)
    session.journal.close()
    return session


def cut(source: Path, target: Path, records: int, torn_bytes: int) -> None:
    """Copy a session as a kill would have left it: so many records, and so many bytes of the next one."""
    shutil.copytree(source, target)
    for path in sorted((target / "journal").glob("*.seg")):
        first = (int(path.stem) - 1) * SEGMENT
        keep = max(0, min(SEGMENT, records - first)) * RECORD_BYTES
        if first <= records < first + SEGMENT:
            keep += torn_bytes
        content = path.read_bytes()
        whole_header = HEADER_BYTES + keep
        path.write_bytes(content[:whole_header].ljust(len(content), b"\0"))
    for path in (target / "snapshots").glob("*.snap"):
        if int(path.stem) > records:
            path.unlink()


@pytest.mark.parametrize("values", [RICH, LIMIT], ids=["at_once", "limit"])
def test_every_crash_point_ends_the_same(tmp_path: Path, values: dict[str, Any]) -> None:
    inputs = day_inputs(12, count=260)
    reference = whole(tmp_path / "whole", values, inputs, save_every=70)
    records = int(reference.journal.cursor[0])
    expected, state = decisions(reference.folder), reference.state()
    trades = expected[(expected[:, 0] == COMMAND) & (expected[:, 2] == codes.TRADE_CLOSED)]
    assert len(trades) > 3
    answers = set(expected[expected[:, 0] == INPUT, 1])
    assert codes.MODIFIED in answers or values is RICH
    assert records > 2 * SEGMENT
    missing = 0
    for point in range(records):
        folder = tmp_path / "cut"
        cut(reference.folder, folder, point, (point * 37) % RECORD_BYTES if point % 2 else 0)
        session = open_session(folder, values, segment_records=SEGMENT)
        missing += session.recovered.missing if session.recovered else 0
        session.go_on(inputs, save_every=70)
        assert session.state() == state, point
        assert np.array_equal(decisions(folder), expected), point
        session.journal.close()
        shutil.rmtree(folder)
    assert missing > 0  # some kills fell between an input and what was decided on it


def test_a_recovery_that_is_killed_itself_changes_nothing(tmp_path: Path) -> None:
    inputs = day_inputs(5, count=300)
    reference = whole(tmp_path / "whole", LIMIT, inputs)
    rng = np.random.default_rng(1)
    folder = tmp_path / "killed"
    session = open_session(folder, LIMIT, segment_records=SEGMENT)
    for _ in range(40):
        session.go_on(inputs, int(rng.integers(0, 12)))
        if rng.random() < 0.3:
            session.save()
        session.journal.close()  # nothing but the mapped stores is left
        session = open_session(folder, LIMIT, segment_records=SEGMENT)
    session.go_on(inputs)
    assert session.state() == reference.state()
    assert np.array_equal(decisions(folder), decisions(reference.folder))


def test_a_journal_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    inputs = day_inputs(8, count=260)
    session = whole(tmp_path / "whole", RICH, inputs)
    del session
    with pytest.raises(Exception, match="can't be taken up: at record"):
        open_session(tmp_path / "whole", {**RICH, "risk.base_sl_points": 7}, segment_records=SEGMENT)


def test_commands_follow_their_input(tmp_path: Path) -> None:
    session = whole(tmp_path / "whole", RICH, day_inputs(8, count=260))
    latest = -1
    for block in JournalReader(session.folder).blocks():
        for row in block:
            if row[HOLDS] == COMMAND:
                assert row[BODY + 4] == latest  # event_sequence
            elif row[HOLDS] == 1:
                latest = int(row[BODY + 2])
