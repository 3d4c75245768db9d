"""The command: what it prints, how it ends, and what it refuses."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from myquant.cli.lab import lab
from myquant.errors import ConfigError, DataError, MyquantError

COMMAND = "import typer; from myquant.cli.lab import lab; app = typer.Typer(); app.command()(lab); app()"
SECRET = "JBSWY3DPEHPK3PXP"  # noqa: S105  (made up)


def invoke(*arguments: str) -> BaseException | str:
    """Return what the command printed, or the error it ended with."""
    app = typer.Typer()
    app.command()(lab)
    result = CliRunner().invoke(app, ["--broker", "angelone", *arguments])
    return result.exception if isinstance(result.exception, MyquantError) else result.output


@pytest.mark.parametrize(
    ("arguments", "kind", "complaint"),
    [
        ((), ConfigError, "--ticks FILE or --generate"),
        (("--generate", "--ticks", "x.csv"), ConfigError, "--ticks FILE or --generate"),
        (("--ticks", "nowhere.csv"), DataError, "nowhere.csv: no such file"),
        (("--generate", "--fault", "nope"), ConfigError, "known are duplicate"),
        (("--ticks", "a.csv", "--symbol", "A", "--symbol", "B"), ConfigError, "at most one"),
        (("--generate", "--date", "2025-10-02"), DataError, "closed"),
        (("--generate", "--tls", "nowhere.pem"), ConfigError, "nowhere.pem: holds no certificate"),
        (("--broker", "nobody", "--generate"), ConfigError, "--broker nobody: the lab knows angelone"),
    ],
)
def test_what_can_not_be_served_is_said(arguments: tuple[str, ...], kind: type[MyquantError], complaint: str) -> None:
    error = invoke(*arguments)
    assert isinstance(error, kind)
    assert complaint in str(error)


def test_the_faults_are_listed_with_their_defaults() -> None:
    said = invoke("--fault", "help")
    assert isinstance(said, str)
    assert "mute=after:1000,seconds:0.0,connection:1" in said
    assert "A tick's packet comes twice." in said


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_then_says_what_it_did(ends: signal.Signals, tmp_path: Path) -> None:
    options = ["--broker", "angelone", "--generate", "--port", "0", "--feed-port", "0", "--fault", "drop"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYQUANT_ANGELONE_TOTP_SECRET": SECRET},
    )
    assert process.stdout is not None
    said: list[str] = []
    while not said or said[-1] != "lab: ready\n":
        said.append(process.stdout.readline())
        assert said[-1], process.communicate()[1]
    process.send_signal(ends)
    rest, complaints = process.communicate(timeout=10)
    assert (process.returncode, rest, complaints) == (0, "lab: nobody came\n", "")
    text = "".join(said)
    assert "34,057 ticks" in text
    assert "lab: faults: drop (seed 1)" in text
    assert "export MYQUANT_ANGELONE__STREAM_URL=ws://127.0.0.1:" in text
    assert "export MYQUANT_ANGELONE__UPDATE_URL=ws://127.0.0.1:" in text
    assert "export MYQUANT_ANGELONE_PIN=1234" in text
    assert SECRET not in text  # that of the environment is not shown
