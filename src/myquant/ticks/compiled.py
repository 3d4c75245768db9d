"""Entry points outside of an engine: machine code kept beside its source, keyed by every source it may depend on.

Numba alone looks at the file of a function, not at those that this one imports.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from numba.core.caching import IndexDataCacheFile

import myquant
from myquant.core.compiled import entry_point, jit_enabled

ROOMS: Final = ("core", "ticks", "journal", "exchange", "brokers", "brokers/angelone", "session")

Function = TypeVar("Function", bound=Callable[..., Any])


def kept(function: Function) -> Function:
    """Compile a function that Python calls and keep its machine code until a source in `ROOMS` changes."""
    return quick_to_load(keyed(entry_point(function), sources_hash()))


def quick_to_load(function: Function) -> Function:
    """Load an entry point's machine code without Numba's declarations, 0.35 s of imports that only compiling needs.

    Numba refreshes its context before each look into the cache; where there is nothing to be loaded, the compiler does that
    anyway. Not for code that counts references (`_nrt`), which needs the functions that come with them.
    """
    if jit_enabled():
        kept_code = function._cache  # type: ignore[attr-defined]  # noqa: SLF001  (Numba has no public way)
        kept_code.load_overload = kept_code._load_overload  # noqa: SLF001  (likewise)
    return function


def keyed(function: Function, sources: str) -> Function:
    """Let a compiled function use the machine code on disk only if it was made from these sources."""
    if jit_enabled():
        kept_code = function._cache  # type: ignore[attr-defined]  # noqa: SLF001  (Numba has no public way)
        place = kept_code._impl.locator  # noqa: SLF001  (likewise)
        stamp = (place.get_source_stamp(), sources)
        name = kept_code._impl.filename_base  # noqa: SLF001  (likewise)
        kept_code._cache_file = IndexDataCacheFile(place.get_cache_path(), name, stamp)  # type: ignore[no-untyped-call]  # noqa: SLF001  (likewise)
    return function


@cache
def sources_hash(root: Path = Path(myquant.__file__).parent) -> str:
    """Return the hash of all sources in `ROOMS`; `root`: the package's folder."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((root / room).glob("*.py")):
            digest.update(f"{room}/{path.name}".encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
