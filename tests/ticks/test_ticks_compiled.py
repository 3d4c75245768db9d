"""Machine code on disk is used as long as no source in the rooms it may depend on has changed."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import myquant
from myquant.core.compiled import jit_enabled
from myquant.ticks.compiled import ROOMS, keyed, sources_hash

SOURCE = """
from myquant.core.compiled import entry_point

@entry_point
def twice(value):
    return 2 * value
"""


def imported_anew(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not jit_enabled(), reason="nothing is compiled")
def test_code_of_other_sources_is_compiled_again(tmp_path: Path) -> None:
    path = tmp_path / "small.py"
    path.write_text(SOURCE, encoding="utf-8")

    def hits(sources: str) -> int:
        twice = keyed(imported_anew(path).twice, sources)
        assert twice(21) == 42
        return sum(twice.stats.cache_hits.values())

    assert [hits("a"), hits("a"), hits("b"), hits("b"), hits("a")] == [0, 1, 0, 1, 0]


QUICK = """
import json, sys
import small
from myquant.ticks.compiled import quick_to_load

twice = quick_to_load(small.twice)
found = [[twice(value), "numba.np.arraymath" in sys.modules] for value in json.loads(sys.argv[1])]
print(json.dumps([found, sum(twice.stats.cache_hits.values())]))
"""


@pytest.mark.skipif(not jit_enabled(), reason="nothing is compiled")
def test_code_on_disk_is_loaded_without_what_only_compiling_needs(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(SOURCE, encoding="utf-8")

    def run(*values: float) -> list[object]:
        command = [sys.executable, "-c", QUICK, json.dumps(values)]
        ended = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        found: list[object] = json.loads(ended.stdout)
        return found

    assert run(21) == [[[42, True]], 0]
    assert run(21) == [[[42, False]], 1]
    assert run(21, 2.5) == [[[42, False], [5.0, True]], 1]  # what is not on disk is compiled after what is
    assert run(2.5, 21) == [[[5.0, False], [42, False]], 2]


@pytest.mark.parametrize("room", ROOMS)
def test_every_source_counts(tmp_path: Path, room: str) -> None:
    root = tmp_path / "myquant"
    shutil.copytree(Path(myquant.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    before = {sources_hash.__wrapped__(root)}
    for path in sorted((root / room).glob("*.py")):
        path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        after = sources_hash.__wrapped__(root)
        assert after not in before, path.name
        before.add(after)
