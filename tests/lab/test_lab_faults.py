"""Faults as a command line names them."""

from dataclasses import fields

import pytest

from myquant.errors import ConfigError
from myquant.lab.angelone.faults import KINDS, ClockJump, Drop, Duplicate, Faults, Gap, Mute, Spike, parse_faults


def test_every_fault_can_be_named_and_set() -> None:
    assert {each.name for each in fields(Faults)} == {"seed", *KINDS}
    everything = parse_faults(list(KINDS), 3)
    assert all(isinstance(getattr(everything, name), kind) for name, kind in KINDS.items())
    assert parse_faults([], 3) == Faults(seed=3)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("duplicate", Duplicate()),
        ("duplicate=0.5", Duplicate(share=0.5)),
        ("duplicate=share:0.5", Duplicate(share=0.5)),
        ("drop=connection:3,after:7", Drop(connection=3, after=7)),
        ("mute=5,seconds:1.5", Mute(after=5, seconds=1.5)),
        ("gap=after:1", Gap(after=1)),
        ("clock-jump=seconds:-5,lasting:1", ClockJump(seconds=-5.0, lasting=1)),
        ("spike=percent:-10", Spike(percent=-10.0)),
    ],
)
def test_values_are_read_by_name_or_as_the_first(text: str, fault: object) -> None:
    name = text.partition("=")[0].replace("-", "_")
    assert getattr(parse_faults([text], 1), name) == fault


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nope", "known are duplicate, out_of_order"),
        ("drop=x:1", "x is none of its values, which are connection, after"),
        ("drop=after:soon", "after = 'soon' is not a whole number"),
        ("mute=seconds:long", "seconds = 'long' is not a number"),
        ("duplicate=1.5", "share = 1.5: must be from 0 to 1"),
        ("duplicate=nan", "share = nan"),
        ("gap=after:-1", "after = -1"),
        ("mute=seconds:inf", "seconds = inf"),
    ],
)
def test_what_can_not_be_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_faults([text], 1)


def test_a_fault_is_named_once() -> None:
    with pytest.raises(ConfigError, match="named twice"):
        parse_faults(["drop", "drop=after:1"], 1)
