"""The folder of a run: written beside its place under another name, then put there whole."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from myquant.errors import ConfigError, cannot_write
from myquant.results.record import RunRecord
from myquant.results.summary import summary, summary_json

FILES: Final = ("trades.csv", "equity.csv", "summary.json", "config.toml", "report.html", "workbook.xlsx")
STRATEGY: Final = "strategy"  # the folder of a user's file
ELSEWHERE: Final = "choose another folder with --out"
RUN_MARK: Final = "summary.json"  # a folder of a run has it


def write_results(record: RunRecord, folder: Path, *, report: bool, excel: bool) -> list[Path]:
    """Write the results of a run into a folder and return the paths of its files.

    A folder of an earlier run is replaced; anything else under this name stays as it is. Whatever happens on the way, the
    folder holds either all of this run or what it held before. Raises ConfigError where the folder is not one of ours
    or can't be written.
    """
    place = folder.resolve()
    _refuse_foreign(place, folder)
    draft, former = (place.with_name(f".{place.name}.{os.getpid()}.{kind}") for kind in ("draft", "former"))
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        names = _write_files(record, draft, report=report, excel=excel)
        _put(draft, place, former)
    except OSError as error:
        raise cannot_write(folder, error, ELSEWHERE) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return [folder / name for name in names]


def refuse_unusable(folder: Path) -> None:
    """Raise ConfigError for a folder that `write_results` would refuse or could not write: before the run, not after it."""
    try:
        place = folder.resolve()
        _refuse_foreign(place, folder)
        parent = next(each for each in place.parents if each.exists())
        with TemporaryDirectory(prefix=f".{place.name}.", dir=parent):
            pass
    except OSError as error:
        raise cannot_write(folder, error, ELSEWHERE) from error


def _refuse_foreign(place: Path, folder: Path) -> None:
    if not place.exists():
        return
    if not place.is_dir():
        raise ConfigError(f"{folder}: is a file: choose another folder with --out")
    found = sorted(entry.name for entry in place.iterdir())
    strange = [name for name in found if name not in {*FILES, STRATEGY}]
    if found and (strange or RUN_MARK not in found):
        raise ConfigError(
            f"{folder}: holds {', '.join((strange or found)[:3])} and is not the folder of a run: choose another with --out"
        )


def _write_files(record: RunRecord, draft: Path, *, report: bool, excel: bool) -> list[str]:
    """Write the files and return their names."""
    from myquant.results.trades import csv_text, equity_frame, trades_frame  # noqa: PLC0415  (polars, once there are any)

    figures = summary(record)
    texts = {
        "trades.csv": csv_text(trades_frame(record)),
        "equity.csv": csv_text(equity_frame(record)),
        "summary.json": summary_json(figures),
        "config.toml": record.config_toml,
    }
    if report:
        from myquant.results.report import render_report  # noqa: PLC0415  (jinja2 for those who want the page)

        texts["report.html"] = render_report(record, figures)
    if record.strategy_file is not None:
        name, text = record.strategy_file
        (draft / STRATEGY).mkdir()
        texts[f"{STRATEGY}/{name}"] = text
    for name, text in texts.items():
        (draft / name).write_text(text, encoding="utf-8", newline="\n")
    if not excel:
        return list(texts)
    from myquant.results.excel import write_workbook  # noqa: PLC0415  (xlsxwriter for those who want the workbook)

    write_workbook(record, figures, draft / "workbook.xlsx")
    return [*texts, "workbook.xlsx"]


def _put(draft: Path, place: Path, former: Path) -> None:
    """Give the draft its name; what had it before comes back if that fails, and goes if not."""
    if not place.exists():
        draft.rename(place)
        return
    place.rename(former)
    try:
        draft.rename(place)
    except OSError:
        former.rename(place)
        raise
    shutil.rmtree(former, ignore_errors=True)
