"""The completeness gate: shares that a backward pass hands from layer to layer count only if they add up."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import AssayError, ConfigurationError, NotApplicableError, did_you_mean
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.attribution._rules import functions_beside_layers
from explain.availability import available
from explain.method import METHODS, Method, Need, Scores, Task
from explain.output import Kind, Output, resolve_target

Otherwise = Literal["refuse", "integrated_gradients"]

# How far shares may miss their sum, as a part of their sizes in all. In float32, rules that hold miss by 1e-7 in common
# networks and by 2e-4 at most through a hundred layers; rules that do not hold miss by 3e-2 and more in half of all rows
# (benchmarks/propagation.py measures both).
_SHARE = 1e-3
# What rounding leaves of the outputs themselves where the shares are small beside them.
_ROUNDING = 1e-5
_PROBES = 6
_KNOWN: WeakKeyDictionary[Classifier, dict[str, str]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Balance:
    """What was shared out, and what should have been.

    Args:
        shares: What each element of the inputs got ``(N, *S)``.
        due: What all shares should sum to ``(N,)``.
        level: How large the numbers are whose difference `due` is ``(N,)``, which bounds the rounding.
        kept: What went to no element, such as to the biases ``(N,)``; it counts for the sum.
    """

    shares: Tensor
    due: Tensor
    level: Tensor
    kept: Tensor | float = 0.0

    @property
    def gap(self) -> Tensor:
        """How far the shares miss their sum ``(N,)``."""
        return (self.shares.flatten(1).sum(1) + self.kept - self.due).abs()

    @property
    def holds(self) -> Tensor:
        """For which rows they add up ``(N,)``, bool."""
        size = self.shares.flatten(1).abs().sum(1) + torch.as_tensor(self.kept).abs()
        return self.gap <= _SHARE * size + _ROUNDING * self.level

    @property
    def failure(self) -> str:
        """How far the worst row misses, in words; empty where all rows hold."""
        wrong = ~self.holds
        if not wrong.any():
            return ""
        worst = int(torch.where(wrong, self.gap, -1.0).argmax())
        return (
            f"in {int(wrong.sum())} of {len(wrong)} rows its shares do not add up, in the worst by {float(self.gap[worst]):.3g} "
            f"where {float(self.due[worst]):.3g} is due"
        )


@dataclass(frozen=True, kw_only=True)
class GatedMethod(Method):
    """A method whose rules hold for some layers only, and that shows by its sum whether they did.

    Args:
        otherwise: What is done where the rules do not hold: ``"refuse"`` raises an error with the reason, and
            ``"integrated_gradients"`` explains these rows by integrated gradients and says so in the notes.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradient"})
    outputs: ClassVar[frozenset[Kind]] = frozenset({"log_odds", "logit"})
    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "image", "sequence", "graph"})

    otherwise: Otherwise = "refuse"

    def __post_init__(self) -> None:
        if self.otherwise not in get_args(Otherwise):
            raise ConfigurationError(
                f"otherwise must be one of {', '.join(get_args(Otherwise))}, got {self.otherwise!r}",
                remedy=did_you_mean(self.otherwise, get_args(Otherwise)),
            )

    @abstractmethod
    def unsuited(self, classifier: Classifier) -> str:
        """The layer of a network that the rules are not for, as a reason; empty where none is found."""

    @abstractmethod
    def propagate(self, task: Task) -> tuple[Balance, tuple[str, ...]]:
        """Hand the output down to the inputs, with what a reader must know of it."""

    def __call__(self, task: Task, seed: Seed) -> Scores:
        if reason := self._reason(task.classifier):
            return self._otherwise(task, seed, reason)
        balance, notes = self.propagate(task)
        if not (failure := balance.failure):
            return Scores(balance.shares, exact=True, notes=notes)
        # Row by row, so that a row alone gets what it gets among others.
        wrong = ~balance.holds
        instead = self._otherwise(task, seed, f"{failure} ({_numbers(wrong)})")
        chosen = wrong.reshape(-1, *(1,) * (balance.shares.dim() - 1))
        return Scores(torch.where(chosen, instead.attributions, balance.shares), notes=(*notes, *instead.notes))

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        reason = super().obstacle(classifier, rows=rows, background=background, players=players)
        return reason or ("" if self.otherwise == "integrated_gradients" else self._reason(classifier))

    @property
    def _id(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    def _reason(self, classifier: Classifier) -> str:
        """Why the rules do not hold for a network, found out once for each classifier."""
        known = _KNOWN.setdefault(classifier, {})
        key = repr(self)
        if key not in known:
            known[key] = self.unsuited(classifier) or self._probed(classifier)
        return known[key]

    def _probed(self, classifier: Classifier) -> str:
        try:
            failure = self.propagate(probing_task(classifier))[0].failure
        except (AssayError, RuntimeError, TypeError) as error:
            return f"it fails on rows drawn within the bounds: {str(error).splitlines()[0]}"
        if not failure:
            return ""
        called = functions_beside_layers(classifier)
        named = ", ".join(called[:4]) + (", ..." if len(called) > 4 else "")
        cause = f"the network calls {named} as a function, and rules belong to layers (nn.Module)" if called else "no rule is exact here"
        return f"{cause}: of rows drawn within the bounds, {failure}"

    def _otherwise(self, task: Task, seed: Seed, reason: str) -> Scores:
        if self.otherwise == "refuse":
            gated = {name for name in METHODS if issubclass(METHODS[name], GatedMethod)}
            others = [entry.method for entry in available(task.classifier, rows=len(task.x)) if entry.applies and entry.method not in gated]
            raise NotApplicableError(f"{self._id} does not apply: {reason}", remedy=f"these do: {', '.join(others)}")
        scores = METHODS["integrated_gradients"]()(task, seed)
        return Scores(scores.attributions, notes=(f"integrated gradients stood in for {self._id}: {reason}",))


def probing_task(classifier: Classifier) -> Task:
    """Rows within the bounds, the same for every classifier of such inputs, and the middle of the bounds to compare them with."""
    neutral = modality_of(classifier.schema).neutral()
    low, high = classifier.schema.bounds
    draw = torch.rand(_PROBES, *neutral.shape, generator=Seed(0, ("explain", "gate")).torch())
    within = (high - low).isfinite()
    x = torch.where(within, torch.where(within, low, 0.0) + torch.where(within, high - low, 0.0) * draw, neutral + 4 * draw - 2)
    x = x.to(classifier.device)
    return Task(Output.of(classifier, "auto"), x, resolve_target(classifier, x, None), neutral[None].to(x))


def _numbers(chosen: Tensor) -> str:
    found = torch.nonzero(chosen).flatten().tolist()
    return f"rows {', '.join(map(str, found[:10]))}{', ...' if len(found) > 10 else ''}"
