"""What is said of a session without a process: what it held, and where its stop order was."""

import json
from pathlib import Path

from journal.journal_samples import QUICK
from myquant.core import codes
from myquant.core.records import Event
from myquant.session.left import left_text
from myquant.session.open_ends import order_text
from session.sessions import LIMIT
from session.supervised import Supervised, market_inputs, supervised


def put_facts(folder: Path, kind: str = "live") -> None:
    folder.mkdir(exist_ok=True)
    (folder / "session.json").write_text(json.dumps({"ended": None, "symbols": ["NIFTY"], "kind": kind}))
    (folder / "config.toml").write_text('[session]\ntimezone = "Asia/Kolkata"\n')


def expected(run: Supervised) -> str:
    core = run.session.engine.instruments["core"][0]
    held, stop = int(core["position"]["quantity"]), core["stop_order"]
    if not held:
        return ""
    text = order_text(stop)
    ends = f"its stop order: {text.split(',')[0]}, order {int(stop['id'])}" if text else "WITHOUT a stop order"
    return f"; it held {held} NIFTY, by its journal ({ends})"


def test_what_was_held_and_what_protected_it_is_read_from_the_journal(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", LIMIT, market_inputs(1, 3000), QUICK)
    put_facts(run.session.folder)
    seen = set()
    for _ in range(100):
        run.take(30)
        said = left_text(run.session.folder)
        head, _, held = said.partition("goes on with it")
        assert held == expected(run)
        assert " IST; it has not ended: the command that started it " in head
        seen.add((bool(held), "WITHOUT" in held))
    assert {(False, False), (True, False)} <= seen
    run.session.journal.close()


def test_what_is_held_on_paper_has_nothing_at_the_broker(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", {}, market_inputs(1, 3000), QUICK)
    put_facts(run.session.folder, "paper")
    run.take_until_open()
    assert left_text(run.session.folder).endswith("by its journal (on paper: nothing is at the broker)")
    run.session.journal.close()


def test_what_others_have_sold_is_held_no_more(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", LIMIT, market_inputs(1, 3000), QUICK)
    put_facts(run.session.folder)
    run.take_until_open()
    run.take(60)
    before = expected(run)
    held = int(run.session.engine.instruments["core"][0]["position"]["quantity"])
    sold = held // 3
    now_ns = run.tape.now_ns
    run.supervisor.take(Event(codes.FOREIGN_TRADE, 0, 0, now_ns, now_ns, 0, 0, 0, 0, 0, sold, sold * 100, 0))
    assert expected(run) != before
    assert f"; it held {held - sold} NIFTY" in left_text(run.session.folder)
    run.session.journal.close()
