"""Importing a strategy's file: its mistakes, the modules beside it, the hash of what it says."""

import os
import sys
from pathlib import Path

import pytest

from myquant.errors import ConfigError
from myquant.strategies.loading import load_strategy
from myquant.strategies.source import imported
from strategies.texts import HEAD, Refused, entry_text, sound, write

HELPED = sound(head=HEAD + "from levels import above", entry=entry_text("return above(tick.price, state.mean)"))

ABOVE = """\
def above(a, b):
    if a > 1e9:
        return %s > b
    return a > b
"""


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        (sound(entry="def entry(state, tick, context, params)\n    return True"), "def entry", "expected ':'"),
        (sound(entry="def entry(state, tick, context, params):\n  return (1"), "return (1", "'(' was never closed"),
        (sound(head=HEAD + "  import x"), "import x", "unexpected indent"),
        (sound(head=HEAD + "import talibx"), "talibx", "No module named 'talibx'; put the module beside the strategy"),
        (sound(head=HEAD + "from math import sqr"), "sqr", "ImportError: cannot import name 'sqr' from 'math'"),
        (sound(head=HEAD + "from .levels import above"), ".levels", "attempted relative import"),
        (sound(head=HEAD + "LEVEL = Feild(3)"), "LEVEL", "Feild is not defined; did you mean Field?"),
        (sound(head=HEAD + "LEVEL = math.pie"), "LEVEL", "module 'math' has no attribute 'pie'"),
        (sound(head=HEAD + "LEVEL = 1 / 0"), "LEVEL", "ZeroDivisionError: division by zero"),
        (sound(head=HEAD + "LEVEL = eval('1 +')"), "LEVEL", "invalid syntax"),
        (sound(head=HEAD + "raise SystemExit(3)"), "SystemExit", "SystemExit: 3"),
        (sound(head=HEAD + "raise ValueError('a\\n' + 1000 * 'b')"), "ValueError", "ValueError: a bbb"),
    ],
)
def test_a_file_that_cannot_be_imported(refused: Refused, text: str, at: str, words: str) -> None:
    assert words in refused(text, at)


@pytest.mark.parametrize("name", ["absent.py", "absent", "", "absent.py:Name"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"(no such strategy|not a Python) file; name one, as in"):
        load_strategy(tmp_path / name)


def test_a_file_that_is_no_python(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ticks\.csv: not a Python file; name one, as in --strategy my_strategy\.py"):
        load_strategy(write(tmp_path, "a,b\n", "ticks.csv"))
    path = tmp_path / "binary.py"
    for content in (b"\0\1\2", b"x = '\xff'\n"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"binary\.py"):
            load_strategy(path)


def test_a_mistake_in_a_module_beside_it_names_that_module(tmp_path: Path) -> None:
    path = write(tmp_path, HELPED)
    helper = write(tmp_path, "def above(a, b):\n    return a >\n", "levels.py")
    with pytest.raises(ConfigError, match=rf"^{helper}:2: invalid syntax"):
        load_strategy(path)
    write(tmp_path, ABOVE % "c", "levels.py")
    with pytest.raises(ConfigError, match=rf"^{helper}:3: c is not defined"):
        load_strategy(path)
    write(tmp_path, ABOVE % "a.c", "levels.py")
    with pytest.raises(ConfigError, match=rf"^{helper}:3: float has no c"):
        load_strategy(path)


def test_modules_beside_it_are_part_of_the_hash(tmp_path: Path) -> None:
    path = write(tmp_path, HELPED)
    write(tmp_path, "from deep.inner import margin\ndef above(a, b):\n    return a > b + margin()\n", "levels.py")
    write(tmp_path, "", "deep/__init__.py")
    inner = write(tmp_path, "def margin():\n    return 1.0\n", "deep/inner.py")
    first = load_strategy(path)
    assert load_strategy(path).engine_hash == first.engine_hash
    inner.write_text("def margin():\n    return 2.0\n")  # as long, and within the same second
    os.utime(inner, (1, 1))
    assert load_strategy(path).engine_hash != first.engine_hash


def test_what_a_file_computes_is_part_of_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = HEAD + "import os\nLEVELS = np.full(3, float(os.environ['LEVEL']))\n"
    path = write(tmp_path, sound(head=head, entry=entry_text("return tick.price > LEVELS[1]")))
    hashes = set()
    for level in ("1", "2", "1"):
        monkeypatch.setenv("LEVEL", level)
        hashes.add(load_strategy(path).engine_hash)
    assert len(hashes) == 2


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for folder, sign in (("a", ">"), ("b", "<")):
        write(tmp_path / folder, HELPED)
        write(tmp_path / folder, f"SIGN = '{sign}'\ndef above(a, b):\n    return a {sign} b\n", "levels.py")
    loaded = {folder: load_strategy(tmp_path / folder / "mine.py") for folder in ("a", "b", "a")}
    assert loaded["a"].engine_hash != loaded["b"].engine_hash
    assert "levels" not in sys.modules
    files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    left = {name for name, file in files.items() if file.startswith(str(tmp_path))}
    assert {name for name in left if "myquant_user_" not in name} == set()
    with imported(tmp_path / "b" / "mine.py") as source:
        assert sys.modules["levels"].SIGN == "<"
        assert set(source.modules) == {"levels", "myquant_strategy_file"}
    assert "levels" not in sys.modules


def test_a_module_of_that_name_that_is_loaded_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = type(sys)("levels")
    monkeypatch.setitem(sys.modules, "levels", mine)
    path = write(tmp_path, HELPED)
    write(tmp_path, "def above(a, b):\n    return a > b\n", "levels.py")
    load_strategy(path)
    assert sys.modules["levels"] is mine


def test_pythons_own_modules_are_not_taken_from_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "raise RuntimeError('not this one')", "calendar.py")
    write(tmp_path, "raise RuntimeError('not this one')", "numbers.py")
    load_strategy(write(tmp_path, sound(head=HEAD + "import calendar\nimport numbers\n")))


def test_a_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path, sound(more="SECTION = 'one'"))
    first = load_strategy(path)
    path.write_text(sound(more="SECTION = 'two'"))
    os.utime(path, (1, 1))
    second = load_strategy(path)
    assert (first.section, second.section) == ("one", "two")
    assert first.engine_hash != second.engine_hash


def test_the_folder_a_file_lies_in_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = write(tmp_path / "a", sound()), write(tmp_path / "b", sound())
    monkeypatch.chdir(tmp_path)
    hashes = {load_strategy(path).engine_hash for path in (one, other, Path("a") / "mine.py")}
    assert len(hashes) == 1
