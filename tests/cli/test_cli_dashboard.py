import io
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from myquant.cli import main
from myquant.config.loading import load_config
from myquant.dashboard.card import CARD, CardHolder, DashboardCard, read_card
from myquant.dashboard.passwords import Passwords
from myquant.errors import MyquantError
from myquant.monitor.folder import monitor_folder


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_password_of_stdin_becomes_a_line_for_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\nmore\n"))
    assert main(["dashboard", "password"]) == 0
    printed = capsys.readouterr().out
    assert "correct" not in printed
    path = tmp_path / "config.toml"
    path.write_text(printed, encoding="utf-8")
    settings = load_config(files=[path]).config.dashboard
    assert Passwords(settings).role_of("correct horse battery") == "operator"


def test_a_short_password_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main(["dashboard", "password"]) == 2
    assert "has 5 characters: take 12" in capsys.readouterr().err


def test_without_pages_there_is_no_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", "link"]) == 1
    assert "no pages are served: start `myquant dashboard`" in capsys.readouterr().err


class _Pages(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_known = self.headers["Authorization"] == "Bearer token"
        answer = {"url": f"http://desk/enter?key={body['role']}"} if is_known else {"detail": "no"}
        self.send_response(200 if is_known else 401)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("token", "words", "code", "said"),
    [
        ("token", [], 0, "enter?key=operator"),
        ("token", ["--viewer"], 0, "enter?key=viewer"),
        ("other", [], 1, "refused: no"),
    ],
)
def test_a_link_is_asked_of_who_serves(
    token: str, words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Pages) as server, CardHolder(monitor_folder()) as holder:
        serving = Thread(target=server.handle_request)
        serving.start()
        holder.show(DashboardCard("127.0.0.1", server.server_port, 1, token))
        assert main(["dashboard", "link", *words]) == code
        serving.join()
    assert said in "".join(capsys.readouterr())


def test_who_serves_has_the_folder_and_its_card_is_private(state: Path) -> None:
    with CardHolder(state) as holder:
        holder.show(DashboardCard("0.0.0.0", 9465, 7, "token", "desk.pem"))  # noqa: S104  (an address, not listened at)
        assert (state / CARD).stat().st_mode & 0o777 == 0o600
        found = read_card(state)
        assert found is not None
        assert found.url == "https://127.0.0.1:9465"
        with pytest.raises(
            MyquantError, match=r"served already \(https://127.0.0.1:9465, process 7\).*myquant dashboard link"
        ):
            CardHolder(state)
    assert read_card(state) is None
    CardHolder(state).close()
