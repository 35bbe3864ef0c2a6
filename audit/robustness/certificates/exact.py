"""Exact robustness of small ReLU networks by mixed-integer programming (Tjeng et al., 2019, arXiv:1711.07356)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from audit.robustness.certificates.exact_bounds import NeuronBounds, neuron_bounds
from audit.robustness.certificates.exact_network import DenseNetwork, decision_logits
from audit.robustness.certificates.exact_program import Program
from audit.robustness.certificates.exact_region import LawfulRegion
from audit.robustness.forward import decided
from audit.robustness.labelled_rows import require_labelled
from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.perturbation import Norm


@dataclass(frozen=True)
class Exact:
    """What is true of each row.

    Args:
        robust: Rows that are right and stay so in the whole ball, proven ``(N,)``, bool.
        decided: Rows of which that is known, one way or the other ``(N,)``, bool.
        adversarial: Of a row that falls an input at which the classifier itself is wrong, else the row ``(N, *S)``.
        unstable: How many activations have a corner in the region, each a binary variable ``(N,)``.
        nodes: Nodes of the solver's search trees, in all.
    """

    robust: Tensor
    decided: Tensor
    adversarial: Tensor
    unstable: Tensor
    nodes: int


def exact_robust(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm = "Linf",
    threshold: float = 0.5,
    constrained: bool = False,
    nodes: int = 10_000,
    binaries: int = 100,
) -> Exact:
    """Decide for each row whether any change up to `eps` makes the classifier wrong.

    The least margin over each other class is sought by branch and bound, with a binary variable for each activation
    that bounds leave open. A row is robust where every margin stays above what rounding in 32 bits and the
    solver's tolerances could hide, and falls where the classifier itself is wrong at an input that was found;
    a row that is neither, or takes more than `nodes` or `binaries`, is undecided.

    Args:
        classifier: Affine layers, ReLU and leaky ReLU in a row.
        inputs: Rows ``(N, *S)``.
        labels: Their classes ``(N,)``.
        eps: Radius, in units of change (a fraction of each feature's range).
        norm: ``"Linf"`` or ``"L1"``.
        threshold: Of two classes, the probability of the event at which it is presumed.
        constrained: Whether only valid rows count: whole numbers, one category a group, relations, immutable features and directions.
        nodes: Nodes of the search tree for each margin at most.
        binaries: Unstable activations of a row at most.

    Raises:
        NotApplicableError: If the network is no such network, the norm is L2, or every row that simpler bounds leave open has
            too many unstable activations; the message says how many.
        DataError: If there are no rows, or a label is no class.
        ConfigurationError: If eps is negative or a limit is none.
    """
    _require(classifier, inputs, labels, eps, threshold, nodes, binaries)
    network = DenseNetwork.of(classifier, threshold=threshold)
    x, y = inputs.cpu(), labels.cpu()
    apart = network.require_alike(classifier, x, threshold=threshold)
    right = _right(classifier, x, y, threshold)
    modality = modality_of(classifier.schema)
    # A row that is itself no valid one has no valid rows around it to ask about.
    asked = right & modality.valid(x) if constrained else right
    robust, known, adversarial = torch.zeros_like(right), ~right, x.clone()
    unstable = torch.zeros(len(x), dtype=torch.int64)
    spent, refused = 0, False
    widest = max(weight.shape[0] for weight in network.weights)
    for rows in torch.split(asked.nonzero()[:, 0], chunk_size((2 * widest * max(widest, prod(x.shape[1:])),))):
        region = LawfulRegion.around(classifier, x[rows], eps=eps, norm=norm, constrained=constrained)
        bounds = neuron_bounds(network, region, y[rows])
        tolerance = bounds.tolerance + 10 * apart
        unstable[rows] = bounds.unstable
        # Where nothing can change there is nothing to prove.
        proven = (bounds.margins.amin(1) > tolerance) | (region.lower == region.upper).all(1)
        robust[rows], known[rows] = proven, proven
        search = _Search(classifier, network, region, bounds, y[rows], tolerance, threshold, constrained, nodes)
        for place in (~proven).nonzero()[:, 0].tolist():
            fallen = search.at_corner(place)
            if fallen is None and bounds.unstable[place] > binaries:
                refused = True
                continue
            holds = False
            if fallen is None:
                holds, fallen, used = search.solve(place)
                spent += used
            row = rows[place]
            robust[row], known[row] = holds, holds or fallen is not None
            if fallen is not None:
                adversarial[row] = fallen
    if refused and not known[right].any():
        least = int(unstable[right & ~known].min())
        raise NotApplicableError(
            f"not exactly certifiable at eps = {eps:g}: every row has {least} or more unstable activations, at most {binaries} are tried",
            remedy="a smaller eps, a smaller network, or binaries = more",
        )
    return Exact(robust, known, adversarial, unstable, spent)


@dataclass(frozen=True)
class _Search:
    """What is needed to decide rows of one chunk."""

    classifier: Classifier
    network: DenseNetwork
    region: LawfulRegion
    bounds: NeuronBounds
    labels: Tensor
    tolerance: Tensor
    threshold: float
    constrained: bool
    nodes: int

    def at_corner(self, place: int) -> Tensor | None:
        """Of the corners that the bounds point to one at which the classifier is wrong ``(*S)``, if one is."""
        slopes = self.bounds.slopes[place]
        corners = torch.where(slopes > 0, self.region.lower[place], self.region.upper[place])
        return self._wrong(place, corners) if self.region.ball.norm == "Linf" else None

    def solve(self, place: int) -> tuple[bool, Tensor | None, int]:
        """Whether a row is proven robust, an input at which it is wrong ``(*S)``, and the nodes it took."""
        label, margins, tolerance = int(self.labels[place]), self.bounds.margins[place], float(self.tolerance[place])
        here, spent, proven = self.region[torch.tensor([place])], 0, True
        # Relations may be missed by a rounding: what holds with that allowance holds; what falls is looked for without, too.
        for slack in (True, False) if len(self.region.law.values) else (True,):
            program = Program(self.network, here, self.bounds, place, slack=slack)
            for other in margins.argsort().tolist():
                if margins[other] > tolerance:
                    break
                for first in (True, False):
                    solved = program.least_margin(label, other, ceiling=tolerance, nodes=self.nodes, first=first)
                    spent += solved.nodes
                    if solved.point is None:
                        break
                    fallen = self._wrong(place, torch.from_numpy(solved.point)[None])
                    if fallen is not None:
                        return False, fallen, spent
                proven &= solved.least > tolerance or not slack
            if proven:
                return True, None, spent
        return False, None, spent

    def _wrong(self, place: int, points: Tensor) -> Tensor | None:
        """The first of some points ``(n, D)``, made an input of the region, at which the classifier itself is wrong."""
        candidates = self.region[torch.full((len(points),), place)].inside(points)
        wrong = ~_right(self.classifier, candidates, self.labels[place].expand(len(points)), self.threshold)
        if self.constrained:
            wrong &= modality_of(self.classifier.schema).valid(candidates)
        return candidates[wrong.nonzero()[0, 0]] if wrong.any() else None


def _right(classifier: Classifier, x: Tensor, y: Tensor, threshold: float) -> Tensor:
    logits = decision_logits(classifier, x, threshold=threshold).cpu()
    if not logits.isfinite().all():
        raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
    return decided(logits) == y


def _require(classifier: Classifier, x: Tensor, y: Tensor, eps: float, threshold: float, nodes: int, binaries: int) -> None:
    if not 0 <= eps < float("inf"):
        raise ConfigurationError(f"eps must be at least 0 and finite, got {eps}")
    if not 0 < threshold < 1:
        raise ConfigurationError(f"threshold must lie between 0 and 1, got {threshold}")
    if nodes < 1 or binaries < 0:
        raise ConfigurationError(f"nodes must be at least 1 and binaries at least 0, got {nodes} and {binaries}")
    require_labelled("an exact answer", len(x), y, classifier)
