"""What the attacks on tables and the costs of single features must find where every valid row can be written down."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audit.robustness.attacks.constrained_apgd import ConstrainedAPGD
from audit.robustness.attacks.evolutionary import Evolutionary
from audit.robustness.attempt import Attempt
from audit.robustness.tables.costs import feature_costs
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.modality import modality_of
from classifier.perturbation import PerturbationSet
from classifier.schema import Feature, Relation, Schema
from classifier.seeds import Seed

# Of a range of 8 steps this allows 2.
_EPS = 0.3
_STEPS = 8


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A linear classifier of whole numbers under a relation: both attacks, and the costs, against every valid row."""
    generator = seed.child("tables").torch()
    features = tuple(Feature(name, "integer", low=0.0, high=float(_STEPS)) for name in "abc")
    schema = Schema("tabular", features, (Relation({"a": 1.0, "b": 1.0, "c": -1.0}, "<=", 4.0),))
    module = nn.Linear(3, 2)
    module.weight.data = torch.randn(2, 3, generator=generator)
    # Through no row, or the decision there would be a matter of rounding.
    module.bias.data = -module.weight.data @ torch.tensor([0.47, 0.54, 0.51])
    classifier = Classifier.wrap(module, schema=schema, classes=("right", "left"))
    modality = modality_of(schema)
    lattice = torch.cartesian_prod(*[torch.arange(_STEPS + 1)] * 3) / _STEPS
    lattice = lattice[modality.valid(lattice)]
    x = lattice[torch.randperm(len(lattice), generator=generator)[:30]]
    y, decided = classifier.predict(x), classifier.predict(lattice)
    near = (lattice - x[:, None]).abs().amax(2) <= _EPS
    robust = ~(near & (decided != y[:, None])).any(1)
    attempt = Attempt(classifier.logits, PerturbationSet.around(x, schema, eps=_EPS), y, torch.arange(len(x)), modality)
    for attack in (ConstrainedAPGD(), Evolutionary(generations=20)):
        attack(attempt, seed.child(attack.id))
    broken = (attempt.broken == ~robust).double().mean().item()
    found = feature_costs(classifier, x).change.abs().nan_to_num(torch.inf)
    alike = (found == _least(lattice, decided, x, y)).double().mean().item()
    said = "the attacks on tables break the rows that a valid row within reach breaks, and no others"
    return [
        KnownAnswer("robustness.valid_rows", said, 1.0, broken, 1e-9),
        KnownAnswer("robustness.feature_costs", "the least change of one feature alone is found", 1.0, alike, 1e-9),
    ]


def _least(lattice: Tensor, decided: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The least steps of each feature alone to a valid row that is decided otherwise ``(N, 3)``, by looking at all."""
    apart = ((lattice - x[:, None]) * _STEPS).round()
    turns = decided != y[:, None]
    others = (apart != 0).sum(2, keepdim=True) - (apart != 0).long()
    alone = (others == 0) & (apart != 0) & turns[..., None]
    return torch.where(alone, apart.abs(), torch.inf).amin(1).double()
