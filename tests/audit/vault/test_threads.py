"""Threads that share work: every task is done, and none goes on after its caller has control again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from audit.vault.age import threads
from audit.vault.age.failure import OpeningError
from audit.vault.age.threads import share_out


@pytest.fixture(autouse=True)
def _several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 3)


def is_caller() -> bool:
    return threading.current_thread() is threading.main_thread()


def test_every_task_is_done_once_and_the_first_failure_is_raised() -> None:
    done: list[int] = []
    share_out(range(100), lambda: done.append)
    assert sorted(done) == list(range(100))

    def worker() -> Callable[[int], None]:
        def work(task: int) -> None:
            if task == 3:
                raise OpeningError("payload failure")
            started.append(task)

        return work

    started: list[int] = []
    with pytest.raises(OpeningError):
        share_out(range(10**9), worker)  # it would never end if the failure stopped nothing
    assert 3 not in started


@pytest.mark.parametrize("granted", [0, 1])
def test_threads_that_the_system_does_not_grant_are_done_without(monkeypatch: pytest.MonkeyPatch, granted: int) -> None:
    start, left = threading.Thread.start, iter([True] * granted)

    def grant(thread: threading.Thread) -> None:
        if not next(left, False):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", grant)
    done: list[int] = []
    share_out(range(100), lambda: done.append)
    assert sorted(done) == list(range(100))


def test_a_failure_that_is_no_exception_is_raised_too() -> None:
    class Panic(BaseException):
        """As the cipher's library raises it."""

    failed = threading.Event()

    def worker() -> Callable[[int], None]:
        def work(task: int) -> None:
            if is_caller():
                failed.wait(2)
            else:
                failed.set()
                raise Panic

        return work

    with pytest.raises(Panic):
        share_out(range(20), worker)


def test_no_thread_goes_on_after_ctrl_c_also_where_it_strikes_twice() -> None:
    begun, late = threading.Semaphore(0), []
    returned = False
    again = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    def worker() -> Callable[[int], None]:
        def work(task: int) -> None:
            if is_caller():
                begun.acquire()
                begun.acquire()
                again.start()
                os.kill(os.getpid(), signal.SIGINT)
            begun.release()
            again.finished.wait()
            time.sleep(0.1)
            late.append(returned)

        return work

    with pytest.raises(KeyboardInterrupt):
        share_out(range(4), worker)
    returned = True
    time.sleep(0.4)
    assert late == [False, False]
