"""The page and the JSON of an execution report, and the command that writes them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from execution.conftest import DAY, Played
from myquant.cli.app import main
from myquant.execution.files import write_report
from myquant.execution.page import BARS_MAX, _bar_of, histogram, rupees, span, worse
from myquant.execution.report import execution_of


def test_the_page_has_every_order_and_needs_no_network(played: Played, tmp_path: Path) -> None:
    report = execution_of(played.folder)
    written = write_report(report, tmp_path / "out")
    page = written.page.read_text(encoding="utf-8")
    table = page[page.index('<section id="orders">') : page.index("</main>")]
    assert table.count("<tr>") == 1 + len(report.orders)
    assert "default-src 'none'" in page
    assert f"<title>Execution · monday · {DAY}</title>" in page
    assert worse(report.totals.slippage["decision"].paise) in page
    assert json.loads(written.table.read_text(encoding="utf-8")) == report.as_dict()


def test_the_histogram_has_every_order_that_was_filled(played: Played) -> None:
    report = execution_of(played.folder)
    traces = histogram(report.orders)["data"]
    assert sum(sum(trace["y"]) for trace in traces) == report.totals.slippage["decision"].n > 0
    assert all(len(trace["x"]) == len(trace["y"]) <= BARS_MAX + 2 for trace in traces)
    assert {trace["name"].lower(): sum(trace["y"]) for trace in traces} == {
        role: totals.slippage["decision"].n for role, totals in report.by_role.items()
    }
    assert histogram([])["data"] == []


@pytest.mark.parametrize(("points", "bar"), [(0.0, 0.0), (0.05, 0.05), (-0.1, -0.1), (0.12, 0.1)])
def test_a_bar_stands_at_what_it_counts(points: float, bar: float) -> None:
    assert _bar_of(points, 0.05) * 0.05 == pytest.approx(bar)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (430_000, "430 us"),
        (12_500_000, "12.5 ms"),
        (3_200_000_000, "3.20 s"),
        (250 * 10**9, "4 min 10 s"),
    ],
)
def test_lengths_of_time_have_a_unit_that_fits(value: int | None, text: str) -> None:
    assert span(value) == text


def test_what_is_not_known_is_a_dash() -> None:
    assert (rupees(None), worse(None), worse(0), worse(150), worse(-150)) == ("–", "–", "0.00", "+1.50", "−1.50")


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["execution", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_prints_the_headline_and_writes_the_files(
    played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(str(played.folder), "--out", str(tmp_path), capsys=capsys)
    assert code == 0
    assert out.startswith(f"monday: orders of {DAY} (fills are simulated)")
    assert "Slippage against" in out
    assert {path.name for path in tmp_path.iterdir()} == {f"{DAY}.html", f"{DAY}.json"}
    folder = tmp_path / "copy"
    shutil.copytree(played.folder, folder)
    assert run(str(folder), capsys=capsys)[0] == 0
    assert {path.name for path in (folder / "execution").iterdir()} == {f"{DAY}.html", f"{DAY}.json"}


def test_json_is_all_that_it_prints_and_no_file_is_written(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(str(played.folder), "--json", "--day", DAY, capsys=capsys)
    table: dict[str, Any] = json.loads(out)
    assert (code, table["day"], table["totals"]["orders"]) == (0, DAY, len(table["orders"]))
    assert not (played.folder / "execution").exists()


@pytest.mark.parametrize(
    ("words", "said"), [(("--day", "2025-10-02"), "has no day 2025-10-02"), (("--day", "x"), "not a date such as")]
)
def test_a_day_that_is_not_there_is_refused(
    played: Played, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = run(str(played.folder), *words, capsys=capsys)
    assert code == 2
    assert said in error


def test_a_folder_that_is_no_session_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(str(tmp_path), capsys=capsys)
    assert (code, "no session is there" in error) == (2, True)
