"""What pages say of runs: rows, pictures as plain data, files as answers, and when the machine may be used for verdicts."""

import asyncio
import json
from pathlib import Path

import pytest

from dashboard.made_runs import book_of, content_of, put_baseline, put_run, put_session, put_trades
from monitor.made_views import view
from myquant.config.loading import load_config
from myquant.dashboard import runs_watch
from myquant.dashboard.charts import DARK, LIGHT, Palette
from myquant.dashboard.components import Cell
from myquant.dashboard.pages_compare import compare_listed
from myquant.dashboard.pages_evidence import verdict_row
from myquant.dashboard.pages_run import journaled_figures
from myquant.dashboard.pages_runs import days, file_answer
from myquant.dashboard.runs_charts import equity_chart, share_chart
from myquant.dashboard.runs_compare import compare_runs, figure_text
from myquant.dashboard.runs_evidence import read_evidence
from myquant.dashboard.runs_show import divergence_rows, gate_light, so_far, state_light, verdict_light
from myquant.dashboard.runs_watch import RunsWatch, around_of
from myquant.dashboard.verdict_worker import DIFFERS, IDENTICAL, NOT_COMPARABLE, PARTLY
from myquant.dashboard.verdicts import Around, SessionVerdict
from myquant.evidence.verdicts import Verdict
from myquant.monitor.finding import FAILED, OK
from myquant.monitor.view import ProcessView, SessionView
from myquant.results.index import RunEntry
from myquant.results.text import NOTHING, signed

SESSION = RunEntry("s", "/r/s", "done", kind="paper")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a report, one without, and a baseline."""
    directory = tmp_path_factory.mktemp("runs")
    put_run(directory / "rich")
    put_trades(directory / "two")
    put_baseline(directory / "base", absent=("queue_ops",))
    return directory


@pytest.mark.parametrize(
    ("state", "style"),
    [(IDENTICAL, OK), (DIFFERS, FAILED), (NOT_COMPARABLE, "unknown"), (PARTLY, "degraded"), ("not known", "unknown")],
)
def test_only_an_identical_replay_looks_well(state: str, style: str) -> None:
    cell = verdict_light(SESSION, SessionVerdict(state))
    assert (cell.style, cell.text.split(" ", 1)[1]) == (style, state)


def test_what_is_no_session_has_no_verdict() -> None:
    assert verdict_light(RunEntry("r", "/r", "done", kind="backtest"), SessionVerdict()) == Cell(NOTHING)
    assert {state_light(RunEntry("r", "/r", state)).style for state in ("done", "damaged")} == {OK, FAILED}
    assert {gate_light(each).style for each in (Verdict.UNKNOWN, Verdict.UNDECIDED)} == {"unknown"}


def test_the_parts_of_a_divergence_are_in_rupees() -> None:
    parts = {"lines": [{"cause": "timers", "paise": 12_350}, {"cause": "costs", "paise": -2_350}], "gap": 10_000}
    assert divergence_rows(parts) == [
        ("timers", "+123.50"),
        ("costs", "\N{MINUS SIGN}23.50"),
        ("gap, the sum", "+100.00"),
    ]


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(None, "Rs", NOTHING), (3.0, "", "3"), (3.0, "Rs", "3.00"), (0.4, "", "0.40")]
)
def test_a_count_has_no_decimals(value: float | None, unit: str, text: str) -> None:
    assert figure_text(value, unit) == text
    assert figure_text(value, unit, is_signed=True) == (text if value is None else f"+{text}")
    assert days(("2025-10-03", "2025-10-04", "2025-10-06")) == "2025-10-03 to 2025-10-06"


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_pictures_are_plain_data_and_differ_without_colour(folder: Path, colours: Palette) -> None:
    curves = compare_runs(content_of(folder / "rich"), content_of(folder / "two")).curves
    assert curves is not None
    chart = equity_chart(curves, colours)
    json.dumps(chart, allow_nan=False)
    dashes = {line["name"]: line["lineStyle"]["type"] for line in chart["series"]}
    assert dashes == {
        "A: P&L": "solid",
        "A: drawdown": "solid",
        "B: P&L": "dashed",
        "B: drawdown": "dashed",
    }
    first_ms = chart["series"][0]["data"][0][0]
    assert first_ms % 86_400_000 == (9 * 60 + 15) * 60_000  # the clock of the run's zone
    shares = share_chart(read_evidence(folder / "base").verdicts, colours)
    json.dumps(shares, allow_nan=False)
    shapes = {each["name"]: each["symbol"] for each in shares["series"]}
    assert shapes == {"95 % interval": "rect", "share": "circle", "limit": "diamond"}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 has it."""

    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_colours_can_be_read(colours: Palette) -> None:
    for name in ("ink", "quiet", "price", "good", "bad", "warn", "other"):
        assert contrast(getattr(colours, name), colours.ground) >= 4.5


