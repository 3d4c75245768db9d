"""A strategy's file, imported by itself: with the modules beside it, and a hash of all that it says.

Nothing of it stays among the interpreter's modules. So two files of one name never meet, and a file that has changed is
read anew.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

import numpy as np

from myquant.errors import ConfigError
from myquant.strategies.problems import line_in, words

MAIN: Final = "myquant_strategy_file"  # what the file is called while it is imported
# Never taken from beside a strategy: what this process itself stands on.
RESERVED: Final = sys.stdlib_module_names | {"myquant", "numpy", "numba", "llvmlite", "pydantic", "pydantic_core"}
SUFFIX: Final = ".py"


@dataclass(frozen=True)
class Source:
    """An imported strategy file.

    Attributes:
        path: as the user named it.
        module: the file's module.
        modules: by name the file's module and those beside it that it imports, directly or not.
        paths: by name the path of each of them, as tracebacks name it.
        texts: by name the source of each of them, as it was executed.
    """

    path: Path
    module: ModuleType
    modules: Mapping[str, ModuleType]
    paths: Mapping[str, str]
    texts: Mapping[str, bytes]

    @cached_property
    def files(self) -> frozenset[str]:
        """The paths of the modules."""
        return frozenset(self.paths.values())

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """By path the syntax tree of each module."""
        return {path: ast.parse(self.texts[name]) for name, path in self.paths.items()}

    @cached_property
    def _lines(self) -> dict[tuple[str, str], int]:
        return {
            (name, defined): line
            for name, path in self.paths.items()
            for defined, line in _definitions(self.trees[path].body, "")
        }

    def place(self, module: str, name: str) -> str | None:
        """Return `file:line` where a module defines a name such as `State` or `Params.period`, None where it does not."""
        line = self._lines.get((module, name))
        return f"{self.paths[module]}:{line}" if line else None

    def digest(self, name: str) -> str:
        """Return a hash of the sources, of the constants that their functions freeze, and of a name: 16 hex digits."""
        digest = hashlib.sha256(name.encode())
        for module in sorted(self.modules):
            digest.update(b"%s\0%s\0" % (module.encode(), self.texts[module]))
            for constant in _constants(vars(self.modules[module])):
                digest.update(constant)
        return digest.hexdigest()[:16]


@contextmanager
def imported(path: Path) -> Iterator[Source]:
    """Import a strategy's file for as long as it is looked at; ConfigError with the line at fault when that fails."""
    if path.suffix != SUFFIX or not path.is_file():
        what = "no such strategy file" if not path.exists() else "not a Python file"
        raise ConfigError(f"{path}: {what}; name one, as in --strategy my_strategy.py")
    beside = _Beside(path.parent)
    loader = beside.loader(MAIN, path)
    spec = spec_from_file_location(MAIN, path, loader=loader)
    module = module_from_spec(spec or ModuleSpec(MAIN, loader))
    with _apart(path.parent, beside):
        sys.modules[MAIN] = module
        try:
            loader.exec_module(module)
        except (Exception, SystemExit) as error:  # whatever a user's file does while it is imported
            files = {each.path for each in beside.loaders.values()}
            raise ConfigError(f"{line_in(error, files) or path}: {words(error)}") from error
        modules = {name: sys.modules[name] for name in beside.loaders if name in sys.modules}
        loaders = {name: beside.loaders[name] for name in modules}
        paths = {name: each.path for name, each in loaders.items()}
        yield Source(path, module, modules, paths, {name: each.text for name, each in loaders.items()})


class _Fresh(SourceFileLoader):
    """Loads a module from its source, past Python's bytecode files: these miss a change within the same second."""

    text: bytes = b""

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        self.text = self.get_data(self.path)
        return compile(self.text, self.path, "exec", dont_inherit=True)


class _Beside(MetaPathFinder):
    """Finds the modules beside a strategy's file, and remembers them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaders: dict[str, _Fresh] = {}

    def loader(self, name: str, file: Path) -> _Fresh:
        self.loaders[name] = _Fresh(name, str(file))
        return self.loaders[name]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del target
        top, _, _ = fullname.partition(".")
        if top in RESERVED or not _is_beside(top, self.folder):
            return None
        place = (Path(path[0]) if path else self.folder) / fullname.rpartition(".")[2]
        package = place / "__init__.py"
        if package.is_file():
            found = self.loader(fullname, package)
            return spec_from_file_location(fullname, package, loader=found, submodule_search_locations=[str(place)])
        file = place.with_name(place.name + SUFFIX)
        return spec_from_file_location(fullname, file, loader=self.loader(fullname, file)) if file.is_file() else None


def _is_beside(name: str, folder: Path) -> bool:
    return (folder / f"{name}{SUFFIX}").is_file() or (folder / name / "__init__.py").is_file()


@contextmanager
def _apart(folder: Path, beside: _Beside) -> Iterator[None]:
    """Import with the modules beside a strategy first, and leave the interpreter's modules as they were."""
    tops = {name: name.partition(".")[0] for name in sys.modules}
    hidden = {top for top in set(tops.values()) - RESERVED if _is_beside(top, folder)}
    kept = {name: sys.modules.pop(name) for name, top in tops.items() if top in hidden}
    sys.meta_path.insert(0, beside)
    try:
        yield
    finally:
        sys.meta_path.remove(beside)
        for name in beside.loaders:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


def _definitions(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name, node.lineno
            yield from _definitions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((prefix + target.id, node.lineno) for target in targets if isinstance(target, ast.Name))


def _constants(namespace: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield what compiled code takes from a namespace as constants: a file may compute them when it is imported."""
    for name, value in sorted(namespace.items()):
        if name.startswith("__"):
            continue
        if type(value) is type and not issubclass(value, tuple):
            yield from _constants(vars(value))
        elif isinstance(value, np.ndarray):
            yield f"{name}:{value.dtype}{value.shape}".encode() + value.tobytes()
        elif _is_constant(value):
            yield f"{name}={value!r};".encode()


def _is_constant(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, bool | int | float | str | np.generic)
