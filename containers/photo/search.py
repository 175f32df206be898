"""Looks at many photos in one queue: batches are full, and the first photos end first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count, islice
from typing import TYPE_CHECKING

from containers.basis.errors import ImageError
from containers.number.reading import Hypothesis
from containers.photo.looks import Search
from containers.photo.windows import Point, Window, see
from containers.photo.workers import MOST_WORKERS, submit

if TYPE_CHECKING:
    from PIL import Image

Seen = tuple[Hypothesis, Sequence[Point]]  # of the number, and where a look sees its characters
LookAt = Callable[[list["Image.Image"], list[Search]], Sequence[Seen]]
OnLooks = Callable[[list[Search], float], None]  # the searches of a batch, and its seconds


@dataclass(frozen=True)
class Wish:
    """A look that is still to come: at a window of the photo with this index among all."""

    index: int
    search: Search
    window: Window | None  # None: the first one
    cut: Future  # (what is seen there, the photo's size)


class Queue:
    """The looks that are still to come, those at the earliest photo first.

    A photo is begun when there is room for it: so many are opened ahead.
    """

    def __init__(
        self,
        searches: Iterable[Search],
        size: tuple[int, int],
        pool: Executor | None,
        room: int,
    ):
        self.unseen, self.size, self.pool, self.room = enumerate(searches), size, pool, room
        self.wishes: list[tuple[int, int, Wish]] = []  # a heap, by photo and by turn
        self.turns = count()

    def wish(self, index: int, search: Search, window: Window | None) -> None:
        """Add a look; what it will see is cut out by the pool meanwhile."""
        cut = submit(self.pool, see, search.photo, window, self.size)
        heappush(self.wishes, (index, next(self.turns), Wish(index, search, window, cut)))

    def fill(self) -> None:
        """Begin as many photos as there is room for."""
        for index, search in islice(self.unseen, max(0, self.room - len(self.wishes))):
            self.wish(index, search, search.first)

    def take(self, most: int, least: int = 1) -> list[Wish]:
        """Return the looks that come next; none where there are too few for a batch."""
        self.fill()
        if len(self.wishes) < least:
            return []
        return [heappop(self.wishes)[-1] for _ in range(min(most, len(self.wishes)))]


def search_all(
    searches: Iterable[Search],
    look_at: LookAt,
    size: tuple[int, int],
    batch_size: int,
    pool: Executor | None = None,
    on_looks: OnLooks | None = None,
) -> Iterator[Search | ImageError]:
    """Yield the searches in order, each once it is over, or why its photo cannot be opened.

    Which looks share a batch depends on the photos alone, not on how long anything takes. With a
    pool a full batch is taken before the one ahead of it is looked at, so that its processes have
    that time to cut out what is wished next; without one nothing is gained by that.
    """
    queue = Queue(searches, size, pool, max(2 * batch_size, MOST_WORKERS) if pool else batch_size)
    ended: dict[int, Search | ImageError] = {}
    first, coming = 0, queue.take(batch_size)
    while coming:
        batch, coming = coming, queue.take(batch_size, least=batch_size) if pool else []
        for wish in look_at_batch(queue, batch, look_at, on_looks):
            if wish.search.is_over:
                problem = None if wish.search.done else wish.cut.exception()
                ended[wish.index] = problem if isinstance(problem, ImageError) else wish.search
        while first in ended:
            yield ended.pop(first)
            first += 1
        coming = coming or queue.take(batch_size)


def look_at_batch(
    queue: Queue, batch: list[Wish], look_at: LookAt, on_looks: OnLooks | None
) -> list[Wish]:
    """Take in what a batch of looks reads, and wish for those that follow; return the batch.

    A photo may vanish between two looks at it.
    """
    start, images, seen = time.monotonic(), [], []
    for wish in batch:
        try:
            images.append(wish.cut.result()[0])
            seen.append(wish)
        except ImageError:
            wish.search.give_up()
    if not images:
        return batch
    searches = [wish.search for wish in seen]
    for wish, (hypothesis, letters) in zip(seen, look_at(images, searches), strict=True):
        size = wish.cut.result()[1]
        for window in wish.search.take_in(wish.window, hypothesis, letters, size):
            queue.wish(wish.index, wish.search, window)
    if on_looks:
        on_looks(searches, time.monotonic() - start)
    return batch
