"""Law: what decides reads no clock and no chance, and computes floats the same way everywhere."""

import ast
from pathlib import Path

import pytest

import myquant

ROOT = Path(myquant.__file__).parent
RECORD = ROOT / "journal" / "record.py"  # what `handle` writes: it is compiled into the engine
ONE_BY_ONE = [ROOT / "strategies" / "default.py", RECORD]
PURE = sorted([*(ROOT / "core").glob("*.py"), *(ROOT / "exchange").glob("*.py"), *ONE_BY_ONE])

# What a decision may be made from: numbers and types, our own rooms, and the compiler.
ALLOWED = {"bisect", "collections", "functools", "operator", "typing", "inspect", "numpy", "numba", "myquant"}
ROOMS = {
    "core": {"core"},
    "journal": {"core"},
    "exchange": {"core", "exchange", "journal.record"},
    "strategies": {"core", "strategies"},
}

# Reordered, fused or platform-dependent float operations, and whatever changes from run to run.
FORBIDDEN = {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "power", "random", "time_ns"}
FORBIDDEN |= {
    "now",
    "today",
    "perf_counter",
    "monotonic",
    "urandom",
    "getrandbits",
    "hash",
    "id",
    "open",
    "print",
    "input",
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(module: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(f"{node.module}")
    return names


def called(module: ast.Module) -> set[str]:
    """Return the names of all functions that are called."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            function = node.func
            names.add(function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))
    return names


def keywords(module: ast.Module) -> set[str]:
    """Return the names under which arguments are passed, those in a mapping of options included."""
    named = {node.arg for node in ast.walk(module) if isinstance(node, ast.keyword) and node.arg is not None}
    return named | {
        node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def path_id(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", PURE, ids=path_id)
def test_it_imports_nothing_that_knows_the_time_the_machine_or_chance(path: Path) -> None:
    assert {name.split(".")[0] for name in imported(tree(path))} <= ALLOWED


@pytest.mark.parametrize("path", PURE, ids=path_id)
def test_it_imports_downwards_only(path: Path) -> None:
    modules = {name.removeprefix("myquant.") for name in imported(tree(path)) if name.startswith("myquant.")}
    allowed = ROOMS[path.parent.name]
    assert {name for name in modules if name.split(".")[0] not in allowed} <= allowed


@pytest.mark.parametrize("path", PURE, ids=path_id)
def test_it_calls_nothing_that_differs_between_machines_or_runs(path: Path) -> None:
    assert not called(tree(path)) & FORBIDDEN
    assert "fastmath" not in keywords(tree(path))


@pytest.mark.parametrize("path", PURE, ids=path_id)
def test_it_raises_floats_to_no_power(path: Path) -> None:
    """Constants apart, `**` of floats goes through the platform's pow."""
    powers = [node for node in ast.walk(tree(path)) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)]
    assert all(isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant) for node in powers)


def test_the_lint_finds_what_it_looks_for() -> None:
    bad = ast.parse("import time\nfrom os import path\nx = np.exp(time.time_ns())\n@njit(fastmath=True)\ndef f(): pass")
    assert imported(bad) == {"time", "os"}
    assert called(bad) >= {"exp", "time_ns"}
    assert "fastmath" in keywords(bad)
    assert "fastmath" in keywords(ast.parse('OPTIONS = {"fastmath": True}'))
    assert len(PURE) > 15
