import ast
from pathlib import Path

from myquant.core import codes


def test_no_name_is_given_twice() -> None:
    module = ast.parse(Path(codes.__file__).read_text(encoding="utf-8"))
    names = [
        node.target.id for node in module.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    assert len(names) > 80
    assert sorted(names) == sorted(set(names))
