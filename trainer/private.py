"""Differentially private training: DP-SGD (Abadi et al., 2016, arXiv:1607.00133).

Each row is drawn into a step on its own, its gradient is clipped, and Gaussian noise is added to the sum. What the
weights then tell of any one training row is bounded by (epsilon, delta), for data sets that differ by one row more
or less.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import KW_ONLY, asdict, dataclass
from math import ceil, inf
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modalities._observed import observed_column
from classifier.modality import modality_of
from classifier.options import require_types
from classifier.schema import Schema
from trainer.objective import Objective

# Numbers in the gradients of single rows that are held at once; 2**24 floats are 64 MiB.
_NUMBERS = 2**24
# Whole orders have a closed form. Each order gives a true bound, and the least is taken.
_ORDERS = (*range(2, 65), 96, 128, 192, 256, 512, 1024)
ACCOUNTANT = "Rényi accountant of dp-accounting, Poisson-sampled Gaussian, one row more or less"
# What the bound on the weights leaves out, because it is told or chosen by other ways than private steps.
NOT_COUNTED = (
    "bounds, categories, vocabularies and fill values of features, where they were read from the data and not stated",
    "losses, row counts and digests in this record",
    "the validation rows",
    "any choice of a recipe by trying several on these rows",
    "the rounding of noise in floating point (Mironov, 2012)",
)


@dataclass(frozen=True)
class Private:
    """How much the weights may tell of one training row.

    Args:
        delta: The chance with which epsilon need not hold; it must be far under one in the number of rows.
        epsilon: What the whole training may spend; the noise follows from it.
        noise_multiplier: The noise's standard deviation as a multiple of `clip_norm`, given instead of epsilon.
        clip_norm: Length that the gradient of each row is clipped to.
    """

    _: KW_ONLY
    delta: float
    epsilon: float | None = None
    noise_multiplier: float | None = None
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        require_types(type(self), vars(self))
        if not 0 < self.delta < 1:
            raise ConfigurationError(f"delta must lie between 0 and 1, got {self.delta}")
        if (self.epsilon is None) == (self.noise_multiplier is None):
            raise ConfigurationError("private training needs one of epsilon and noise_multiplier")
        for name in ("epsilon", "noise_multiplier", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise ConfigurationError(f"{name} must be above 0 and finite, got {value}")

    def budget(self, *, rows: int, batch_size: int, epochs: int) -> Budget:
        """What a training run spends.

        Raises:
            ConfigurationError: If dp-accounting is not installed, delta is no small chance for so many rows, or a
                step takes more rows than there are.
        """
        if self.delta * rows >= 1:
            raise ConfigurationError(
                f"delta must be under one in the number of rows, got {self.delta} for {rows} rows", remedy=f"take delta = {0.1 / rows:.1g}"
            )
        if batch_size > rows:
            raise ConfigurationError(f"batch_size is {batch_size} and there are {rows} rows", remedy=f"take batch_size = {rows // 4 or 1}")
        rate, steps = batch_size / rows, ceil(rows / batch_size) * epochs
        noise = self.noise_multiplier if self.epsilon is None else _noise_for(self.epsilon, self.delta, rate, steps)
        assert noise is not None  # one of the two is given
        return Budget(_epsilon(noise, self.delta, rate, steps), self.delta, noise, self.clip_norm, rate, steps)


@dataclass(frozen=True)
class Budget:
    """What a private training run spends.

    Args:
        epsilon: With `delta`, how much the weights may tell of one training row.
        delta: The chance with which epsilon need not hold.
        noise_multiplier: Standard deviation of the noise, as a multiple of `clip_norm`.
        clip_norm: Length that the gradient of each row is clipped to.
        sampling_rate: Chance of each row to be in a step.
        steps: How many steps there are.
    """

    epsilon: float
    delta: float
    noise_multiplier: float
    clip_norm: float
    sampling_rate: float
    steps: int

    def told(self) -> dict[str, Any]:
        """What the training record says of it."""
        return {**asdict(self), "accountant": ACCOUNTANT, "reproducible": False, "not_counted": list(NOT_COUNTED)}


class PrivateSteps:
    """Draws the rows of each step, and turns them into a gradient that tells little of each.

    Args:
        module: What is trained.
        objective: The loss, in which each row counts for itself.
        budget: What may be spent.
        batch_size: How many rows a step takes on average.

    Raises:
        NotApplicableError: If a layer of the module mixes the rows of a batch.
    """

    def __init__(self, module: nn.Module, objective: Objective, budget: Budget, batch_size: int) -> None:
        for name, layer in module.named_modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm):
                raise NotApplicableError(
                    f"the layer {name!r} is batch normalisation, which mixes the rows of a batch, and private training keeps them apart",
                    remedy='take normalisation = "group" or "none"',
                )
        self.module, self.objective, self.budget, self.batch_size = module, objective, budget, batch_size
        self.parameters = {name: value for name, value in module.named_parameters() if value.requires_grad}
        #: Why the gradients are taken row by row; empty where they are taken at once.
        self.obstacle = ""
        self.chunk = max(1, _NUMBERS // sum(value.numel() for value in self.parameters.values()))

    def batches(self, rows: int, device: torch.device) -> list[Tensor]:
        """The rows of each step of an epoch: each row is in a step with the same chance, whoever else is (Poisson)."""
        # Not from the recipe's seed: whoever knew who was in which step would learn more than is accounted for.
        rate = self.budget.sampling_rate
        return [torch.from_numpy(np.flatnonzero(system_uniform(rows) < rate)).to(device) for _ in range(ceil(rows / self.batch_size))]

    def set_gradients(self, x: Tensor, y: Tensor) -> Tensor:
        """Set the gradient of each parameter to the noisy mean of clipped ones.

        Args:
            x: The step's inputs ``(n, *S)``; there may be none.
            y: Their labels ``(n,)``.

        Returns:
            Their mean loss.
        """
        sums, total = self.clipped_sums(x, y)
        deviation = self.budget.noise_multiplier * self.budget.clip_norm
        for name, parameter in self.parameters.items():
            noise = system_normal(parameter.numel()).reshape(parameter.shape).to(parameter)
            # By the number of rows expected: the true one would tell who is there.
            parameter.grad = (sums[name] + deviation * noise) / self.batch_size
        return total / max(1, len(x))

    def clipped_sums(self, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The sum over the rows of their gradients, each clipped to `clip_norm` over all parameters, and of their losses."""
        sums = {name: torch.zeros_like(value) for name, value in self.parameters.items()}
        total = x.new_zeros((), dtype=torch.float32)
        for rows, labels in zip(torch.split(x, self.chunk), torch.split(y, self.chunk), strict=True):
            if len(rows) == 0:
                break  # nobody was drawn
            gradients, losses = self._row_gradients(rows, labels)
            squares = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients.values()]).sum(0)
            factor = (self.budget.clip_norm / squares.sqrt().clamp_min(1e-12)).clamp_max(1.0)
            for name, gradient in gradients.items():
                sums[name] += torch.einsum("n,n...->...", factor, gradient)
            total = total + losses.sum()
        return sums, total

    def _row_gradients(self, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The gradient of each row by parameter ``(n, *P)``, and the loss of each ``(n,)``."""
        if not self.obstacle:
            try:
                return self._at_once(x, y)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                # A layer whose course depends on what it is given, as one that looks for the longest text of a batch.
                # Whatever else it is, the loop over the rows meets it too.
                self.obstacle = (str(error) or type(error).__name__).splitlines()[0]
        each = [self._of_one(row[None], label[None]) for row, label in zip(x, y, strict=True)]
        return {name: torch.stack([gradients[name] for gradients, _ in each]) for name in self.parameters}, torch.stack(
            [loss for _, loss in each]
        )

    def _at_once(self, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        buffers = dict(self.module.named_buffers())

        def loss_of(parameters: dict[str, Tensor], row: Tensor, label: Tensor) -> Tensor:
            def network(inputs: Tensor) -> Tensor:
                logits: Tensor = functional_call(self.module, (parameters, buffers), (inputs,))
                return logits

            return self.objective.total(network, row[None], label[None])

        each = vmap(grad_and_value(loss_of), in_dims=(None, 0, 0), randomness="different")
        with warnings.catch_warnings():
            # Recurrent layers have no rule of their own, and run row by row inside.
            warnings.filterwarnings("ignore", message="There is a performance drop")
            return each({name: value.detach() for name, value in self.parameters.items()}, x, y)

    def _of_one(self, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        loss = self.objective.total(self.module, x, y)
        found = torch.autograd.grad(loss, list(self.parameters.values()), allow_unused=True)
        gradients = {
            name: torch.zeros_like(value) if gradient is None else gradient
            for (name, value), gradient in zip(self.parameters.items(), found, strict=True)
        }
        return gradients, loss.detach()


def public_inputs(schema: Schema) -> Tensor:
    """The two corners of the schema's bounds ``(2, *S)``, to scale by where the rows must not be looked at.

    An element without bounds is taken to lie between -1 and 1, which leaves it as it is.
    """
    low, high = schema.column_bounds
    bounded = low.isfinite() & high.isfinite()
    corners = [torch.where(bounded, low, -1.0), torch.where(bounded, high, 1.0)]
    flag = observed_column(schema)
    if flag is not None:
        # A corner that was not observed would count for nothing.
        for corner in corners:
            corner[flag] = 1.0
    modality = modality_of(schema)
    return torch.stack([modality.lay(corner) for corner in corners])


def system_uniform(count: int) -> NDArray[np.float64]:
    """Numbers between 0 and 1 ``(count,)`` from the operating system's secure generator."""
    return ((np.frombuffer(os.urandom(8 * count), np.uint64) >> np.uint64(11)) + 0.5) / 2**53


def system_normal(count: int) -> Tensor:
    """Standard normal numbers ``(count,)`` from the same (Box and Muller, 1958)."""
    one, other = system_uniform(2 * ceil(count / 2)).reshape(2, -1)
    length, angle = np.sqrt(-2 * np.log(one)), 2 * np.pi * other
    return torch.from_numpy(np.concatenate([length * np.cos(angle), length * np.sin(angle)])[:count])


def _accounting() -> Any:
    try:
        import dp_accounting
        import dp_accounting.rdp
    except ImportError as error:
        raise ConfigurationError("private training needs the package dp-accounting", remedy="pip install 'assay[dp]'") from error
    return dp_accounting


def _event(noise: float, rate: float, steps: int) -> Any:
    dp = _accounting()
    return dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise)), steps)


def _epsilon(noise: float, delta: float, rate: float, steps: int) -> float:
    """What `steps` noisy steps spend."""
    return float(_accounting().rdp.RdpAccountant(_ORDERS).compose(_event(noise, rate, steps)).get_epsilon(delta))


def _noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least noise that spends no more than `epsilon`."""
    dp = _accounting()
    found = dp.calibrate_dp_mechanism(
        lambda: dp.rdp.RdpAccountant(_ORDERS), lambda noise: _event(noise, rate, steps), epsilon, delta, tol=1e-4
    )
    return float(found)
