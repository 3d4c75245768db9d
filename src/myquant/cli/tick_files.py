"""Writing files of ticks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from myquant.cli.output import counts
from myquant.cli.progress import progress_bar
from myquant.config.schema import Config
from myquant.errors import ConfigError
from myquant.results.text import counted
from myquant.ticks.batch import TickBatch
from myquant.ticks.source import open_ticks
from myquant.ticks.write import write_ticks


def refuse_existing(target: Path, *, force: bool) -> None:
    """Raise ConfigError for a file that is there already: the last of IN... is easily taken for OUT."""
    if target.exists() and not force:
        raise ConfigError(f"{target}: is there already; name a new file, or write over it with --force")


def _refuse_input(sources: Sequence[Path], target: Path) -> None:
    """Raise ConfigError for a target that is one of the files to read, under whatever name."""
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise ConfigError(f"{target}: is read and can't be written over ({source} is an input); name a new file")


def convert_files(sources: Sequence[Path], target: Path, config: Config, *, force: bool) -> None:
    """Write the valid ticks of files into one, and print how many they are."""
    _refuse_input(sources, target)
    refuse_existing(target, force=force)
    zone = config.session.timezone
    source = open_ticks(sources, time_zone=zone, symbol=config.instrument.symbol)
    named = (
        source.instruments[0].symbol != config.instrument.symbol
    )  # the file's name says which: the new one's need not
    names = source.instruments if source.has_symbols or len(source.instruments) > 1 or named else ()
    with progress_bar(target.name, source.total_bytes) as tell:

        def batches() -> Iterator[TickBatch]:
            for batch in source.batches():
                yield batch
                tell(source.consumed_bytes)

        written = write_ticks(target, batches(), time_zone=zone, instruments=names)
    print(f"{target}: {counted(written.rows, 'tick')}; left out: {counts(written.rejected) or 'none'}")
