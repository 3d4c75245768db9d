"""Asking a session that is busy compiling: it says so, instead of offering to kill it."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from myquant.errors import MyquantError
from myquant.session.operator import CARD, COMPILING, OperatorServer, ask_session

LIMIT_S = 10.0


@pytest.mark.parametrize(("asked", "later"), [("status", "ask again"), ("stop", "stop takes effect then")])
def test_one_that_compiles_says_so_until_it_is_done(tmp_path: Path, asked: str, later: str) -> None:
    async def run() -> None:
        server = OperatorServer(tmp_path, lambda *_: {})
        await server.start(COMPILING)
        with pytest.raises(MyquantError, match=rf"process {os.getpid()} is compiling the engine .*: wait; {later}$"):
            ask_session(tmp_path, asked, timeout_s=0.05)  # on the loop itself, which is blocked by this
        server.note_doing("")
        with pytest.raises(MyquantError, match="its loop is blocked"):
            ask_session(tmp_path, asked, timeout_s=0.05)
        assert stat.S_IMODE((tmp_path / CARD).stat().st_mode) == 0o600
        await server.close()
        server.note_doing("")

    asyncio.run(asyncio.wait_for(run(), LIMIT_S))
    assert list(tmp_path.iterdir()) == []
