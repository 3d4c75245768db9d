"""Which names of a function may be used before they are set: compiled code reads whatever is there, and says nothing."""

import ast
from collections.abc import Iterable, Sequence
from functools import reduce

Known = frozenset[str] | None  # the names that are set on every path to here; None: no path leads here


def unset_names(function: ast.FunctionDef, names: set[str]) -> list[tuple[int, str]]:
    """Return the line and name of each use of a local name that is not set on every path to it.

    A loop counts as run at least once; a nested function or comprehension is not looked into.
    """
    arguments = function.args
    given = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    walk = _Walk(names)
    walk.body(function.body, frozenset(given))
    return walk.found


def _both(one: Known, other: Known) -> Known:
    if one is None or other is None:
        return other if one is None else one
    return one & other


class _Walk:
    """One pass over a function, path by path."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.found: list[tuple[int, str]] = []
        self.leaving: list[list[Known]] = []  # of each loop around: what is known where it is left

    def body(self, statements: Sequence[ast.stmt], known: Known) -> Known:
        for statement in statements:
            if known is None:
                return None
            known = self.statement(statement, known)
        return known

    def statement(self, node: ast.stmt, known: frozenset[str]) -> Known:
        if isinstance(node, ast.If):
            known = self.uses([node.test], known)
            return _both(self.body(node.body, known), self.body(node.orelse, known))
        if isinstance(node, ast.For | ast.While):
            return self.loop(node, known)
        if isinstance(node, ast.Match):
            return self.match(node, known)
        if isinstance(node, ast.FunctionDef):
            return known | {node.name}
        known = self.uses([node], known)
        if isinstance(node, ast.Break | ast.Continue):
            self.leaving[-1].append(known)
        return None if isinstance(node, ast.Return | ast.Raise | ast.Break | ast.Continue) else known

    def loop(self, node: ast.For | ast.While, known: frozenset[str]) -> Known:
        known = self.uses([node.iter, node.target] if isinstance(node, ast.For) else [node.test], known)
        self.leaving.append([])
        inside = self.body(node.body, known)
        after = reduce(_both, self.leaving.pop(), inside)
        return self.body(node.orelse, after) if node.orelse else after

    def match(self, node: ast.Match, known: frozenset[str]) -> Known:
        known = self.uses([node.subject], known)
        after: Known = None
        for case in node.cases:
            bound = {name for part in ast.walk(case.pattern) if (name := getattr(part, "name", None))}
            inside = known | bound
            after = _both(after, self.body(case.body, self.uses([case.guard], inside) if case.guard else inside))
        last = node.cases[-1].pattern
        complete = isinstance(last, ast.MatchAs) and last.pattern is None
        return after if complete else _both(after, known)

    def uses(self, nodes: Iterable[ast.AST], known: frozenset[str]) -> frozenset[str]:
        """Note the names that are read before they are set; return what is known after them."""
        written: set[str] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    written.add(node.id)
                elif node.id in self.names and node.id not in known:
                    self.found.append((node.lineno, node.id))
            elif isinstance(node, ast.AnnAssign) and node.value is None:
                continue  # declared, not set
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                if node.target.id not in known:
                    self.found.append((node.lineno, node.target.id))
                waiting.append(node.value)
            elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
                waiting += ast.iter_child_nodes(node)
        return known | written
