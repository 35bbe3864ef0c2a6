"""Robust training: the loss of the worst, or of a noisy, input near each row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from math import inf
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from classifier.bounds import margin_bounds
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.options import require_types
from classifier.perturbation import Norm, PerturbationSet
from classifier.schema import Schema
from trainer.objective import Network, Objective

Method = Literal["pgd", "trades", "noise", "ibp"]

# Share of the worst case in the loss of interval training once eps is whole (Gowal et al., 2018, section 4).
_WORST_SHARE = 0.5


@dataclass(frozen=True)
class Robust:
    """How training prepares the network for changed inputs.

    Args:
        method: ``"pgd"`` trains on the worst inputs that projected gradient ascent finds (Madry et al., 2018,
            arXiv:1706.06083); ``"trades"`` on the rows, and on how far such inputs change the answer (Zhang et al., 2019,
            arXiv:1901.08573); ``"noise"`` on Gaussian noise, as randomised smoothing needs (Cohen et al., 2019,
            arXiv:1902.02918); ``"ibp"`` on the rows, and on the worst case that interval bounds cannot rule out
            (Gowal et al., 2018, arXiv:1810.12715).
        eps: Radius, as a fraction of each feature's range; of ``"noise"`` the standard deviation.
        norm: ``"Linf"`` or ``"L2"``; interval bounds are for ``"Linf"``, and noise has none.
        steps: Gradient steps to each input of ``"pgd"`` and ``"trades"``.
        weight: Weight of the change of the answer in ``"trades"``.
        ramp: Share of the epochs over which eps grows from 0; patience counts from its end.
    """

    method: Method = "pgd"
    _: KW_ONLY
    eps: float
    norm: Norm = "Linf"
    steps: int = 7
    weight: float = 6.0
    ramp: float = 0.3

    def __post_init__(self) -> None:
        require_types(type(self), vars(self))
        for name, kind in (("method", Method), ("norm", Norm)):
            if getattr(self, name) not in get_args(kind):
                raise ConfigurationError(f"{name} must be one of {', '.join(get_args(kind))}, got {getattr(self, name)!r}")
        for name in ("eps", "weight"):
            if not 0 < getattr(self, name) < inf:
                raise ConfigurationError(f"{name} must be above 0 and finite, got {getattr(self, name)}")
        if self.steps < 1:
            raise ConfigurationError(f"steps must be at least 1, got {self.steps}")
        if not 0 <= self.ramp < 1:
            raise ConfigurationError(f"ramp must be a share of at least 0 and under 1, got {self.ramp}")
        if self.method == "ibp" and self.norm != "Linf":
            raise ConfigurationError(f'interval bounds are for norm = "Linf", got {self.norm!r}', remedy='take method = "pgd" for L2')


@dataclass(frozen=True)
class RobustObjective(Objective):
    """The loss that `Robust` asks for, summed over rows.

    Args:
        robust: What is asked for.
        schema: What the inputs are, and how each may change.
        module: The network itself, which inputs are searched on and whose layers are bounded.
        share: How much of eps there is, from 0 to 1.
    """

    _: KW_ONLY
    robust: Robust
    schema: Schema
    module: nn.Module
    share: float = 1.0

    def __post_init__(self) -> None:
        if not modality_of(self.schema).continuous:
            raise NotApplicableError(f"robust training changes inputs by a little, and those of a {self.schema.modality} are discrete")

    def at(self, progress: float) -> RobustObjective:
        ramp = self.robust.ramp
        return replace(self, share=min(1.0, progress / ramp) if ramp else 1.0)

    def held_out(self) -> RobustObjective:
        # By the loss on attacked rows: by that of clean ones training would stop too early or too late (Rice et al., 2020).
        return replace(self, label_smoothing=0.0, share=1.0)

    def total(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        allowed = PerturbationSet.around(x, self.schema, eps=self.robust.eps * self.share, norm=self.robust.norm)
        if self.robust.method == "noise":
            return super().total(network, self._noisy(allowed), y)
        if self.robust.method == "pgd":
            return super().total(network, self._worst(allowed, y), y)
        if self.robust.method == "trades":
            return self._trades(network, x, y, allowed)
        part = _WORST_SHARE * self.share
        margins = margin_bounds(self.module, allowed.project(allowed.lower), allowed.project(allowed.upper), y)
        return (1 - part) * super().total(network, x, y) + part * cross_entropy(margins, y, self.weights, reduction="sum")

    def _noisy(self, allowed: PerturbationSet) -> Tensor:
        """Gaussian noise on all that can change. It is not clipped: smoothing adds it to inputs as it is."""
        fall, rise = modality_of(self.schema).movable
        moves = (fall | rise).to(allowed.centre)
        return allowed.centre + allowed.eps * torch.randn_like(allowed.centre) * allowed.scale * moves

    def _trades(self, network: Network, x: Tensor, y: Tensor, allowed: PerturbationSet) -> Tensor:
        worst = self._worst(allowed, y)
        # Both in one pass, as processes that exchange gradients need.
        clean, moved = network(torch.cat([x, worst])).chunk(2)
        cost = cross_entropy(clean, y, self.weights, reduction="sum", label_smoothing=self.label_smoothing)
        change = _divergence(clean, moved)
        return cost + self.robust.weight * (change if self.weights is None else change * self.weights[y]).sum()

    def _worst(self, allowed: PerturbationSet, y: Tensor) -> Tensor:
        """The inputs that projected gradient ascent finds from a random start ``(N, *S)``."""
        generator = torch.default_generator
        if allowed.centre.is_cuda:
            generator = torch.cuda.default_generators[allowed.centre.device.index]
        x = allowed.random(generator)
        size = 2.5 * allowed.eps / self.robust.steps
        # In half precision the gradient of a loss that is not scaled would vanish.
        with _evaluating(self.module), torch.enable_grad(), torch.autocast(allowed.centre.device.type, enabled=False):
            reference = self.module(allowed.centre).detach()
            for _ in range(self.robust.steps):
                x = x.detach().requires_grad_()
                logits = self.module(x)
                trades = self.robust.method == "trades"
                loss = _divergence(reference, logits).sum() if trades else cross_entropy(logits, y, reduction="sum")
                x = allowed.step(x, torch.autograd.grad(loss, x)[0], size)
        return x.detach()


def _divergence(of: Tensor, given: Tensor) -> Tensor:
    """Kullback-Leibler divergence between two rows of logits ``(N,)``."""
    return kl_div(log_softmax(given, 1), log_softmax(of, 1), reduction="none", log_target=True).sum(1)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Without dropout, and with the running statistics of batch normalisation.

    The network that is attacked later is this one, and attacked rows stay out of the statistics while they are
    searched for (Pang et al., 2021, arXiv:2010.00467, section 3).
    """
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
