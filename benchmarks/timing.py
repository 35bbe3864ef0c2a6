"""How long something takes in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def best_time(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Seconds of the fastest of `repeats` runs after one to warm up, and what the last one gave."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result
