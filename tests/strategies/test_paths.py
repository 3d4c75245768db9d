"""Names that may be used before they are set."""

import ast

import pytest

from myquant.strategies.paths import unset_names

SET = [
    "x = 1\nuse(x)",
    "if a:\n    x = 1\nelse:\n    x = 2\nuse(x)",
    "if a:\n    x = 1\nelse:\n    return\nuse(x)",
    "for x in a:\n    use(x)\nuse(x)",
    "for i in a:\n    x = i\nuse(x)",
    "for i in a:\n    if i:\n        continue\n    x = i\n    use(x)",
    "while a:\n    x = 1\n    if x:\n        break\nuse(x)",
    "x = 0\nfor i in a:\n    if i:\n        break\n    x = i\nuse(x)",
    "match a:\n    case 1:\n        x = 1\n    case (x, y):\n        use(y)\n    case _:\n        x = 3\nuse(x)",
    "match a:\n    case 1 if a > 2:\n        x = 1\n    case x:\n        pass\nuse(x)",
    "def x():\n    return 1\nuse(x)",
    "x = [y for y in a]\nuse(x)",
    "x, (y, z) = a\nuse(x, y, z)",
    "x: float = 1.0\nx += 1\nuse(x)",
    "return a\nuse(x)",
    "if a:\n    raise ValueError\nelse:\n    x = 1\nuse(x)",
    "for i in a:\n    x = 1\nelse:\n    y = x\nuse(y)",
]
UNSET = [
    ("if a:\n    x = 1\nuse(x)", 4),
    ("if a:\n    x = 1\nelif b:\n    x = 2\nuse(x)", 6),
    ("use(x)\nx = 1", 2),
    ("x = x + 1", 2),
    ("x += 1", 2),
    ("for i in a:\n    if i:\n        continue\n    x = i\nuse(x)", 6),
    ("for i in a:\n    if i:\n        break\n    x = i\nuse(x)", 6),
    ("while x:\n    x = 1", 2),
    ("match a:\n    case 1:\n        x = 1\nuse(x)", 5),
    ("if a:\n    for i in a:\n        x = i\nuse(x)", 5),
    ("if x:\n    x = 1", 2),
    ("x: float\nuse(x)", 3),
]


def lines_of_unset(body: str) -> list[int]:
    source = "def f(a, b):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    names: dict[str, object] = {}
    exec(source, names)  # noqa: S102  (to learn which names are local)
    function = names["f"]
    return [line for line, _ in unset_names(tree, set(function.__code__.co_varnames))]  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", SET)
def test_set_on_every_path(body: str) -> None:
    assert lines_of_unset(body) == []


@pytest.mark.parametrize(("body", "line"), UNSET)
def test_not_set_on_some_path(body: str, line: int) -> None:
    assert lines_of_unset(body) == [line]
