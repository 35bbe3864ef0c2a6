"""Mixed precision and compilation, where the device has them; what it has not is noted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from trainer.recipe import Recipe


@dataclass
class Acceleration:
    """How a run computes its losses and gradients.

    Args:
        device: Where it computes.
        dtype: Type of the matrix products; ``None`` for that of the weights.
        compile: Whether to compile the network.
        notes: What was asked for and is not done, with the reason, for the training record.
    """

    device: torch.device
    dtype: torch.dtype | None = None
    compile: bool = False
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # In half precision small gradients vanish unless the loss is scaled up (Micikevicius et al., 2018, arXiv:1710.03740).
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    @classmethod
    def of(cls, recipe: Recipe, device: torch.device) -> Acceleration:
        """What the recipe asks for, as far as the device has it."""
        if recipe.precision == "float32":
            return cls(device, None, recipe.compile)
        dtype: torch.dtype = getattr(torch, recipe.precision)
        has = device.type == "cuda" and torch.cuda.is_bf16_supported() if dtype == torch.bfloat16 else device.type == "cuda"
        if has or (device.type == "cpu" and dtype == torch.bfloat16):
            return cls(device, dtype, recipe.compile)
        return cls(device, None, recipe.compile, [f"trained in float32: a {device.type} has no {recipe.precision} here"])

    def compiled(self, network: nn.Module, probe: Tensor) -> Callable[[Tensor], Tensor]:
        """The network, compiled if that was asked for and works.

        Args:
            network: What is trained.
            probe: A few inputs to try it on ``(N, *S)``.
        """
        if not self.compile:
            return network
        try:
            quick = torch.compile(network)
            quick(probe)
        except Exception as error:  # whatever a compiler fails on, the network itself still runs
            reason = str(error).strip().splitlines() or [type(error).__name__]
            self.notes.append(f"not compiled: {reason[0]}")
            return network
        return quick

    def precision(self) -> AbstractContextManager[object]:
        """The context in which losses are computed."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)

    def backward(self, loss: Tensor, factor: Tensor | float) -> None:
        """Add the gradients of `factor` times `loss`."""
        # As the gradient to begin with, the factor costs no operation of its own.
        torch.autograd.backward(self._scaler.scale(loss), torch.as_tensor(factor, dtype=loss.dtype, device=loss.device))

    def step(self, optimizer: torch.optim.Optimizer, clip_norm: float | None) -> None:
        """One step, with the gradients clipped to a length where that is given."""
        if clip_norm is not None:
            self._scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip_norm)
        self._scaler.step(optimizer)
        self._scaler.update()
