"""Tables whose valid rows are few or linear enough that the truth about them is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from torch import Tensor, nn

from audit.robustness.attempt import Attempt
from classifier import Classifier, Feature, Relation, Schema
from classifier.modality import modality_of
from classifier.perturbation import Norm, PerturbationSet

FEATURES = (
    Feature("income", "continuous", low=-1.0, high=3.0),
    Feature("months", "integer", low=0.0, high=10.0),
    Feature("rooms", "integer", low=0.0, high=7.0, direction="increase"),
    Feature("debt", "continuous", low=0.0, high=1.0, direction="decrease"),
    Feature("age", "integer", low=0.0, high=5.0, mutable=False),
    Feature("flag", "binary", low=0.0, high=1.0),
    Feature("home", "categorical", categories=("rent", "own", "free")),
)
RELATIONS: dict[str, tuple[Relation, ...]] = {
    "none": (),
    "at most": (Relation({"income": 1, "months": -1}, "<=", 0.5),),
    "two": (Relation({"months": 2, "rooms": 3, "age": -1}, "<=", 22.0), Relation({"income": 1, "debt": 1}, "<=", 2.5)),
    "equal": (Relation({"months": 1, "rooms": 1, "income": -2}, "==", 2.0),),
}


@pytest.fixture(scope="session")
def make_table() -> Callable[..., tuple[Classifier, Tensor, Tensor]]:
    """From a relation's name and a seed to a linear classifier, valid rows and what it decides of them."""

    def make(relation: str, seed: int, *, encoding: str = "unit", classes: int = 2, rows: int = 20) -> tuple[Classifier, Tensor, Tensor]:
        schema = Schema("tabular", FEATURES, RELATIONS[relation], encoding=encoding)  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(seed)
        width = len(schema.columns)
        module = nn.Linear(width, classes)
        module.weight.data = torch.randn(classes, width, generator=generator) / schema.scale
        module.bias.data = 0.1 * torch.randn(classes, generator=generator) - module.weight.data @ modality_of(schema).neutral()
        classifier = Classifier.wrap(module, schema=schema, classes=[f"class {number}" for number in range(classes)])
        x = valid_rows(schema, torch.rand(4000, width, generator=generator))[:rows]
        return classifier, x, classifier.predict(x)

    return make


def valid_rows(schema: Schema, share: Tensor) -> Tensor:
    low, high = schema.bounds
    x = low + (high - low) * share
    for feature in schema.features:
        columns = schema.groups[feature.name]
        if feature.kind == "categorical":
            x[:, columns] = nn.functional.one_hot(x[:, columns].argmax(1), feature.width).float()
        elif feature.kind in ("integer", "binary"):
            span = feature.span if schema.encoding == "unit" else 1.0
            x[:, columns] = (x[:, columns] * span).round() / span
    if any(relation.sense == "==" for relation in schema.relations):
        table = schema.decode(x)
        table["income"] = (table["months"] + table["rooms"] - 2) / 2
        x = schema.encode(table[table["income"].between(-1, 3)])
    return x[modality_of(schema).valid(x)]


@pytest.fixture(scope="session")
def exact_margins() -> Callable[..., NDArray[np.float64]]:
    """How far a linear classifier's best other class can rise above the label among valid rows, by integer programming ``(N,)``."""

    def exact(classifier: Classifier, x: Tensor, y: Tensor, eps: float) -> NDArray[np.float64]:
        schema, module = classifier.schema, classifier.module
        assert isinstance(module, nn.Linear)
        allowed = PerturbationSet.around(x, schema, eps=eps)
        low, high = (bound.double().numpy() for bound in allowed.cube)
        whole, factor = np.zeros(x.shape[1]), np.ones(x.shape[1])
        for feature in schema.features:
            columns = schema.groups[feature.name]
            whole[columns] = feature.kind != "continuous"
            factor[columns] = 1 / feature.span if feature.kind == "integer" and schema.encoding == "unit" else 1.0
        lines, least, most = _constraints(schema, factor)
        low = np.where(whole, np.ceil(low / factor - 1e-4), low / factor)
        high = np.where(whole, np.floor(high / factor + 1e-4), high / factor)
        weight, bias = module.weight.double().numpy(), module.bias.double().numpy()
        margins = np.full(len(x), -np.inf)
        for row, label in enumerate(y.tolist()):
            for other in set(range(len(weight))) - {label}:
                slope = (weight[other] - weight[label]) * factor
                found = milp(
                    -slope, integrality=whole, bounds=Bounds(low[row], high[row]), constraints=LinearConstraint(lines, least, most)
                )
                if found.status == 0:
                    margins[row] = max(margins[row], bias[other] - bias[label] - found.fun)
        return margins

    return exact


def _constraints(schema: Schema, factor: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[float], list[float]]:
    """The relations, and that each category is one, over columns in whole steps."""
    lines, least, most = [], [], []
    for feature in schema.features:
        if feature.kind == "categorical":
            line = np.zeros(len(factor))
            line[schema.groups[feature.name]] = 1
            lines, least, most = [*lines, line], [*least, 1.0], [*most, 1.0]
    for relation in schema.relations:
        line, rest = np.zeros(len(factor)), relation.value
        for name, weight in relation.weights.items():
            column, feature = schema.groups[name].start, schema[name]
            line[column] = weight * factor[column] * (feature.span if schema.encoding == "unit" else 1.0)
            rest -= weight * (feature.low or 0.0) if schema.encoding == "unit" else 0.0
        lines, least, most = [*lines, line], [*least, rest if relation.sense == "==" else -np.inf], [*most, rest]
    return np.array(lines), least, most


@pytest.fixture(scope="session")
def make_attempt() -> Callable[..., Attempt]:
    """An attempt on rows of a table, of which only valid ones count unless said."""

    def make(
        classifier: Classifier, x: Tensor, y: Tensor, eps: float, norm: Norm = "Linf", *, law: bool = True, names: Tensor | None = None
    ) -> Attempt:
        allowed = PerturbationSet.around(x, classifier.schema, eps=eps, norm=norm, constrained=law)
        modality = modality_of(classifier.schema) if law else None
        return Attempt(classifier.logits, allowed, y, torch.arange(len(x)) if names is None else names, modality)

    return make
