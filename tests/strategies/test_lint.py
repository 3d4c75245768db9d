"""What compiled code can't hold is found on every path, with its line."""

from pathlib import Path

import pytest

from myquant.errors import ConfigError
from myquant.strategies.loading import load_strategy
from strategies.texts import HEAD, Refused, entry_of, later, sound, update_of, write


@pytest.mark.parametrize(
    ("body", "at", "words"),
    [
        (
            "try:\n    x = 1 / tick.n\nexcept ZeroDivisionError:\n    x = 0.0\nreturn x > 1",
            "try:",
            "can't use try; nothing",
        ),
        (later("raise ValueError"), "raise", "can't use raise; it must answer on every tick: return False"),
        (later("assert False"), "assert", "can't use assert"),
        (
            "with open('x') as file:\n    return True",
            "with",
            "can't use with; read what it needs when its file is imported",
        ),
        ("import math\nreturn True", "    import math", "can't use import; put it at the top of the file"),
        ("from math import pi\nreturn True", "    from math", "can't use import"),
        ("global LEVEL\nreturn True", "global", "can't use global; what is remembered is a field of State"),
        ("x = 1\ndel x\nreturn True", "del x", "can't use del"),
        ("class A:\n    pass\nreturn True", "class A", "can't use class; put it outside the function"),
        ("yield True", "yield", "can't use yield"),
        ("return sum(x for x in (1, 2)) > 1", "sum(", "can't use a generator expression; write a loop"),
        ("return (x := tick.price) > 1", ":=", "can't use :=; set the name on a line of its own"),
        ("return f'{tick.n}' == '1'", "f'", "can't use an f-string"),
        (later("return tick.price > lvel"), "lvel", "lvel is not defined"),
        (later("return math.sqr(2.0) > 1"), "sqr", "math has no sqr; did you mean sqrt?"),
        (later("return np.foo.bar > 1"), "foo", "np has no foo"),
        (
            later("state.mean = 1.0"),
            "state.mean = ",
            "state.mean can't be changed in place; make a new one: state = state",
        ),
        (
            later("return State(1.0, 2, 3, 4).mean > 1"),
            "return State(",
            "State: too many positional arguments; its fields are mean",
        ),
        (
            later("return State(maen=1.0).mean > 1"),
            "return State(",
            "got an unexpected keyword argument 'maen'; its fields are",
        ),
        (later("return np.random.random() > 0.5"), "random", "the same ticks must give the same trades"),
        (later("return params.model_dump() is None"), "model_dump", "Params has no model_dump"),
        (later("return context.last_exit != 'stop_loss'"), "stop_loss", "no number equals a text; reasons are codes"),
        (later("return context.last_exit in ('stop_loss', 'x')"), "stop_loss", "context.last_exit == codes.STOP_LOSS"),
    ],
)
def test_a_body_that_cannot_be_compiled(refused: Refused, body: str, at: str, words: str) -> None:
    assert words in refused(entry_of(body), at)


@pytest.mark.parametrize(
    ("more", "at", "words"),
    [
        ("from random import random as helper", "helper()", "helper: the same ticks must give the same trades"),
        ("class helper:\n    pass", "helper()", "helper is a class; compiled code makes named tuples only"),
        ("helper = lambda: nothing", "return helper()", "nothing is not defined"),
        (
            "def helper():\n    return deeper()\ndef deeper():\n    return missing",
            "return missing",
            "missing is not defined",
        ),
        (
            "def helper():\n    return other()\ndef other():\n    x = helper()\n    return x",
            "x = helper()",
            "helper calls itself; wri",
        ),
        (
            "BIG = np.zeros(200_000)\ndef helper():\n    return BIG[0] > 1",
            "return BIG",
            "BIG is an array of more than a meg",
        ),
    ],
)
def test_what_the_functions_call_is_checked_too(refused: Refused, more: str, at: str, words: str) -> None:
    assert words in refused(entry_of(later("return helper() > 1"), more), at)


def test_functions_that_are_not_called_may_do_anything(tmp_path: Path) -> None:
    plot = "def plot(ticks):\n    try:\n        import matplotlib\n    except ImportError:\n        raise\n"
    load_strategy(write(tmp_path, sound(more=plot)))


def test_compiled_code_from_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "lib", "from numba import njit\n@njit\ndef hull(x):\n    return x\n", "elsewhere.py")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    path = write(tmp_path / "own", entry_of("return hull(tick.price) > 1", "from elsewhere import hull"))
    with pytest.raises(
        ConfigError, match=r"hull is compiled code of elsewhere, whose changes go unseen; copy it beside"
    ):
        load_strategy(path)


def test_decorated_functions_of_the_users_own_are_welcome(tmp_path: Path) -> None:
    jitted = "from numba import njit\n@njit\ndef helper(x):\n    return x + 1.0\n"
    load_strategy(write(tmp_path, entry_of("return helper(tick.price) > state.mean", jitted)))


def test_ordinary_code_is_not_refused(tmp_path: Path) -> None:
    body = """\
total, count = 0.0, 0
for i in range(3):
    step = i * 1.5
    if i == 2:
        continue
    total += step
while count < 3:
    count += 1
match tick.n:
    case 1:
        bonus = 1.0
    case _:
        bonus = 0.0
limit = lambda x: x + total
best = max([limit(x) for x in (1.0, 2.0)])
first, second = (1.0, 2.0)
if tick.n % 2:
    return best > bonus
elif np.isnan(state.mean) and math.isfinite(best):
    return total + step > LEVEL + first and tick.n in (1, 2, 3)
return not (state._replace(count=3).count == count and abs(round(total)) > int(best) + second)
"""
    load_strategy(write(tmp_path, entry_of(body, "LEVEL = 3")))
    load_strategy(write(tmp_path, update_of("if tick.new_day:\n    state = State()\nreturn state")))
    assert HEAD
