"""Audits made by hand, whose every number is known: what two classifiers decided of the same rows, and a policy on it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.bundle import Audit, Identity
from audit.evidence import Evidence
from audit.policy import Policy
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import mean, proportion, roc_auc_metric

TODAY = datetime.date(2026, 6, 1)
IDENTITY = Identity(
    name="loans", classifier="ab" * 32, architecture="mlp", classes=("good", "bad"), event="bad", favourable="good", threshold=0.5,
    features=3, data={"test": "cd" * 32, "training": "ef" * 32}, rows={"test": 200, "training": 600}, independence="held out",
    source={"name": "loans.csv", "sha256": "01" * 32}, protected=("age",), protected_inputs=(), declarations={"intended_use": "tests"},
)  # fmt: skip
RULES: list[dict[str, Any]] = [
    {"id": "RIGHT", "metric": "performance.accuracy", "min": 0.6, "set_by": "committee", "rationale": "a test"},
    {"id": "ATTACK", "metric": "robustness.accuracy", "min": 0.3, "set_by": "committee", "rationale": "a test"},
]
MakeAudit = Callable[..., Audit]


@pytest.fixture(scope="session")
def make_audit() -> MakeAudit:
    """An audit from the event's probability of each row, and from which rows stood an attack."""

    def make(
        event: NDArray[np.float64],
        labels: NDArray[np.int64],
        /,
        *,
        robust: NDArray[np.bool_] | None = None,
        arrays: bool = True,
        more: Sequence[Evidence] = (),
        rules: Sequence[Mapping[str, Any]] | None = None,
        waivers: Sequence[Mapping[str, Any]] = (),
        profile: str = "quick",
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        **identity: Any,
    ) -> Audit:
        ids = np.arange(len(labels))[::-1].copy()
        probabilities, right = np.c_[1 - event, event], (event >= 0.5) == (labels == 1)
        losses = -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, None))
        evidence = [
            Evidence(
                check="performance.accuracy",
                metrics=(
                    proportion("performance.accuracy", right),
                    roc_auc_metric("performance.roc_auc", event, labels == 1),
                    mean("performance.log_loss", losses, Seed(0), better="lower"),
                ),
                parameters={"resamples": 2000, "threshold": 0.5},
                arrays={"ids": ids, "labels": labels, "probabilities": probabilities} if arrays else {},
            ),
            *more,
        ]
        if robust is not None:
            where = {"eps": 0.1, "norm": "Linf", "rows": "any"}
            evidence.append(
                Evidence(
                    check="robustness.attack",
                    metrics=(proportion("robustness.accuracy", robust, bound="upper").measured_on(**where),),
                    parameters={"eps": [0.1], "suite": "quick", "evaluations": int(event.sum()), **(options or {})},
                    arrays={"ids": ids, "robust_any_0.1": robust} if arrays else {},
                )
            )
        policy = Policy.model_validate({"policy": {"id": "loans-v1"}, "rule": RULES if rules is None else rules, "waiver": list(waivers)})
        return Audit(
            identity=replace(IDENTITY, **identity),
            profile=profile,
            seed=seed,
            policy={"id": policy.policy.id, "sha256": policy.digest} if policy.rule else {},
            evidence=tuple(evidence),
            findings=policy.judge(evidence, today=TODAY),
            known_answers=(),
            software={"assay": "1"},
        )

    return make


@pytest.fixture(scope="session")
def labels() -> NDArray[np.int64]:
    """200 rows, 60 of them events."""
    return (np.arange(200) % 10 < 3).astype(np.int64)


@pytest.fixture(scope="session")
def event(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities that decide 80 % of the rows rightly, and rank well."""
    generator = np.random.default_rng(0)
    return np.asarray(np.clip(0.3 + 0.4 * labels + generator.normal(0, 0.2, len(labels)), 0.01, 0.99))


@pytest.fixture(scope="session")
def worse(event: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same, but that a quarter of the rows are now decided the other way round."""
    turned = np.arange(len(labels)) % 4 == 0
    return np.where(turned & ((event >= 0.5) == (labels == 1)), 1 - event, event)


@pytest.fixture(scope="session")
def counted() -> Callable[[int], Evidence]:
    """Evidence of so many duplicates across the split."""
    return lambda count: Evidence("data.quality", (Metric.counted("data.duplicates_across_splits", float(count), 200, better="lower"),))
