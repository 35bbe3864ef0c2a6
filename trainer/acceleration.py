"""Mixed precision and compilation, where the device has them; what it has not is noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

    def prepared(self, network: nn.Module, probes: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
        """The network, compiled if that was asked for and works; in float32 where it does not run in another type.

        Args:
            network: What is trained.
            probes: Inputs to try it on, each ``(n, *S)``.
        """
        if self.dtype is not None and (reason := self._obstacle(network, network, probes)):
            self.notes.append(f"trained in float32: in {str(self.dtype).removeprefix('torch.')} the network does not run: {reason}")
            self.dtype = None
        if not self.compile:
            return network
        compiled: list[Callable[[Tensor], Tensor]] = []

        def tried(probe: Tensor) -> Tensor:
            if not compiled:
                compiled.append(torch.compile(network))
            return compiled[0](probe)

        if reason := self._obstacle(tried, network, probes):
            self.notes.append(f"not compiled: {reason}")
            return network
        return compiled[0]

    def _obstacle(self, tried: Callable[[Tensor], Tensor], network: nn.Module, probes: Sequence[Tensor]) -> str:
        """Why it does not run forwards and backwards; empty where it does. The network stays as it was."""
        kept = [buffer.clone() for buffer in network.buffers()]
        try:
            for probe in probes:
                with self.precision():
                    answer = tried(probe)
                answer.float().sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it so
        except Exception as error:  # whatever a compiler or a kernel fails on, the network itself still runs
            return (str(error).strip() or type(error).__name__).splitlines()[0]
        finally:
            network.zero_grad()
            for buffer, value in zip(network.buffers(), kept, strict=True):
                buffer.copy_(value)
        return ""

    def scale(self) -> dict[str, float]:
        """What losses are scaled by, for a checkpoint; empty where they are not."""
        state: dict[str, float] = self._scaler.state_dict()
        return state

    def rescale(self, scale: Mapping[str, float]) -> None:
        """Go on with what :meth:`scale` told."""
        if scale:
            self._scaler.load_state_dict(dict(scale))

    def precision(self) -> AbstractContextManager[object]:
        """The context in which losses are computed."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch leaves it so

    def step(self, optimizer: torch.optim.Optimizer, clip_norm: float | None) -> None:
        """One step, with the gradients clipped to a length where that is given."""
        if clip_norm is not None:
            self._scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip_norm)
        self._scaler.step(optimizer)
        self._scaler.update()
