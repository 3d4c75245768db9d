"""Which settings decide what is traded."""

from decimal import Decimal

import pytest
from pydantic import BaseModel

from myquant.config.loading import load_config
from myquant.config.schema import SECTIONS
from myquant.config.trading import TRADING, differences, trading_hash, trading_values
from myquant.config.watching import WATCHING


class Mine(BaseModel):
    lookback: int = 20


@pytest.mark.parametrize(
    "assignment",
    [
        "angelone.rest_url=http://127.0.0.1:9999",
        "results.directory=elsewhere",
        "journal.segment_mib=8",
        "pipeline.logging=async",
        "broker.reconcile_s=5",
        "evidence.pairs=20",
        "data_quality.strict=true",
        "instrument.symbol=BANKNIFTY",
    ],
)
def test_what_does_not_decide_does_not_count(assignment: str) -> None:
    changed = load_config(assignments=[assignment])
    assert changed.hash != load_config().hash
    assert trading_hash(changed) == trading_hash(load_config())


@pytest.mark.parametrize(
    "assignment",
    [
        "strategy.fast_ema=9",
        "risk.base_sl_points=20",
        "execution.reprice_s=2",
        "feed.mode=quote",
        "capital.initial_capital=200000",
        "session.end_buffer_minutes=30",
        "instrument.lot_size=75",
        "charges.broker=angelone",
    ],
)
def test_what_decides_counts(assignment: str) -> None:
    assert trading_hash(load_config(assignments=[assignment])) != trading_hash(load_config())


def test_notation_does_not_count() -> None:
    one, other = (load_config(assignments=[f"risk.base_sl_points={text}"]) for text in ("20", "20.00"))
    assert trading_hash(one) == trading_hash(other)


def test_a_strategys_own_section_counts() -> None:
    usual, changed = (
        load_config(sections={"mine": Mine}, assignments=assignments) for assignments in ((), ("mine.lookback=30",))
    )
    assert trading_values(usual)["mine.lookback"] == 20
    assert trading_hash(usual) != trading_hash(changed)


def test_each_section_was_thought_of() -> None:
    assert set(TRADING) < set(SECTIONS)
    left_out = {"broker", "journal", "pipeline", "evidence", "angelone", "data_quality", "results", *WATCHING}
    assert set(SECTIONS) - set(TRADING) == left_out


def test_differences_name_both_values() -> None:
    assert differences({"a.b": Decimal(15), "a.c": 1}, {"a.b": Decimal(20), "a.c": 1, "a.d": True}) == [
        "a.b = 15.0 -> 20.0",
        "a.d = (not set) -> true",
    ]
