"""Whole audits of classifiers of series and of graphs: a check runs, or says why it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from audit import Subject, run
from audit.configuration import Configuration
from audit.robustness import attack
from classifier import Dataset
from classifier.modalities.graph import Graph
from classifier.modality import modality_of
from trainer import Recipe, train

QUICK = {
    "explanation.attribution": {"limit": 8, "background": 3, "samples": 128},
    "robustness.attack": {"limit": 12, "suite": "quick", "eps": (0.2, 0.5)},
    "performance.learning": {"permutations": 50},
    "performance.accuracy": {"resamples": 20},
    "fairness.groups": {"resamples": 20},
}
# What becomes of these on every modality stands in the matrix.
SKIPPED = (
    "robustness.backdoor", "robustness.bounds", "robustness.corruptions", "robustness.distance", "robustness.feature_costs",
    "robustness.invariance", "robustness.out_of_distribution", "robustness.smoothing", "robustness.text_edits", "robustness.transfer",
    "data.label_errors",
)  # fmt: skip
RECIPES = {
    "sequence": Recipe("temporal_cnn", hidden=(8,), epochs=20, learning_rate=0.01, batch_size=16),
    "graph": Recipe("graph_attention", hidden=(8,), epochs=20, learning_rate=0.01, batch_size=16),
}


def dataset(modality: str, count: int = 120, *, labels_only: bool = False) -> Dataset:
    """Series that rise or fall, of 6 to 8 steps; rings with or without a chord, whose nodes hold a number or a label alone."""
    generator = np.random.default_rng(0)
    cells = np.empty(count, dtype=object)
    classes = np.arange(count) % 2
    for index, label in enumerate(classes):
        length = int(generator.integers(6, 9))
        noise = generator.normal(0, 0.1, length)
        if modality == "sequence":
            cells[index] = np.linspace(0, 1 if label else -1, length) + noise
        else:
            ring = np.stack([np.arange(length), (np.arange(length) + 1) % length], 1)
            nodes = {"kind": generator.choice(["C", "N"], length)} if labels_only else {"level": label + noise}
            cells[index] = Graph(pd.DataFrame(nodes), np.concatenate([ring, [[0, 3]]]) if label else ring)
    frame = pd.DataFrame({"case": pd.Series(cells, dtype=object), "rises": np.where(classes, "yes", "no")})
    return Dataset.from_frame(
        frame.assign(site=generator.choice(["north", "south"], count)),
        target="rises", event="yes", favourable="no", protected=("site",), modality=modality,
    )  # fmt: skip


def subject(modality: str, *, labels_only: bool = False) -> Subject:
    splits = dataset(modality, labels_only=labels_only).split(seed=0)
    recipe = RECIPES[modality]
    return Subject(
        splits.test, classifier=train(splits, recipe, progress=False), training=splits.train, validation=splits.validation,
        recipe=recipe, independence="held out",
    )  # fmt: skip


@pytest.mark.parametrize("modality", ["sequence", "graph"])
def test_every_check_runs_where_something_can_change_by_a_little(modality: str) -> None:
    audit = run(subject(modality), options=QUICK, skip=SKIPPED, progress=False)
    reasons = {evidence.check: evidence.not_run for evidence in audit.evidence if evidence.not_run}
    assert reasons == {
        "performance.compression": "the classifier was neither pruned nor quantised",
        "supply_chain.files": "the classifier came in no file",
    }


def test_an_attack_on_labels_and_edges_alone_is_not_applicable_and_says_why() -> None:
    audit = run(subject("graph", labels_only=True), options=QUICK, progress=False, only=("robustness.attack",))
    (evidence,) = audit.evidence
    assert evidence.not_run is not None
    assert evidence.not_run.startswith("what may change in these inputs is there or not, a category or an edge")


@pytest.mark.parametrize("modality", ["sequence", "graph"])
def test_an_attack_stays_in_the_ball_finds_valid_inputs_and_really_fools(modality: str) -> None:
    made = subject(modality)
    test = made.test
    found = attack(made.model, test.inputs, test.labels, eps=0.4, suite="quick", seed=1)
    handler = modality_of(test.schema)
    fallen = found.distance > 0
    assert fallen.any()
    assert handler.valid(found.adversarial).all()
    assert (found.adversarial - test.inputs).abs().max() <= 0.4 + 1e-5
    assert (made.model.predict(found.adversarial[fallen]) != test.labels[fallen]).all()
    fixed = test.schema.groups["(observed)"]
    assert torch.equal(found.adversarial[..., fixed], test.inputs[..., fixed])


def test_graphs_are_explained_by_what_their_nodes_are() -> None:
    evidence = run(subject("graph"), options=QUICK, progress=False, only=("explanation",)).evidence[0]
    told = {metric.name for metric in evidence.metrics}
    assert "explanation.completeness_error" in told
    assert not any(str(metric.where.get("feature", "")).startswith("node ") for metric in evidence.metrics)


TOML = """
[audit]
name = "stays"
[data]
path = "stays.csv"
modality = "sequence"
series = { id = "patient", time = "hour" }
target = "died"
event = "yes"
group = "ward"
[model]
architecture = "attention_recurrent"
"""


def test_a_long_table_is_read_as_its_configuration_says(tmp_path: Path) -> None:
    rows = [
        f"{patient},{hour},{60 + (patient * 7 + hour) % 50},{patient % 20},{'yes' if patient % 2 else 'no'}"
        for patient in range(80)
        for hour in range(3 + patient % 2)
    ]
    (tmp_path / "stays.csv").write_text("patient,hour,pulse,ward,died\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "audit.toml").write_text(TOML, encoding="utf-8")
    splits = Configuration.read(tmp_path / "audit.toml").read_splits(tmp_path)
    assert splits.train.schema.names == ("pulse", "(observed)")
    assert splits.train.schema.size == (4,)
    parts = (splits.train, splits.validation, splits.test)
    assert sum(map(len, parts)) == 80
    wards = [set(part.column("ward")) for part in parts]
    assert not wards[0] & wards[1]
    assert not wards[0] & wards[2]


def test_series_are_of_no_other_modality(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text(TOML.replace('modality = "sequence"\n', ""), encoding="utf-8")
    with pytest.raises(Exception, match='has series, which needs modality = "sequence" too'):
        Configuration.read(tmp_path / "audit.toml")
