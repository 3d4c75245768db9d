"""Reading the next items of an iterator while the last one is worked on."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Generator[Item, None, None], depth: int = 2) -> Generator[Item, None, None]:
    """Yield the items in order, up to `depth` of them made ahead by one thread; what that raises is raised here."""
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
            waiting = deque(thread.submit(next, items, None) for _ in range(depth))
            while (item := waiting.popleft().result()) is not None:
                waiting.append(thread.submit(next, items, None))
                yield item
    finally:
        items.close()
