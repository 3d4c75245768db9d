"""Books that have lost executions that they had: the broker's service began anew, or a new day did. Pure."""

from myquant.brokers.port import Books
from myquant.session.reconciliation import FIRST, Known, Memory, Settings, fill_key, reconcile


class LostBooks:
    """Sees, from look to look, which executions the books have lost: those that two looks in a row lack."""

    def __init__(self) -> None:
        self._seen: frozenset[str] = frozenset()
        self._lacking: frozenset[str] = frozenset()

    def look(self, books: Books, memory: Memory) -> frozenset[str]:
        """Take a look at the books; return what names the lost executions."""
        there = frozenset(map(fill_key, books.fills))
        before, self._lacking = self._lacking, (self._seen | memory.fills) - there
        self._seen |= there
        return before & self._lacking

    def forget(self, lost: frozenset[str]) -> None:
        """Miss them no more."""
        self._seen -= lost
        self._lacking -= lost


def rebased(books: Books, memory: Memory, settings: Settings, lost: frozenset[str]) -> Memory:
    """Return the memory as it has to be for books that have lost executions: what these moved is nobody's trade now.

    What others traded is measured within the books, so it counts from what they have left. The same memory: they moved nothing.
    """
    now, before = reconcile(books, (), FIRST, settings).memory.known or {}, memory.known or {}
    none = Known(0, 0)
    known = {key: Known(now.get(key, none).foreign, before.get(key, none).others) for key in {*now, *before}}
    if all(each.foreign == before.get(key, none).foreign for key, each in known.items()):
        return memory
    return memory._replace(known=known, fills=memory.fills - lost)