def test_a_verdict_that_is_not_known_has_no_figures(folder: Path) -> None:
    rows = {line.component: verdict_row(line)[1] for line in read_evidence(folder / "base").verdicts}
    assert rows["queue_ops"][1:4] == (Cell("○ UNKNOWN", style="unknown"), NOTHING, NOTHING)
    assert NOTHING not in rows["logging"][2:4]


def test_a_report_comes_without_rights_and_a_workbook_as_a_file(folder: Path) -> None:
    row = book_of(folder).find("rich")
    assert row is not None
    answer = file_answer(row, "report.html")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
    (folder / "rich" / "workbook.xlsx").write_bytes(b"PK")
    assert "attachment" in file_answer(row, "workbook.xlsx").headers["content-disposition"]
    for found, name in ((row, "config.toml"), (row, "../two/summary.json"), (None, "report.html")):
        assert file_answer(found, name).status_code == 404


def test_two_of_the_list_are_compared(folder: Path) -> None:
    book = book_of(folder)
    a, b = book.find("rich"), book.find("two")
    assert a is not None
    assert b is not None
    assert (compare_listed(a, b).is_same, compare_listed(a, a).is_same) == (False, True)


GONE = ProcessView(1, 0, is_alive=False)


@pytest.mark.parametrize(
    ("views", "around"),
    [
        ([], Around()),
        ([view(process=GONE, stopped_code=0)], Around()),
        ([view(is_market_open=False)], Around(is_any_running=True)),
        ([view(), view("other", is_market_open=False)], Around(is_any_running=True, is_market_open=True)),
    ],
)
def test_what_counts_of_other_sessions(views: list[SessionView], around: Around) -> None:
    assert around_of({each.name: each for each in views}) == around


class NoLog:
    """Is told nothing."""

    def info(self, event: str, **fields: object) -> None:
        raise AssertionError(event, fields)

    warning = error = info


def test_the_watch_reads_the_list_and_leaves_when_it_is_told(folder: Path, tmp_path: Path) -> None:
    loaded = load_config(assignments=["dashboard.verdicts=false"])

    async def run_once() -> RunsWatch:
        end = asyncio.Event()

        def views() -> dict[str, SessionView]:
            end.set()
            return {}

        watch = RunsWatch(loaded, [folder], tmp_path, views, NoLog())
        await watch.run(end)
        return watch

    watch = asyncio.run(asyncio.wait_for(run_once(), 30))
    assert {row.key for row in watch.book.rows} == {"rich", "two", "base"}
    assert watch.verdicts.working == ""


class Lines(NoLog):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def warning(self, event: str, **fields: object) -> None:
        self.events.append(f"{event}: {fields['error']}")

    def error(self, event: str, **fields: object) -> None:
        self.events.append(f"{event}: {fields['where']}: {fields['exc_info']}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no space left"), "the list of runs can't be read: no space left"),
        (KeyError("x"), "a defect in the dashboard: the list of runs can't be read: 'x'"),
    ],
)
def test_a_refresh_that_fails_is_told_once_and_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    for name in ("LOOK_S", "REFRESH_S", "IDLE_S"):
        monkeypatch.setattr(runs_watch, name, 0.001)
    log, end, tries = Lines(), asyncio.Event(), list[int]()
    watch = RunsWatch(load_config(assignments=["dashboard.verdicts=false"]), [folder], tmp_path, dict, log)
    refresh = watch.book.refresh

    def failing() -> None:
        tries.append(len(tries))
        if len(tries) < 4:
            raise error
        refresh()
        end.set()

    monkeypatch.setattr(watch.book, "refresh", failing)
    asyncio.run(asyncio.wait_for(watch.run(end), 30))
    assert log.events == [said]
    assert len(watch.book.rows) == 3


def test_a_session_without_results_has_the_figures_of_its_journal_so_far() -> None:
    seen = view("s")
    seen.trades, seen.net_pnl = 3, -12_345
    seen.instruments[0].ticks = 77
    found = so_far(SESSION, seen)
    assert (found.trades, found.net_pnl, found.ticks, found.max_drawdown) == (3, -123.45, 77, None)
    assert so_far(SESSION, None) == SESSION
    done = RunEntry("s", "/r/s", "done", kind="paper", trades=5, net_pnl=1.0)
    assert so_far(done, seen) == done


def test_a_session_without_results_has_figures_by_its_journal(tmp_path: Path) -> None:
    put_session(tmp_path / "monday")
    (row,) = book_of(tmp_path).rows
    content = content_of(tmp_path / "monday")
    assert row.entry.trades is None
    assert content.figures is not None
    assert content.trades
    found = journaled_figures(row)
    assert found["trades"] == f"{len(content.trades)}, by its journal"
    assert found["net_pnl"] == f"{signed(content.figures['net_pnl'])}, of closed trades, by its journal"


def test_what_has_no_journal_has_no_figures_by_it(tmp_path: Path) -> None:
    put_run(tmp_path / "rich")
    (row,) = book_of(tmp_path).rows
    (tmp_path / "rich" / "summary.json").unlink()
    assert journaled_figures(row) == {}
