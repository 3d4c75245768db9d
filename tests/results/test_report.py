"""The page as text: what it says, what it may not do, and what it leaves out."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from myquant.errors import MyquantError
from myquant.results import report
from myquant.results.record import RejectedExample, RunRecord
from myquant.results.report import MAX_ROWS, plotly_source, render_report, script_json
from myquant.results.summary import summary
from results.sample import FREE, TWO_POSITIONS, make_record, rich_record


def page_of(record: RunRecord) -> str:
    """Return the report without the chart library."""
    return render_report(record, summary(record)).replace(plotly_source(), "")


def text_of(record: RunRecord) -> str:
    """Return what a reader sees, in one line of single blanks."""
    body = page_of(record).split("<body>")[1]
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)).split())


def test_it_shows_headlines_days_trades_and_hashes() -> None:
    record = make_record(TWO_POSITIONS)
    text = text_of(record)
    for expected in (
        "Net P&amp;L −₹675.00 −0.68 % of ₹1,00,000.00",
        "Win rate 66.67 % 50.00 % of positions",
        "Max drawdown ₹1,425.00 1.41 % of the peak",
        "Break-even slippage −1.50 pt",
        "2025-10-03 2 3 −675.00 0.00 −675.00 1,425.00 99,325.00",
        "3 2 NIFTY07OCT2524900CE 10:00:00 11:05:09 300.00 285.00 75 −1,125.00 0.00 −1,125.00 Stop loss",
        f"Configuration {record.config_hash}",
        "myquant 0.1.0, python 3.11.2",
    ):
        assert expected in text


def test_it_shows_what_was_refused_halted_or_left_open() -> None:
    text = text_of(rich_record())
    for expected in (
        "Still open: position 4, 75 NIFTY07OCT2524900PE from 210.00, last 215.00:",
        "Halted at 15:22:00 on 2025-10-06: operator.",
        "1,000 used, 8 rejected, 3 off the tick grid, 1 exit without a usable quote.",
        "Time backwards 7 a &lt;b&gt;.csv:17, a &lt;b&gt;.csv:29",
        "Green 400",
        "Size 4",
        "Note: NFO &lt;was&gt; closed.",
        "A day's drawdown is that of the rows of equity.csv",
        "Contract notes would bill ₹400.41 (−0.23)",
        "Paid for what is still open +18.90",
    ):
        assert expected in text


def test_the_way_from_gross_to_net_adds_up() -> None:
    text = text_of(rich_record()).split("From gross to net")[1].split("Contract notes")[0]
    gross, *parts, net = (
        float(number.replace("−", "-").replace(",", "")) for number in re.findall(r"[+−]?[\d,]+\.\d\d", text)
    )
    assert round(gross + sum(parts), 2) == net


def test_without_trades_it_still_is_a_page() -> None:
    text = text_of(make_record())
    assert "No trades." in text
    assert "Win rate –" in text


def test_nothing_that_a_file_or_a_name_says_becomes_markup() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    record = replace(
        rich_record(FREE),
        symbols=(evil, "B"),
        strategy=evil,
        config_toml=evil,
        rejected_examples={"time_backwards": (RejectedExample(evil, 1),)},
    )
    page = page_of(record)
    assert "<img" not in page
    assert page.count("</script>") == 3


def test_json_can_not_close_its_element() -> None:
    assert "<" not in script_json({"a": "</script><!--"})
    assert json.loads(script_json({"a": "</script>"})) == {"a": "</script>"}


def test_the_page_names_nothing_outside_itself() -> None:
    page = page_of(rich_record())
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["'](?!#)|url\(|@import|https?:""", page)
    assert "default-src 'none'" in page


def test_a_long_table_says_where_the_rest_is() -> None:
    record = make_record(TWO_POSITIONS)
    trades = np.resize(record.trades, MAX_ROWS + 1_234)
    page = page_of(replace(record, trades=trades))
    assert "The first 2,000 are shown; 1,234 more are in trades.csv." in page
    assert page.count("<td>Stop loss</td></tr>") + page.count("<td>Trailing stop</td></tr>") > 1_300
    assert page.split('id="trades"')[1].split("</table>")[0].count("<tr>") == MAX_ROWS + 1  # and the headings
    assert "Of the busiest instrument 1,734 trades with the smallest net P&L are not drawn." in page


def test_many_halts_do_not_bury_the_charts() -> None:
    record = rich_record()
    page = page_of(replace(record, halts=np.repeat(record.halts, 30)))
    assert page.count("<b>Halted</b>") == 4
    assert "26 more halts are in summary.json." in page


def test_the_same_record_gives_the_same_page() -> None:
    record = rich_record()
    assert render_report(record, summary(record)) == render_report(record, summary(record))


def test_a_missing_chart_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    plotly_source.cache_clear()
    monkeypatch.setattr(report, "find_spec", lambda _: None)
    with pytest.raises(MyquantError, match=r"install it, or set results\.report = false"):
        plotly_source()


def test_heavy_libraries_wait_until_they_are_needed() -> None:
    script = (
        "import sys, myquant.results, myquant.results.summary\n"
        "assert not {'polars', 'jinja2', 'xlsxwriter', 'plotly'} & set(sys.modules), 'summary'\n"
        "import myquant.results.write\n"
        "assert not {'jinja2', 'xlsxwriter', 'plotly'} & set(sys.modules), 'write'\n"
        "import myquant.results.report\n"
        "myquant.results.report.plotly_source()\n"
        "assert not {'xlsxwriter', 'plotly'} & set(sys.modules), 'report'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent)
