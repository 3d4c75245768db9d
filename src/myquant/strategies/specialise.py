"""The engine specialised on a strategy: small generated modules in the user's cache folder.

Numba keeps machine code on disk per source file, but does not notice when a file that this one imports has changed. So
the folder's name is a hash of everything the code depends on: the strategy's source, every source file of the engine,
the versions of Python, NumPy, Numba and llvmlite. (The processor is Numba's own matter.)
"""

import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from numba import typeof

import myquant
from myquant.core.compiled import jit_enabled
from myquant.strategies.cache import cache_folder, engine_folder

ROOT: Final = Path(myquant.__file__).parent
SOURCES: Final = ("core/*.py", "journal/record.py", "exchange/*.py", "strategies/*.py", "indicators.py")
TEMPLATES: Final = {
    "engine": Path("core", "engine.py"),
    "drive": Path("exchange", "drive.py"),
    "handle": Path("exchange", "handle.py"),
}
IMPORTS: Final = {
    "strategy": "from myquant.core.slot import",
    "engine": "from myquant.core.engine import",
    "drive": "from myquant.exchange.drive import",
}
PROBE: Final = "from myquant.core.probe import"


def source_hash(adapter: str, root: Path = ROOT, probe: str = "") -> str:
    """Return the hash of everything that a specialised engine depends on, 20 hex digits; `root`: the package's folder."""
    digest = hashlib.sha256(adapter.encode())
    if probe:
        digest.update(_source_of(probe))
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for package in ("numpy", "numba", "llvmlite"):
        digest.update(f"{package} {version(package)};".encode())
    digest.update(sys.version.encode())
    return digest.hexdigest()[:20]


def _source_of(module: str) -> bytes:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ImportError(f"{module}: no such module")
    return Path(found.origin).read_bytes()


def has_compiled(adapter: str) -> bool:
    """Return whether some of an engine's code has been compiled before, whatever became of it."""
    return any((cache_folder() / engine_name(adapter)).glob("__pycache__/*.nbi"))


@cache
def engine_name(adapter: str, probe: str = "") -> str:
    """Return the name of an engine's folder, with which the names of its modules begin.

    Asked once of a process: it has loaded the sources as they were, whatever becomes of the files.
    """
    return f"myquant_{source_hash(adapter, probe=probe)}"


def specialise(adapter: str, probe: str = "") -> ModuleType:
    """Return the `drive` module of the engine specialised on a strategy.

    `adapter` is the source of a module with the names of `core.slot`; `probe` names a module with `begin` and `lap` of
    `core.probe` that count, for an engine that is to be measured: drive it by `handle` only. `run` and `step`, and `handle` in the module beside
    it (`handle_of`), compile on the first call, or load from disk when this same engine was compiled before.
    """
    name = engine_name(adapter, probe)
    if f"{name}_drive" not in sys.modules:
        texts = {"strategy": adapter} | {part: _specialised(path, name, probe) for part, path in TEMPLATES.items()}
        folder = engine_folder(name, {f"{name}_{part}.py": text for part, text in texts.items()})
        for part in texts:
            _load(f"{name}_{part}", folder / f"{name}_{part}.py")
    return sys.modules[f"{name}_drive"]


def handle_of(drive: ModuleType) -> ModuleType:
    """Return the `handle` module of the engine whose `drive` module this is."""
    return sys.modules[drive.__name__.removesuffix("drive") + "handle"]


def is_compiled(function: Any, arguments: Sequence[Any]) -> bool:
    """Return whether an entry point has machine code on disk for arguments of these types, whole and for this processor.

    Damaged machine code is thrown away, so that it is compiled anew.
    """
    if not jit_enabled():
        return True
    # Numba has no public question for this.
    cache = function._cache  # noqa: SLF001
    key = cache._index_key(tuple(map(typeof, arguments)), function.targetctx.codegen())  # noqa: SLF001
    try:
        return cache._cache_file.load(key) is not None  # noqa: SLF001
    except Exception:  # noqa: BLE001  (a damaged pickle can raise anything)
        cache.flush()
        return False


def _specialised(path: Path, name: str, probe: str) -> str:
    """Return the source of a template with its strategy, engine and probe in place of the un-specialised ones."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if probe:
        text = text.replace(PROBE, f"from {probe} import")
    for part, line in IMPORTS.items():
        text = text.replace(line, f"from {name}_{part} import")
    return text


def _load(name: str, path: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
