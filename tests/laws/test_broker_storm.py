"""Laws of orders at a broker, in virtual time, against the lab's own book (see `broker_laws`).

Whatever befalls requests, answers, updates and the account: no order is lost and none doubled, none has an end that the
venue gave no evidence of, never is more on sale than is held, no part of a position is without a stop order for longer than
is stated, and once faults stop the position and the cash are what the book says. The last tests plant a defect each, and
show that the laws find it.
"""

import os
from pathlib import Path

import pytest

from laws.broker_runs import Storm, Told, run
from myquant.brokers.angelone.order_sending import Request
from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.brokers.port import Books
from myquant.brokers.slices import Kind, Ledger

LONG = bool(os.environ.get("MYQUANT_LONG"))
ORDERS = 125  # of a run; more in one make its books long, and its looks slow
RUNS = 800 if LONG else 16
BATCHES = 8
EACH_ORDERS = 50

# Each fault alone, at a share at which nearly nothing works any more.
EACH = {
    "order_timeout": "order_timeout=0.4",
    "order_late": "order_late=0.4",
    "order_lost": "order_lost=0.4",
    "ack_lost": "ack_lost=0.5",
    "order_429": "order_429=0.3",
    "order_5xx": "order_5xx=0.4",
    "order_garbage": "order_garbage=0.6",
    "reject_late": "reject_late=0.4",
    "fill_then_silence": "fill_then_silence=0.7",
    "update_duplicate": "update_duplicate=0.8",
    "update_reorder": "update_reorder=0.6",
    "update_delay": "update_delay=0.6",
    "book_5xx": "book_5xx=0.5",
    "square_off": "square_off=30",
    "manual_trade": "manual_trade=after:20,lots:-2",
}


def mixture(seed: int) -> Storm:
    """Return a storm of everything: 1, 3 or 10 % of requests befallen by each fault, updates by a twentieth each."""
    often = (0.01, 0.03, 0.1)[seed % 3]
    seldom = often / 2
    faults = [
        *(f"{name}={often}" for name in ("ack_lost", "order_late")),
        *(f"{name}={seldom}" for name in ("order_429", "order_5xx", "order_garbage", "order_lost", "order_timeout")),
        *(f"{name}=0.05" for name in ("update_duplicate", "update_reorder", "update_delay", "book_5xx")),
        f"reject_late={seldom}",
        "fill_then_silence=0.03",
    ]
    if seed % 4 == 1:
        faults.append(f"manual_trade=after:{20 + seed % 60},lots:{(-1, -3, 2, -50)[seed // 4 % 4]}")
    if seed % 5 == 2:
        faults.append(f"square_off={20 + seed % 50}")
    deaf_s = (0.0, 4.0, 12.0)[seed // 3 % 3]
    return Storm(tuple(faults), dedupe=seed % 2 == 0, seed=seed, orders=ORDERS, deaf_s=deaf_s)


def weather(folder: Path, storm: Storm) -> Told:
    told = run(folder, storm)
    assert told.orders >= storm.orders, (storm, told.orders, "it came to a halt")
    assert told.counts["orders_deduped"] == 0, (storm, "a tag was sent twice")
    return told


@pytest.mark.parametrize("dedupe", [False, True])
@pytest.mark.parametrize("fault", EACH)
def test_each_fault_alone(tmp_path: Path, fault: str, dedupe: bool) -> None:
    seed = 100 * list(EACH).index(fault) + dedupe
    told = weather(tmp_path / "s", Storm((EACH[fault],), dedupe=dedupe, seed=seed, orders=EACH_ORDERS))
    assert told.counts[fault] > 0


@pytest.mark.parametrize("batch", range(BATCHES))
def test_all_faults_together(tmp_path: Path, batch: int) -> None:
    orders = sum(weather(tmp_path / f"{seed}", mixture(seed)).orders for seed in range(batch, RUNS, BATCHES))
    assert orders >= RUNS // BATCHES * ORDERS


def test_without_faults_nothing_is_ever_unknown(tmp_path: Path) -> None:
    told = weather(tmp_path / "s", Storm(orders=ORDERS, seed=7))
    assert not told.halts
    assert told.held > 0
    assert max(each.seconds for each in told.watch.stretches()) < 4.0  # of an entry that fills in parts


def test_an_order_sent_again_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def send_again(self: AngelOneOrders, request: Request, why: str) -> None:
        if request.kind is Kind.PLACE:
            self._sender.send(request)
        else:
            self._doubt(why)

    monkeypatch.setattr(AngelOneOrders, "_on_lost", send_again)
    with pytest.raises(AssertionError):
        weather(tmp_path / "s", Storm((EACH["ack_lost"],), orders=EACH_ORDERS))


def test_an_order_given_up_too_soon_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle = AngelOneOrders.settle

    def settle_soon(self: AngelOneOrders, books: Books, _: int) -> None:
        settle(self, books, 10**9)

    monkeypatch.setattr(AngelOneOrders, "settle", settle_soon)
    with pytest.raises(AssertionError):
        weather(tmp_path / "s", Storm((EACH["order_late"],), orders=EACH_ORDERS, seed=100))


def test_a_stop_order_of_too_few_slices_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storm = Storm(("reject_late=0.1",), orders=ORDERS, seed=107)
    weather(tmp_path / "whole", storm)
    monkeypatch.setattr(Ledger, "halved", lambda _: [])
    with pytest.raises(AssertionError, match="Bare"):
        weather(tmp_path / "s", storm)
