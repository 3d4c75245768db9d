"""The files beside the journal of a session with orders, on a disk that refuses them: fence, trail of settings, shadow."""

import asyncio
import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from journal.journal_faults import FaultyDisk
from laws.driver import settings
from myquant.config.audit import ConfigAudit, Use
from myquant.errors import ConfigError, JournalError, MyquantError
from myquant.journal.disk import DISK
from myquant.session.broker_orders import BrokerOrders
from myquant.session.broker_side import BrokerParts, BrokerSide
from myquant.session.fence import Fence, read_epoch
from myquant.session.shadow import Shadow
from myquant.session.shadow_file import FILE as SHADOW_FILE
from session.broker_books import KEY, Port, Records, nothing
from session.supervised import Lines

ERRORS = pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])


def nobody(_: float) -> None:
    """Wait for nobody."""


@ERRORS
def test_each_call_of_the_fence_that_fails(tmp_path: Path, error: int) -> None:
    """Whoever has not got the fence is told so, and has sent nothing; it is never damaged, and never held by two."""
    good = FaultyDisk()
    first = Fence.take(tmp_path / "good", "first", good)
    first.close()
    refused = 0
    for at in range(1, len(good.calls) + 1):
        folder = tmp_path / str(at)
        earlier = Fence.take(folder, "earlier", DISK)
        taken = None
        try:
            taken = Fence.take(folder, "later", FaultyDisk(at, error), nobody)
        except JournalError:
            refused += 1
        assert read_epoch(folder, DISK) in (1, 2)
        assert earlier.holds() == (read_epoch(folder, DISK) == 1)
        if taken is not None:
            assert taken.holds()
            assert not earlier.holds()
            taken.close()
        earlier.close()
    assert refused > 5


@ERRORS
@pytest.mark.parametrize("call", ["pwrite", "fsync", "ftruncate"])
def test_a_trail_that_can_not_be_written_is_an_error_and_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    audit, loaded = ConfigAudit(tmp_path), settings({})
    use, now = Use("me@here", "live", "monday", "0" * 64), datetime(2025, 10, 6, tzinfo=UTC)
    audit.record(use, loaded, now)

    def refuse(*_: object) -> Any:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(MyquantError, match=r"config_audit.jsonl: can't be written .*: free the disk"):
        audit.record(use, loaded, now)
    monkeypatch.undo()
    assert not audit.read().problems
    audit.record(use, loaded, now)
    assert not audit.read().problems


@pytest.mark.parametrize("is_there", [True, False])
def test_a_comparison_that_can_not_be_written_does_not_keep_the_session_from_its_end(
    tmp_path: Path, *, is_there: bool
) -> None:
    folder, log, port, told = tmp_path / "s", Lines(), Port(), list[tuple[str, Exception]]()
    if is_there:
        folder.mkdir()
    records = Records().as_engine()
    supervisor = SimpleNamespace(
        hold=nothing,
        note_error=lambda event, error: told.append((event, error)),
        notes=SimpleNamespace(sent=nothing),
    )
    loop: Any = SimpleNamespace(supervisor=supervisor, later=nothing)
    shadow = Shadow(SimpleNamespace())
    orders = BrokerOrders(records, port, [], SimpleNamespace(holds=lambda: True), log, shadow)
    side = BrokerSide(BrokerParts(port, orders, shadow, folder, KEY, folder), loop)
    asyncio.run(asyncio.wait_for(side.aclose(), 10))
    assert port.sent == [("aclose",)]
    assert (folder / SHADOW_FILE).exists() == is_there
    assert [(event, type(error)) for event, error in told] == (
        [] if is_there else [("the shadow's comparison can't be kept", ConfigError)]
    )
