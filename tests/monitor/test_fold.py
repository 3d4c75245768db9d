"""The fold of a journal is what the engine itself knows, wherever the journal is cut into blocks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from journal.journal_samples import QUICK
from monitor.watched import view_of
from myquant.core import codes, orders
from myquant.core.records import Event
from myquant.journal.reader import JournalReader
from myquant.journal.segment import Rows
from myquant.monitor.fold import Fold
from myquant.monitor.news import NewsDesk
from myquant.monitor.view import SessionView
from session.sessions import LIMIT, RICH
from session.supervised import Supervised, market_inputs, supervised


def pieces(folder: Path, rng: np.random.Generator) -> Iterator[Rows]:
    """Yield a journal in blocks of any size."""
    for block in JournalReader(folder).blocks():
        cuts = sorted({0, len(block), *rng.integers(0, len(block), 5).tolist()})
        for first, last in pairwise(cuts):
            yield block[first:last]


def folded(folder: Path, values: Mapping[str, Any], blocks: Iterator[Rows] | None = None) -> SessionView:
    view = view_of(folder, values)
    fold = Fold(view, NewsDesk(view))
    for block in blocks or JournalReader(folder).blocks():
        fold.take(block)
    return view


def expect_as_the_engine(view: SessionView, run: Supervised) -> None:
    engine = run.session.engine
    core, account = engine.instruments["core"][0], engine.desk[0]["account"]
    position, counts = core["position"], engine.instruments["counts"][0]
    assert view.instruments[0].quantity == position["quantity"]
    assert view.inputs == engine.inputs
    assert sum(view.commands.values()) == account["commands"]
    assert view.instruments[0].ticks == counts[codes.COUNT_TICKS] + sum(view.ticks_rejected.values())
    assert view.denied == Counter(
        {name: int(counts[codes.COUNT_DENIED + code]) for code, name in codes.DENIAL_NAMES.items()}
    )
    for order in (core["order"], core["stop_order"]):
        if order["id"]:
            found = view.orders[int(order["id"])]
            assert (found.state, found.filled) == (orders.STATE_NAMES[int(order["state"])], order["filled"])
            assert (found.trigger, found.quantity) == (order["trigger"], order["quantity"])
    assert view.halt == codes.HALT_NAMES.get(int(account["halt"]), "")
    if position["quantity"]:
        assert view.instruments[0].entry_price == pytest.approx(int(position["entry_price"]), abs=1)
        assert (view.instruments[0].bare_since_ns is not None) == bool(
            position["exposed_ns"] and not position["covered_ns"]
        )
    else:
        assert view.instruments[0].bare_since_ns is None


@pytest.mark.parametrize("seed", range(3))
def test_what_is_folded_is_what_the_engine_knows(tmp_path: Path, seed: int) -> None:
    run = supervised(tmp_path / "s", LIMIT, market_inputs(seed, 2000), QUICK)
    bare = held = 0
    for _ in range(40):
        run.take(50)
        view = folded(run.session.folder, LIMIT)
        expect_as_the_engine(view, run)
        held += bool(view.instruments[0].quantity)
        bare += view.instruments[0].bare_since_ns is not None
    assert held > 3
    assert view.trades == view.commands["trade_closed"] > 0
    assert view.order_ends["sent"] == view.commands["submit"]
    run.session.journal.close()


def test_where_a_journal_is_cut_into_blocks_makes_no_difference(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", LIMIT, market_inputs(5, 1500), QUICK)
    run.take(1500)
    run.supervisor.stopped(0)
    whole = folded(run.session.folder, LIMIT)
    for seed in range(5):
        cut = folded(run.session.folder, LIMIT, pieces(run.session.folder, np.random.default_rng(seed)))
        whole.spent, cut.spent = [], []
        assert cut == whole
    assert whole.stopped_code == 0
    kinds = [each.kind for each in whole.news]
    assert (kinds[0], kinds[-1]) == ("day_start", "day_end")
    run.session.journal.close()


def test_orders_that_are_filled_at_once_want_no_stop_order(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", RICH, market_inputs(1, 1000), QUICK)
    run.take_until_open()
    view = folded(run.session.folder, RICH)
    assert view.holds
    assert view.instruments[0].bare_since_ns is None
    assert view.round_trip is None or view.round_trip.n > 0
    run.session.journal.close()


def test_what_others_sell_and_what_a_person_asks_is_folded(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", LIMIT, market_inputs(1, 3000), QUICK)
    run.take_until_open()
    run.take(60)
    held = int(run.session.engine.instruments["core"][0]["position"]["quantity"])
    now_ns = run.tape.now_ns
    run.supervisor.take(Event(codes.FOREIGN_TRADE, 0, 0, now_ns, now_ns, 0, 0, 0, 0, 0, held // 3, 100, 0))
    view = folded(run.session.folder, LIMIT)
    assert view.instruments[0].quantity == held - held // 3
    assert view.halt == codes.HALT_NAMES[codes.BY_FOREIGN_TRADE]
    assert view.halt_since_ns == now_ns
    run.session.journal.close()
