"""Work shared out among threads: ciphers and hashes let go of Python's lock, so two of them run at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from threading import Lock, Thread
from typing import TypeVar

Task = TypeVar("Task")
# Beyond this many, memory is what limits a cipher.
MOST_THREADS = 8


def thread_count() -> int:
    """How many processors this process may use, up to a limit."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


def share_out(tasks: Iterable[Task], worker: Callable[[], Callable[[Task], None]]) -> None:
    """Do every task once, in the order in which threads become free.

    The first failure stops the others after the task that they are at, and is raised.

    Args:
        tasks: What is to be done. One thread at a time asks for the next, so a generator will do.
        worker: Called once in each thread; what it returns does a task, with buffers of its own.
    """
    queue = _Queue(tasks)
    others = [Thread(target=queue.work, args=(worker,), daemon=True) for _ in range(thread_count() - 1)]
    for thread in others:
        thread.start()
    try:
        queue.work(worker)
    finally:
        # Also where Ctrl-C struck: no thread may go on writing to what its caller believes to be at rest.
        queue.stop()
        for thread in others:
            thread.join()
    if queue.failure is not None:
        raise queue.failure


class _Queue:
    """Tasks that threads take one after another, until there are none or one of them failed."""

    def __init__(self, tasks: Iterable[object]) -> None:
        self._tasks: Iterator[object] = iter(tasks)
        self._lock = Lock()
        self.failure: BaseException | None = None

    def stop(self) -> None:
        with self._lock:
            self._tasks = iter(())

    def work(self, worker: Callable[[], Callable[..., None]]) -> None:
        try:
            do = worker()
            while True:
                with self._lock:
                    task = next(self._tasks, self)
                if task is self:
                    return
                do(task)
        except Exception as error:
            self.failure = self.failure or error
            self.stop()
