"""The style of the project as a test: how long a function and a file may grow, and what no committed text holds."""

import ast
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
FOLDERS = ("src", "tests", "bench", "examples")
SOURCES = {".py", ".c", ".h", ".js", ".css", ".j2", ".sh"}

# Where whatever is raised may be caught, and why. An entry that is no longer needed fails, too.
BROAD = {
    "src/myquant/cli/app.py": "the command line's top: every error ends as one line and an exit code",
    "src/myquant/cli/folder.py": "takes an empty folder away, and raises again",
    "src/myquant/dashboard/frame.py": "a defect in one part of a page hides no other, and is told",
    "src/myquant/dashboard/runs_watch.py": "whatever fails at one refresh of the list, the looks go on",
    "src/myquant/evidence/rig.py": "a defect in a socket's callback ends the run and is raised",
    "src/myquant/monitor/alerting.py": "a message that can't be handed over keeps no other, and is raised again",
    "src/myquant/monitor/discovery.py": "whatever one folder holds, the others are watched",
    "src/myquant/monitor/judge.py": "a defect in one rule is a finding, and must not blind the others",
    "src/myquant/monitor/loop.py": "whatever fails at one session, the others are watched on",
    "src/myquant/monitor/station.py": "whatever fails beside the looks, they go on",
    "src/myquant/session/loop.py": "the session's top: a defect in a socket's callback ends it and is raised",
    "tests/dashboard/made_runs.py": "what a thread raises is raised again",
    "tests/laws/broker_process.py": "a defect in a process of the simulated world is kept, and raised again",
    "src/myquant/cli/separate.py": "ends its processes, and raises again",
    "src/myquant/strategies/compiling.py": "the compiler fails in many ways on what it does not know",
    "src/myquant/strategies/parameters.py": "whatever a user's validator raises is shown with his line",
    "src/myquant/strategies/source.py": "whatever a user's module raises is shown with his line",
    "src/myquant/strategies/specialise.py": "a damaged file of the cache, and an engine that can't be made",
    "src/myquant/strategies/state.py": "an annotation is an expression of the user's",
    "src/myquant/strategies/trial.py": "whatever a user's function raises is shown with his line",
}

# What kind of run it is, is known to the wiring and to those who ask for one.
MODES = {"paper", "live", "backtest"}
WIRING = re.compile(r"src/myquant/(compose|api|__init__|cli/\w+)\.py")

FORBIDDEN = {
    "unfinished work": re.compile(r"\b(TODO|FIXME|XXX)\b"),
    "a path of one machine": re.compile(r"(?<![\w.~])/(work|home|root|tmp|mnt|Users)/\w|\b[A-Z]:\\Users"),
    "the host of a package index": re.compile(r"index-url|/simple/|\bpypi\.|pythonhosted", re.IGNORECASE),
    "the number of a ticket": re.compile(r"\b(issue|ticket)s? #?\d", re.IGNORECASE),
}
# Words that have no place in these texts, as the first twelve digits of their SHA-256, so that this list is no find itself.
WORDS = {
    "053ea4804ef1",
    "32e83e92d45d",
    "386ebc0efd04",
    "3ea125d0bff3",
    "487b91042c7c",
    "5d72436256ad",
    "60965168ce76",
    "7d3194f79e64",
    "94a168d2da57",
    "c247e9808f5e",
    "c70eca6b0f88",
    "c857d09db23e",
    "d298391b0743",
    "de2187af3fb0",
}


@cache
def committed() -> dict[str, str]:
    """Return the texts that are committed, or would be, by their names."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout: what is committed can't be listed")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    paths = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    contents = {name: (ROOT / name).read_bytes() for name in paths}
    return {name: content.decode() for name, content in contents.items() if b"\0" not in content}


@cache
def modules() -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in committed().items() if name.endswith(".py")}


def found(pattern: re.Pattern[str]) -> list[str]:
    """Return `file:line: text` of every hit, this file's own patterns left out."""
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in committed().items()
        if name != "tests/test_style.py"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def functions() -> Iterator[tuple[str, int]]:
    for name, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                yield f"{name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_no_function_is_too_long() -> None:
    lengths = dict(functions())
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


def test_no_file_is_too_long() -> None:
    lengths = {
        name: len(text.splitlines())
        for name, text in committed().items()
        if name.split("/")[0] in FOLDERS and Path(name).suffix in SOURCES
    }
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_only_the_named_places_catch_everything() -> None:
    assert {name for name, module in modules().items() if any(map(is_broad, ast.walk(module)))} == set(BROAD)


def is_broad(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in caught
    )


def test_only_the_wiring_names_a_mode() -> None:
    rooms = {name: module for name, module in modules().items() if name.startswith("src/") and not WIRING.match(name)}
    assert len(rooms) > 40
    assert [f"{name}: {word}" for name, module in rooms.items() for word in identifiers(module) & MODES] == []


def identifiers(module: ast.Module) -> set[str]:
    """Return the words of all names in a module, texts and comments left out."""
    fields = ("id", "attr", "name", "arg")
    names = (getattr(node, field, None) for node in ast.walk(module) for field in fields)
    return {word.lower() for name in names if isinstance(name, str) for word in re.split(r"[_.]", name)}


def test_every_room_says_what_it_is() -> None:
    rooms = {name: module for name, module in modules().items() if re.fullmatch(r"src/.*/__init__\.py", name)}
    assert len(rooms) >= 10
    assert [name for name, module in rooms.items() if not ast.get_docstring(module)] == []


@pytest.mark.parametrize("thing", FORBIDDEN)
def test_no_text_holds(thing: str) -> None:
    assert found(FORBIDDEN[thing]) == []


def test_no_text_holds_a_word_that_has_no_place_here() -> None:
    words = {
        word.lower(): f"{name}: {word}" for name, text in committed().items() for word in re.findall(r"[A-Za-z]+", text)
    }
    assert len(words) > 1000
    assert [place for word, place in words.items() if digest(word) in WORDS] == []


def digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()[:12]
