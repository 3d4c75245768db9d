"""What only the compiler sees: paths that no trial takes, in a line that names the user's own."""

from pathlib import Path

import pytest

from myquant.strategies.compiling import reason, short
from myquant.strategies.loading import load_strategy
from strategies.texts import STATE, Refused, entry_of, entry_text, later, sound, update_of, write

METHOD = "    @property\n    def twice(self):\n        return self.mean * 2\n"
HELPER = "def helper(a, b):\n    return a > b.level\n"
STOP = "def stop(state, tick, context, params):\n    if tick.n > 100_000:\n        return 1.0\n    return tick.price\n"


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        (entry_of(later("return tick.prise > 1")), "prise", "Tick has no prise; did you mean price?"),
        (entry_of(later("return state.maen > 1")), "maen", "State has no maen; did you mean mean?"),
        (entry_of(later("return params.perod > 1")), "perod", "Params has no perod; did you mean period?"),
        (entry_of(later("return context.greens > 1")), "greens", "Context has no greens; did you mean green?"),
        (entry_of(later("return tick.price.real.x > 1")), "real", "float has no x"),
        (entry_of(later("return helper(tick.price, tick)"), HELPER), "a > b.level", "Tick has no level"),
        (
            entry_of(later("return helper(tick.price)"), HELPER),
            "return helper",
            "helper: missing a required argument: 'b'",
        ),
        (entry_of(later("return ema(tick.price) > 1")), "return ema", "ema: missing a required argument: 'price'"),
        (
            entry_of(later("return ema('a', tick.price, 3) > 1")),
            "return ema",
            "compiled code can't compute float - str",
        ),
        (
            entry_of(later("return True", "if tick.n > 0:\n    return False")),
            "def entry",
            "returns bool or None; it must retu",
        ),
        (entry_of(later("return 1.0")), "def entry", "entry returns float; it must return True or False on every path"),
        (
            update_of(later("return 1.0", "return state")),
            "return 1.0",
            "returns different types on different paths: State, float",
        ),
        (
            update_of(later("return State(1.0, tick.price)", "return state")),
            "return State(1.0",
            "returns State.count as float and int; it is declared int",
        ),
        (
            update_of(later("return state._replace(count=0.5)", "return state")),
            "count=0.5",
            "_replace(count=float) does not",
        ),
        (
            update_of(later("return state._replace(meen=1.0)", "return state")),
            "meen",
            "_replace: State has no meen; did you",
        ),
        (entry_of(later("return LEVELS['a'] > 1"), "LEVELS = {'a': 1.0}"), "return LEVELS", "LEVELS is a dict, which"),
        (
            entry_of(later("return LEVELS[0] > 'a'"), "LEVELS = [1.0]"),
            "return LEVELS",
            "compiled code can't compute float > str",
        ),
        (
            update_of(later("SEEN.append(1.0)", "return state"), "SEEN = []"),
            "SEEN.append",
            "SEEN is a list, which compiled",
        ),
        (
            update_of(later("SEEN[0] = 1.0", "return state"), "SEEN = np.zeros(3)"),
            "SEEN[0]",
            "an array of the file is a cons",
        ),
        (
            entry_of(later("seen = []\n    return len(seen) == 0")),
            "seen = []",
            "what seen holds is not clear (an empty list?)",
        ),
        (
            entry_of(later("return open('x') is None")),
            "open",
            "open is a function of Python's, which compiled code can't",
        ),
        (
            entry_of(later("return date.today().day > 3"), "from datetime import date"),
            "today",
            "date is a class, which",
        ),
        (entry_of(later("return tick.price[0] > 1")), "price[0]", "compiled code can't index float"),
        (entry_of(later("return tick.price() > 1")), "price()", "float is no function that compiled code can call"),
        (entry_of(later("return params.period.bit_length() > 1")), "bit_length", "int has no bit_length"),
        (
            sound(state=STATE + METHOD, entry=entry_text("return state.twice > 1")),
            "return state.twice",
            "State.twice: compiled code knows a NamedTuple's fields and _repl",
        ),
        (sound(more=STOP.replace("1.0", "'a'")), "return 'a'", "returns different types on different paths: "),
        (
            sound(more=STOP.replace("1.0", "None")),
            "def stop",
            "stop returns float or None; it must return a price in rupees",
        ),
    ],
)
def test_a_mistake_on_a_path_that_no_trial_takes(refused: Refused, text: str, at: str, words: str) -> None:
    assert words in refused(text, at)


def test_an_int_is_good_enough_for_a_float(tmp_path: Path) -> None:
    load_strategy(write(tmp_path, update_of(later("return State(0, 1)", "return State(tick.price)"))))
    load_strategy(write(tmp_path, update_of("return state._replace(mean=tick.n)")))
    load_strategy(write(tmp_path, sound(more="def stop(state, tick, context, params):\n    return 90\n")))


def test_reasons_without_a_pattern_are_cut_to_one_line() -> None:
    text = "Failed in nopython mode pipeline (step: x)\nSomething odd about array(float64, 1d, C)\n\nFile ..."
    assert reason(text, {}) == "compiled code does not allow this: Something odd about array of float"
    assert reason("", {}) == "compiled code does not allow this: no reason was given"
    assert len(reason("x" * 1000, {})) < 400


@pytest.mark.parametrize(
    ("compilers", "users"),
    [
        ("float64", "float"),
        ("Literal[int](3)", "int"),
        ("readonly array(float64, 1d, C)", "array of float"),
        ("State(float64, int64, Rsi(int64, float64 x 2))", "State"),
        ("OptionalType(bool)", "bool or None"),
        ("UniTuple(int64, 2)", "tuple(int, 2)"),
        ("reflected list(float64)<iv=None>", "list of float"),
    ],
)
def test_types_are_named_as_a_user_writes_them(compilers: str, users: str) -> None:
    assert short(compilers) == users
