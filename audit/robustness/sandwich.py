"""The sandwich: what is proven of each row, what is exactly so, and what no attack has broken, held against each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from audit.robustness.attacking import attack
from audit.robustness.certificates.certifying import certify
from audit.robustness.certificates.exact import exact_robust
from audit.robustness.certificates.margins import Relaxation
from classifier.classifier import Classifier
from classifier.errors import InternalError, NotApplicableError
from classifier.modality import modality_of
from classifier.seeds import Seed

Kind = Literal["any", "valid"]
#: The exact answers that there are of a row.
ROBUST, FALLEN, UNDECIDED = 1, 0, -1


@dataclass
class Sandwich:
    """What is known of each row so far, by radius and kind of rows.

    What holds within a radius holds within a smaller one, and what holds for any row holds for valid ones; what falls
    falls the other way round. So each row is asked only where that does not tell. But neither the exact answer nor an attack
    takes anything from the bounds: what is proven is held against both.

    Args:
        classifier: What decides.
        x: Rows ``(N, *S)``.
        y: Their classes ``(N,)``.
        asked: Which rows the exact answer is sought for ``(N,)``, bool.
        methods: Bounds that are tried, the cheapest first.
        nodes: Nodes of the solver's search tree for each margin at most.
        binaries: Unstable activations of a row at most, beyond which its exact answer is not sought.
        suite: What rows that are not proven are attacked with.
        threshold: Of two classes, the probability of the event at which it is presumed.
    """

    classifier: Classifier
    x: Tensor
    y: Tensor
    asked: Tensor
    methods: tuple[Relaxation, ...]
    nodes: int
    binaries: int
    suite: str
    threshold: float
    #: Which rows are decided rightly ``(N,)``.
    right: Tensor = field(init=False)
    #: Which are proven to stay so ``(N,)``, and how many each method proved.
    certified: dict[tuple[float, Kind], Tensor] = field(default_factory=dict)
    by: dict[tuple[float, Kind], dict[str, int]] = field(default_factory=dict)
    #: The exact answer of the rows that were asked about: `ROBUST`, `FALLEN` or `UNDECIDED` ``(N,)``, and why there is none.
    states: dict[tuple[float, Kind], Tensor] = field(default_factory=dict)
    unstable: dict[tuple[float, Kind], int] = field(default_factory=dict)
    refused: dict[tuple[float, Kind], str] = field(default_factory=dict)
    #: Which rows no attack broke ``(N,)``.
    attacked: dict[tuple[float, Kind], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # At eps = 0 a row is certified where it is right; a network that cannot be bounded is refused here.
        model = self.classifier
        self.right = certify(model, self.x, self.y, eps=0.0, method=self.methods[0], threshold=self.threshold)
        fall, rise = modality_of(model.schema).movable
        self._all_move = bool((fall & rise).all())
        # Levels of pixels are close, and categories far apart.
        self._gridded = model.schema.modality == "tabular" and any(feature.kind != "continuous" for feature in model.schema.features)

    def certify(self, eps: float, kind: Kind) -> None:
        """Bound each row that is right and not known to be certified."""
        known = torch.zeros_like(self.right)
        for (other, whose), found in self.certified.items():
            known |= found if other >= eps and whose in ("any", kind) else False
        counts = {"known": int(known.sum())}
        found = known.clone()
        # Where everything may move either way, bounds of valid rows are those of any.
        methods = () if kind == "valid" and self._all_move else self.methods
        for method in methods:
            rows = (self.right & ~found).nonzero()[:, 0]
            if len(rows):
                found[rows] = certify(
                    self.classifier, self.x[rows], self.y[rows], eps=eps, method=method,
                    threshold=self.threshold, constrained=kind == "valid",
                )  # fmt: skip
            counts[method] = int(found.sum()) - sum(counts.values())
        if kind == "valid" and self._gridded:
            rows = (self.right & ~found).nonzero()[:, 0]
            found[rows] = self._lawful(eps, rows)
            counts["law"] = int(found.sum()) - sum(counts.values())
        self.certified[eps, kind], self.by[eps, kind] = found, counts

    def _lawful(self, eps: float, rows: Tensor) -> Tensor:
        """Rows proven by bounds that know that valid rows have whole numbers and one category a group ``(n,)``."""
        nothing = torch.zeros(len(rows), dtype=torch.bool)
        if len(rows) == 0:
            return nothing
        try:
            return exact_robust(
                self.classifier, self.x[rows], self.y[rows], eps=eps, threshold=self.threshold,
                constrained=True, nodes=1, binaries=0,
            ).robust  # fmt: skip
        except NotApplicableError:
            # What the exact answer does not know, such bounds do not know either.
            return nothing

    def decide(self, eps: float, kind: Kind) -> None:
        """Seek the exact answer for the rows of the subsample."""
        smaller = [reason for (other, whose), reason in self.refused.items() if other <= eps and whose == kind]
        if smaller:
            # More may change within a larger radius, and more neurons switch.
            self.refused[eps, kind] = smaller[0]
            return
        state = torch.full(self.right.shape, UNDECIDED, dtype=torch.int8)
        state[~self.right] = FALLEN
        for (other, whose), earlier in self.states.items():
            state[(earlier == ROBUST) & (other >= eps and whose in ("any", kind))] = ROBUST
            state[(earlier == FALLEN) & (other <= eps and whose == kind)] = FALLEN
        rows = (self.asked & (state == UNDECIDED)).nonzero()[:, 0]
        self.unstable[eps, kind] = 0
        if len(rows):
            try:
                found = exact_robust(
                    self.classifier, self.x[rows], self.y[rows], eps=eps, threshold=self.threshold,
                    constrained=kind == "valid", nodes=self.nodes, binaries=self.binaries,
                )  # fmt: skip
            except NotApplicableError as error:
                self.refused[eps, kind] = str(error)
                return
            state[rows[found.robust]] = ROBUST
            state[rows[found.decided & ~found.robust]] = FALLEN
            self.unstable[eps, kind] = int(found.unstable.max())
        # What the search had to leave open is known all the same where it is proven.
        state[self.certified[eps, kind] & (state == UNDECIDED)] = ROBUST
        self.states[eps, kind] = state

    def attack(self, eps: float, kind: Kind, seed: Seed) -> None:
        """Attack each row that is right and was not broken where less could change.

        Those that are proven are attacked too, by the quick suite: what breaks a proof is a fault of an engine, which shows
        in many rows, and not how strong an attack is.

        Raises:
            InternalError: If a row falls that is proven to stand, or is exactly known to.
        """
        left = self.right.clone()
        for (other, whose), standing in self.attacked.items():
            left &= standing if other <= eps and whose in ("valid", kind) else True
        proven = self.certified[eps, kind]
        for suite, rows in ((self.suite, (left & ~proven).nonzero()[:, 0]), ("quick", (left & proven).nonzero()[:, 0])):
            if len(rows):
                left[rows] = attack(
                    self.classifier, self.x[rows], self.y[rows], eps=eps, suite=suite, constrained=kind == "valid",
                    threshold=self.threshold, prove=False, seed=seed.child("attack", kind, f"{eps:g}").integer(),
                ).robust  # fmt: skip
        self.attacked[eps, kind] = left
        _require_order(proven, left, f"proven at eps = {eps:g} and yet broken by an attack")
        if (eps, kind) in self.states:
            exact = self.states[eps, kind]
            _require_order(proven, exact != FALLEN, f"proven at eps = {eps:g} and yet not exactly robust")
            _require_order(exact == ROBUST, left, f"exactly robust at eps = {eps:g} and yet broken by an attack")

    def decided(self, kind: Kind) -> int:
        """How many rows an exact answer was sought for and found at some radius."""
        return int(self.asked.sum()) if any(whose == kind for _, whose in self.states) else 0


def _require_order(less: Tensor, more: Tensor, what: str) -> None:
    wrong = int((less & ~more).sum())
    if wrong:
        raise InternalError(f"{wrong} rows are {what}", remedy="report this: a bound or an attack is wrong, and neither can be quoted")
