"""The engine specialised on a strategy: two small generated modules in the user's cache folder.

Numba keeps machine code on disk per source file, but does not notice when a file that this one imports has changed. So
the folder's name is a hash of everything the code depends on: the strategy's source, every source file of the engine,
the versions of Python, NumPy, Numba and llvmlite, and this machine's processor (by Numba itself).
"""

import hashlib
import importlib.util
import os
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Final

import platformdirs

import myquant
from myquant.core.compiled import jit_enabled

ROOT: Final = Path(myquant.__file__).parent
ROOMS: Final = ("core", "exchange", "strategies")
TEMPLATES: Final = {"engine": ROOT / "core" / "engine.py", "drive": ROOT / "exchange" / "drive.py"}


def cache_folder() -> Path:
    """Return where compiled engines are kept: `MYQUANT_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("MYQUANT_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("myquant"))


def source_hash(strategy: str, rooms: Path = ROOT) -> str:
    """Return the hash of everything that a specialised engine depends on, 20 hex digits."""
    digest = hashlib.sha256(strategy.encode())
    for room in ROOMS:
        for path in sorted((rooms / room).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for package in ("numpy", "numba", "llvmlite"):
        digest.update(f"{package} {version(package)};".encode())
    digest.update(sys.version.encode())
    return digest.hexdigest()[:20]


def specialise(adapter: str) -> ModuleType:
    """Return the `drive` module of the engine specialised on a strategy.

    `adapter` is the source of a module with the names of `core.slot`. `run` and `step` compile on the first call, or
    load from disk when this same engine was compiled before.
    """
    name = f"myquant_{source_hash(adapter)}"
    if f"{name}_drive" in sys.modules:
        return sys.modules[f"{name}_drive"]
    folder = cache_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"strategy": adapter} | {part: path.read_text(encoding="utf-8") for part, path in TEMPLATES.items()}
    for part, text in texts.items():
        specialised = text.replace("from myquant.core.slot import", f"from {name}_strategy import")
        specialised = specialised.replace("from myquant.core.engine import", f"from {name}_engine import")
        path = folder / f"{name}_{part}.py"
        if not path.exists():
            _write(path, text if part == "strategy" else specialised)
        _load(f"{name}_{part}", path)
    return sys.modules[f"{name}_drive"]


def is_compiled(drive: ModuleType) -> bool:
    """Return whether machine code of this engine is on disk already (else the first call compiles for a while)."""
    if not jit_enabled():
        return True
    folder = Path(str(drive.__file__)).parent
    return any(folder.glob("__pycache__/*run*.nbi"))


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _load(name: str, path: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)

