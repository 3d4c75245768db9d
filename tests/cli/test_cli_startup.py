"""What it costs to ask for help: nothing is imported that only a command needs."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command

import myquant
from cli.ended import Run
from myquant.cli.app import app

HEAVY = {
    "asyncio",
    "concurrent",
    "jinja2",
    "multiprocessing",
    "numba",
    "numpy",
    "pandas",
    "plotly",
    "polars",
    "pyarrow",
    "pydantic",
    "rich",
    "xlsxwriter",
}
COMMANDS = [
    [],
    ["backtest"],
    ["baseline"],
    ["gate"],
    ["compare"],
    ["ticks"],
    ["ticks", "check"],
    ["ticks", "convert"],
    ["ticks", "generate"],
    ["ticks", "info"],
    ["config"],
    ["config", "show"],
    ["config", "check"],
    ["config", "diff"],
]


def modules_after(code: str) -> set[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_first_help_imports_nothing_heavy() -> None:
    modules = modules_after("from myquant.cli import main\nassert main(['--help']) == 0")
    assert "typer" in modules
    assert modules & HEAVY == set()


def test_help_of_a_command_imports_what_typer_needs_for_its_options_only() -> None:
    calls = "\n".join(f"assert main({[*command, '--help']}) == 0" for command in COMMANDS)
    modules = modules_after(f"from myquant.cli import main\n{calls}")
    assert modules & HEAVY <= modules_after("import pydantic; pydantic.TypeAdapter(int)") & HEAVY
    assert modules & {"numba", "numpy", "polars", "rich"} == set()


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert modules_after("import myquant") & (HEAVY | {"typer"}) == set()


def test_a_session_imports_nothing_heavy_that_only_its_end_or_others_need() -> None:
    """While a position waits for its stop order, every tenth of a second counts."""
    rooms = ("at_broker", "evidence_of", "process", "broker_orders", "broker_side", "fence", "shadow", "simulated")
    imports = ", ".join(f"myquant.session.{name}" for name in rooms)
    modules = modules_after(
        f"import myquant.compose, myquant.cli.run, myquant.cli.starting, myquant.cli.live, {imports}"
    )
    assert "numba" in modules
    assert modules & {"polars", "pyarrow", "pandas", "jinja2", "xlsxwriter", "keyring", "aiohttp"} == set()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ([], ["ticks"], ["config"])])
def test_help_has_examples_and_fits_the_terminal(run: Run, command: list[str]) -> None:
    ended = run(*command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert f"\n    myquant {' '.join(command)} " in ended.out.split("Examples:")[1]
    assert max(map(len, ended.out.splitlines())) <= 80


def test_the_first_help_documents_the_exit_codes(run: Run) -> None:
    out = run("--help").out
    assert run().out == out
    for line in ("0    done", "1    anything", "2    bad usage", "3    bad data", "130  interrupted"):
        assert f"\n    {line}" in out


def test_the_reference_names_every_command_and_option() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    for words in COMMANDS[1:]:
        command = get_command(app)
        for word in words:
            command = command.commands[word]  # type: ignore[attr-defined]  # a group has them
        options = [name for param in command.params for name in param.opts if name.startswith("--")]
        assert " ".join(words) in reference
        assert [name for name in options if name not in reference] == []


def test_a_name_that_the_terminal_cannot_show_is_no_reason_to_fail(tmp_path: Path) -> None:
    file = tmp_path / "d\N{LATIN SMALL LETTER E WITH ACUTE}.csv"
    file.write_text("timestamp,price,volume\n2025-10-03 09:30:00,100,75\n")
    command = [sys.executable, "-m", "myquant", "ticks", "check", str(file)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "/d?.csv: 1 row, 1 valid" in done.stdout


def test_version(run: Run) -> None:
    assert run("--version").out == f"myquant {myquant.__version__}\n"
    assert myquant.__version__ == version("myquant")


@pytest.mark.parametrize("arguments", [["config", "show"], ["--help"]])
def test_a_broken_pipe_is_quiet(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "myquant", *arguments]
        done = subprocess.run(command, check=False, stdout=writer, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
