"""Data-parallel training: the processes that ``torchrun`` started, or this one alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from classifier.errors import ConfigurationError

# A worker that is gone is noticed after this long; torchrun then starts all of them anew.
_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class World:
    """The processes that train one classifier. Each holds the data and takes its share of every batch.

    Args:
        device: Where this process computes.
        rank: Which of the processes this is; 0 shows progress and writes files.
        size: How many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of a batch."""
        return rows[self.rank :: self.size]

    def total(self, value: Tensor) -> Tensor:
        """The sum of a value over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(value)
        return value

    def agree(self, module: nn.Module) -> None:
        """Give every process the buffers of the first, as running statistics are."""
        if self.size > 1:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)

    def parallel(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over the processes."""
        if self.size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, device_ids=[self.device] if self.device.type == "cuda" else None)


@contextmanager
def join_world(device: str = "auto") -> Iterator[World]:
    """The processes that ``torchrun`` started, or this one alone.

    Args:
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one. Of several GPUs a machine
            has, each process takes the one of its local rank.

    Raises:
        ConfigurationError: If there is no such device.
    """
    chosen = _device(str(device))
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(chosen)
        return
    began = not torch.distributed.is_initialized()
    if began:
        store, rank, size = next(rendezvous("env://", timeout=_PATIENCE))
        # After a restart the store still holds the addresses of the workers that are gone: each attempt has its own names.
        store = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
        backend = "nccl" if chosen.type == "cuda" else "gloo"
        torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield World(chosen, torch.distributed.get_rank(), size)
    finally:
        if began:
            torch.distributed.destroy_process_group()


def without_exchange(network: object, *, skip: bool) -> AbstractContextManager[None]:
    """Leave out the exchange of gradients where `skip`, as for all but the last piece of a batch."""
    if skip and isinstance(network, nn.parallel.DistributedDataParallel):
        return network.no_sync()
    return nullcontext()


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    if name != "cpu":
        raise ConfigurationError(f"there is no device {name!r} here", remedy='take device = "auto"')
    return torch.device("cpu")
