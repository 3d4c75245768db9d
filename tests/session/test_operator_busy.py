"""Asking a session that can't answer, as it compiles, is blocked or stopped: what is said is true, and comes soon."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from myquant.errors import MyquantError
from myquant.session.operator import CARD, COMPILING, CONNECTIONS_MAX, OperatorServer, ask_session

LIMIT_S = 10.0


@pytest.mark.parametrize(("asked", "later"), [("status", "ask again"), ("stop", "stop takes effect then")])
def test_one_that_compiles_says_so_until_it_is_done(tmp_path: Path, asked: str, later: str) -> None:
    async def run() -> None:
        server = OperatorServer(tmp_path, lambda *_: {})
        await server.start(COMPILING)
        with pytest.raises(MyquantError, match=rf"process {os.getpid()} is compiling the engine .*: wait; {later}$"):
            ask_session(tmp_path, asked, timeout_s=0.05)  # on the loop itself, which is blocked by this
        server.note_doing("")
        with pytest.raises(MyquantError, match=rf"its loop is blocked; if it goes on: {later};"):
            ask_session(tmp_path, asked, timeout_s=0.05)
        assert stat.S_IMODE((tmp_path / CARD).stat().st_mode) == 0o600
        await server.close()
        server.note_doing("")

    asyncio.run(asyncio.wait_for(run(), LIMIT_S))
    assert list(tmp_path.iterdir()) == []


def test_a_request_that_was_not_delivered_is_said_to_be_none(tmp_path: Path) -> None:
    heard: list[str] = []

    async def run() -> None:
        def ask(request: str, *_: str) -> dict[str, str]:
            heard.append(request)
            return {}

        server = OperatorServer(tmp_path, ask)
        await server.start()
        said = []
        for _ in range(2 * CONNECTIONS_MAX):
            with pytest.raises(MyquantError) as refused:
                ask_session(tmp_path, "halt", timeout_s=0.01)
            said.append("halt was not delivered" in str(refused.value))
        assert said == sorted(said), "the first wait in the backlog"
        while server.counts.total() < said.count(False):  # noqa: ASYNC110  (the server counts)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert len(heard) == said.count(False) < len(said)
        await server.close()

    asyncio.run(asyncio.wait_for(run(), LIMIT_S))


def test_one_that_is_stopped_is_said_to_be(tmp_path: Path) -> None:
    """A process that listens, and is stopped."""
    script = tmp_path / "listens.py"
    script.write_text(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from myquant.session.operator import OperatorServer\n"
        "async def run():\n"
        "    await OperatorServer(Path(sys.argv[1]), lambda request, *_: {'message': request}).start()\n"
        "    print('listens', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(run())\n"
    )
    folder = tmp_path / "s"
    folder.mkdir()
    with subprocess.Popen([sys.executable, script, folder], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"listens\n"
            child.send_signal(signal.SIGSTOP)
            os.waitpid(child.pid, os.WUNTRACED)  # it has stopped
            with pytest.raises(
                MyquantError, match=rf"it is stopped .*: `kill -CONT {child.pid}` lets it go on; .* ask"
            ):
                ask_session(folder, "status", timeout_s=0.1)
            child.send_signal(signal.SIGCONT)
            assert ask_session(folder, "halt") == {"message": "halt"}
        finally:
            child.kill()
