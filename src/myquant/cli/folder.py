"""The folder of a run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from myquant.errors import ConfigError


@contextmanager
def run_folder(out: Path | None, directory: str, paths: Sequence[Path]) -> Iterator[Path]:
    """Make the folder of a run before it begins: `out`, else a new `<directory>/<time>-<name of the ticks>`.

    It is taken away again when the run fails before anything was written. Raises ConfigError where none can be made.
    """
    wanted = out or Path(directory) / f"{_local_time()}-{run_name(paths)}"
    folder, is_new = _existing_or_new(wanted) if out else (_new(wanted), True)
    try:
        yield folder
    except BaseException:
        if is_new:
            with suppress(OSError):  # it may hold files by now
                folder.rmdir()
        raise


def run_name(paths: Sequence[Path]) -> str:
    """Return the name of the first file without its suffixes, and how many others there are: `nifty+2`."""
    name = paths[0].name
    for suffix in (".gz", ".zst"):
        name = name.removesuffix(suffix)
    others = f"+{len(paths) - 1}" if len(paths) > 1 else ""
    return f"{Path(name).stem}{others}"


def _local_time() -> str:
    """Return the wall clock's time; only the folder's name tells it."""
    return f"{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}"


def _existing_or_new(folder: Path) -> tuple[Path, bool]:
    is_new = not folder.exists()
    _make(folder, exist_ok=True)
    return folder, is_new


def _new(wanted: Path) -> Path:
    """Make the folder, or one with a number behind its name where another run has taken it."""
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        with suppress(FileExistsError):
            _make(folder, exist_ok=False)
            return folder
    raise AssertionError  # count() does not end


def _make(folder: Path, *, exist_ok: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and folder.is_dir():
            raise
        raise ConfigError(
            f"{folder}: cannot be the folder of a run ({error.strerror}); choose another with --out"
        ) from error
