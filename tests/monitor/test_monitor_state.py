import fcntl
import json
import os
import socket
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from myquant.errors import MyquantError
from myquant.monitor import ask
from myquant.monitor.health import NO_MONITOR
from myquant.monitor.state import CARD, DAY_NS, LOCK, TOLD, MonitorCard, open_state, read_card

NOW_NS = 1_759_463_467 * 10**9


def test_a_second_monitor_is_refused_by_name(tmp_path: Path) -> None:
    state = open_state(tmp_path / "m", NOW_NS)
    state.show(MonitorCard("127.0.0.1", 9464, 4711, "secret"))
    with pytest.raises(MyquantError, match=r"a monitor runs here already \(process 4711\): stop it first"):
        open_state(tmp_path / "m", NOW_NS)
    assert read_card(tmp_path / "m") == MonitorCard("127.0.0.1", 9464, 4711, "secret")
    state.close()
    assert read_card(tmp_path / "m") is None
    open_state(tmp_path / "m", NOW_NS).close()


def test_only_its_owner_can_read_what_it_keeps(tmp_path: Path) -> None:
    state = open_state(tmp_path / "m", NOW_NS)
    state.show(MonitorCard("127.0.0.1", 9464, 4711, "secret"))
    state.save(NOW_NS)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o700
    for name in (CARD, TOLD):
        assert (tmp_path / "m" / name).stat().st_mode & 0o777 == 0o600
    state.close()


def test_until_where_news_were_told_survives(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    state = open_state(tmp_path / "m", NOW_NS)
    told = state.told_of(runs / "a", "monday", NOW_NS)
    assert (told.record, told.since_wall_ns) == (0, NOW_NS)
    told.record = 7
    state.save(NOW_NS + 5)
    state.close()
    later = open_state(tmp_path / "m", NOW_NS + 10)
    assert later.told_of(runs / "a", "monday", NOW_NS + 10).record == 7
    assert later.told_of(runs / "a", "tuesday", NOW_NS + 10).record == 0  # another session in its folder
    assert later.told_of(runs / "b", "monday", NOW_NS + 10).since_wall_ns == NOW_NS + 5  # begun while nobody looked
    later.forget({str((runs / "b").resolve())})
    assert list(later.told) == [str((runs / "b").resolve())]
    later.close()
    assert open_state(tmp_path / "m", NOW_NS + 2 * DAY_NS).until_wall_ns is None  # so long ago that all would be old


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sessions": 7}', b'{"sessions": {"a": {"b": 1}}}', b"\xff"])
def test_damaged_files_are_made_anew(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for name in (CARD, TOLD):
        (folder / name).write_bytes(content)
    assert read_card(folder) is None
    state = open_state(folder, NOW_NS)
    assert state.told == {}
    state.save(NOW_NS)
    state.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("a file")
    with pytest.raises(MyquantError, match="set MYQUANT_STATE to a folder of your own"):
        open_state(tmp_path / "m", NOW_NS)


def test_a_monitor_that_hangs_is_not_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "ANSWER_S", 0.05)
    assert (ask.ask_monitor(tmp_path), ask.why_alone(tmp_path)) == (None, NO_MONITOR)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        state = open_state(tmp_path, NOW_NS)
        state.show(MonitorCard("127.0.0.1", silent.getsockname()[1], os.getpid(), "token"))
        assert ask.ask_monitor(tmp_path) is None
        assert f"process {os.getpid()}) does not answer" in ask.why_alone(tmp_path)
        state.close()
        assert ask.why_alone(tmp_path) == NO_MONITOR


def test_the_process_of_a_stale_card_is_not_taken_for_the_monitor(tmp_path: Path) -> None:
    """Its number may be any other's by now: nobody is told to kill that."""
    card = MonitorCard("127.0.0.1", 1, os.getpid(), "token")
    (tmp_path / LOCK).touch()
    (tmp_path / CARD).write_text(json.dumps(asdict(card)))
    assert read_card(tmp_path) == card
    assert (ask.ask_monitor(tmp_path), ask.why_alone(tmp_path)) == (None, NO_MONITOR)
    state = open_state(tmp_path, NOW_NS)
    assert read_card(tmp_path) is None
    assert "its monitor.json can't be read" in ask.why_alone(tmp_path)
    state.close()


def test_an_answer_of_another_monitor_that_got_its_port_is_none(tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"verdict": "ok", "monitor": {"pid": pid}}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    state = open_state(tmp_path, NOW_NS)
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        state.show(MonitorCard("127.0.0.1", server.server_port, os.getpid(), "token"))
        Thread(target=server.serve_forever, daemon=True).start()
        pid = os.getpid()
        assert ask.ask_monitor(tmp_path) is not None
        pid += 1
        assert ask.ask_monitor(tmp_path) is None
        server.shutdown()
    state.close()


def test_who_only_asks_whether_a_monitor_runs_keeps_none_from_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LOCK).touch()
    asking = os.open(tmp_path / LOCK, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: os.close(asking))  # it has asked meanwhile
    open_state(tmp_path, NOW_NS).close()
