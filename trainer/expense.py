"""What a training run cost: time, hardware, and an estimate of its energy."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import torch

# What a busy core of a server draws, where no counter can be read. It is an order of magnitude, not a reading.
WATTS_PER_CORE = 10.0
_COUNTERS = Path("/sys/class/powercap")


class Expense:
    """Counts from its making on.

    Args:
        device: Where the training computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._started, self._busy, self._joules = time.monotonic(), time.process_time(), _read_counters()

    def told(self) -> dict[str, Any]:
        """Seconds, hardware and energy so far.

        The energy is read from the processor's own counters where these can be read, and covers the whole
        machine then; else it is estimated from the processor time.
        """
        seconds, busy, joules = time.monotonic() - self._started, time.process_time() - self._busy, _read_counters()
        if joules is not None and self._joules is not None and joules >= self._joules:
            watt_hours, source = (joules - self._joules) / 3600, "the processor's counters"
        else:
            watt_hours, source = busy * WATTS_PER_CORE / 3600, f"an estimate of {WATTS_PER_CORE:g} W a busy core"
        gpu = self.device.type == "cuda"
        return {
            "seconds": round(seconds, 3),
            "hardware": {
                "device": torch.cuda.get_device_name(self.device) if gpu else "cpu",
                "machine": platform.machine(),
                "threads": torch.get_num_threads(),
            },
            "energy": {"watt_hours": round(watt_hours, 4), "source": source, "without_gpu": gpu},
        }


def _read_counters() -> float | None:
    """Joules that the processors have drawn since some time ago, or ``None`` where they do not tell."""
    try:
        counters = [int((folder / "energy_uj").read_text()) for folder in _COUNTERS.glob("intel-rapl:?")]
    except (OSError, ValueError):
        return None
    return sum(counters) / 1e6 if counters else None
