"""What a training run cost: time, hardware, and an estimate of its energy."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trainer.distributed import World

# What a busy core of a server draws, where no counter can be read. It is an order of magnitude, not a reading.
WATTS_PER_CORE = 10.0
_COUNTERS = Path("/sys/class/powercap")


class Expense:
    """Counts from its making on, and what a part of the run before it counted.

    Args:
        world: The processes that train.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._started, self._busy, self._joules = time.monotonic(), time.process_time(), _read_counters()
        self._before: dict[str, float | None] = {"seconds": 0.0, "busy": 0.0, "joules": 0.0}

    def add(self, before: Mapping[str, float | None]) -> None:
        """Count what the run had cost when its checkpoint was written, as :meth:`so_far` told; what came after that is lost."""
        self._before = dict(before)

    def so_far(self) -> dict[str, float | None]:
        """Seconds, seconds that this process was busy, and joules where the processors tell them."""
        joules = _read_counters()
        read = joules is not None and self._joules is not None and joules >= self._joules
        now = {
            "seconds": time.monotonic() - self._started,
            "busy": time.process_time() - self._busy,
            "joules": joules - self._joules if read and joules is not None and self._joules is not None else None,
        }
        return {name: _sum(value, self._before[name]) for name, value in now.items()}

    def told(self) -> dict[str, Any]:
        """Seconds, hardware and energy so far, of all processes; each of them must ask.

        The energy is read from the processor's own counters where these can be read, and covers the whole
        machine then; else it is estimated from the time that the processes were busy.
        """
        spent, device = self.so_far(), self.world.device
        busy = self.world.total(torch.tensor(spent["busy"], dtype=torch.float64, device=device)).item()
        if spent["joules"] is not None:
            watt_hours, source = spent["joules"] / 3600, "the processor's counters"
        else:
            watt_hours, source = busy * WATTS_PER_CORE / 3600, f"an estimate of {WATTS_PER_CORE:g} W a busy core"
        gpu = device.type == "cuda"
        return {
            "seconds": round(spent["seconds"] or 0.0, 3),
            "hardware": {
                "device": torch.cuda.get_device_name(device) if gpu else "cpu",
                "machine": platform.machine(),
                "threads": torch.get_num_threads(),
            },
            "energy": {"watt_hours": round(watt_hours, 4), "source": source, "without_gpu": gpu},
        }


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _read_counters() -> float | None:
    """Joules that the processors have drawn since some time ago, or ``None`` where they do not tell."""
    try:
        counters = [int((folder / "energy_uj").read_text()) for folder in _COUNTERS.glob("intel-rapl:?")]
    except (OSError, ValueError):
        return None
    return sum(counters) / 1e6 if counters else None
