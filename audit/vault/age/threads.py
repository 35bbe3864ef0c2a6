"""Work shared out among threads: ciphers and hashes let go of Python's lock, so two of them run at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
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
    busy = [Lock() for _ in range(thread_count() - 1)]

    def help_out(mine: Lock) -> None:
        with mine:
            queue.work(worker)

    try:
        # A system that grants no more threads leaves the work to those that there are.
        with suppress(RuntimeError):
            for lock in busy:
                Thread(target=help_out, args=(lock,), daemon=True).start()
        queue.work(worker)
    finally:
        _end(queue, busy)
    if queue.failure is not None:
        raise queue.failure


def _end(queue: _Queue, busy: Sequence[Lock]) -> None:
    """Wait until no other thread is at a task. Ctrl-C is raised after that, since it lets the caller close what they write to.

    A thread is not asked whether it lives: to one whose end was waited for when Ctrl-C struck, Python 3.11 says that it does not.
    """
    interrupted = False
    while True:
        try:
            queue.stop()
            for lock in busy:
                with lock:  # one that starts only now finds nothing to do
                    pass
            break
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt


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
        except BaseException as error:  # also a panic of the ciphers' library, which is no Exception
            self.failure = self.failure or error
            self.stop()
