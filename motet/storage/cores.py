"""Work on two cores, for matrix products that must not wait for a busy one.

What does not live here: what is worked out (`e5`).
"""

from __future__ import annotations

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from numpy._core import _multiarray_umath  # pyright: ignore[reportAttributeAccessIssue]  # in no stub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
R = TypeVar("R")


class Both:
    """Does two halves of a piece of work at once where the machine has two cores.

    The second half goes to another thread. When that one has not begun by the time the first half is done, the calling
    thread does both: a busy machine, or many callers, cost little more than one core would take.

    Args:
        cores: How many there are; those that this process may use unless given.
    """

    def __init__(self, cores: int | None = None) -> None:
        self._other = ThreadPoolExecutor(1, "motet-half") if (cores or usable_cores()) > 1 else None

    def __call__(self, work: Callable[[T], R], halves: tuple[T, T]) -> tuple[R, R]:
        """Return what `work` gives for either half; an error of either is raised."""
        first, second = halves
        if self._other is None:
            return work(first), work(second)
        pending = self._other.submit(work, second)
        found = work(first)
        return found, work(second) if pending.cancel() else pending.result()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@contextmanager
def one_core() -> Iterator[None]:
    """Have NumPy's OpenBLAS use one core; another library for matrix products is left as it is.

    Its threads wait for each other at the end of each product. On two busy cores a question took 0.9 s with two of them
    and 0.05 s with one.
    """
    library = _openblas()
    library.enter()
    try:
        yield
    finally:
        library.leave()


class _OpenBlas:
    """The number of NumPy's threads is one for a whole process: it is put back when nobody needs it to be one."""

    def __init__(self) -> None:
        library: Any = ctypes.CDLL(_multiarray_umath.__file__)
        name = "scipy_openblas_{}_num_threads64_"
        self._get, self._put = (getattr(library, name.format(verb), None) for verb in ("get", "set"))
        self._lock = threading.Lock()
        self._inside = self._before = 0

    def enter(self) -> None:
        if self._get is None or self._put is None:
            return
        with self._lock:
            if self._inside == 0:
                self._before = self._get()
                self._put(1)
            self._inside += 1

    def leave(self) -> None:
        if self._get is None or self._put is None:
            return
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._put(self._before)


@cache
def _openblas() -> _OpenBlas:
    return _OpenBlas()
