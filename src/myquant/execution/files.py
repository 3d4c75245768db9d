"""The files of an execution report: a page to look at and JSON for programs."""

import json
from pathlib import Path
from typing import Final, NamedTuple

from myquant.evidence.files import put_text
from myquant.execution.page import render_page
from myquant.execution.report import ExecutionReport

FOLDER: Final = "execution"  # in the session's


class Written(NamedTuple):
    """The files that were written."""

    page: Path
    table: Path


def write_report(report: ExecutionReport, folder: Path) -> Written:
    """Write `<day>.html` and `<day>.json` into a folder, which is made. Raises MyquantError where that can't be."""
    return Written(
        put_text(folder / f"{report.day}.html", render_page(report)),
        put_text(folder / f"{report.day}.json", json_text(report)),
    )


def json_text(report: ExecutionReport) -> str:
    """Return a report as JSON."""
    return json.dumps(report.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
