"""What every influence method keeps, for every modality, and what a result can do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import cases
from torch import Tensor, nn

from classifier import Classifier, Dataset
from classifier.calibration import Calibration
from classifier.errors import AssayError, ConfigurationError, DataError, IntegrityError, NotApplicableError
from explain.training_data.influence import Influence
from explain.training_data.influencing import training_influence
from explain.training_data.method import INFLUENCE_METHODS
from trainer import Recipe, train

METHODS = ("influence_functions", "nearest_neighbours", "representer", "tracin", "trak")
ARCHITECTURES = {
    "tabular": "mlp", "image": "cnn", "text": "transformer_text", "sequence": "attention_recurrent", "graph": "graph_attention",
}  # fmt: skip


def test_these_are_all_methods() -> None:
    assert tuple(INFLUENCE_METHODS) == METHODS


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_and_an_input_alone_gets_what_it_gets_among_others(
    network: Classifier, rows: Dataset, asked: Tensor, method: str
) -> None:
    found, again = (training_influence(network, rows, asked, method=method, target=1, seed=3) for _ in range(2))
    alone = training_influence(network, rows, asked[2:3], method=method, target=1, seed=3)
    assert found.scores.shape == (4, 60)
    assert torch.equal(found.scores, again.scores)
    assert torch.allclose(alone.scores[0], found.scores[2], rtol=1e-3, atol=1e-4 * float(found.scores.abs().max()))


def test_another_seed_gives_another_projection(network: Classifier, rows: Dataset, asked: Tensor) -> None:
    one, other = (training_influence(network, rows, asked, method="trak", projections=8, seed=seed) for seed in (0, 1))
    assert not torch.allclose(one.scores, other.scores)


@pytest.mark.parametrize("modality", ARCHITECTURES)
@pytest.mark.parametrize("classes", [2, 10])
def test_every_method_holds_for_every_modality_or_says_why_not(modality: str, classes: int) -> None:
    rows = cases(modality, classes)
    classifier = _untrained(modality, classes)
    some = rows[np.arange(3 * classes)]
    for method in METHODS:
        options: dict[str, Any] = (
            {"layers": ("head",)} if modality == "text" and method in ("tracin", "trak", "influence_functions") else {}
        )
        if modality == "text" and method == "representer":
            with pytest.raises(NotApplicableError, match="these do: influence_functions, nearest_neighbours"):
                training_influence(classifier, some, rows.inputs[:2], method=method)
            continue
        found = training_influence(classifier, some, rows.inputs[:2], method=method, target=0, **options)
        assert found.scores.shape == (2, len(some))
        assert found.scores.isfinite().all()
        assert (found.scores != 0).any()
        # Whatever the method, the row itself speaks for its own class.
        assert found.scores[0, 0] > 0
    assert found.plot("influential_rows").get_title(loc="left")
    assert found[0].plot().get_title(loc="left").startswith("Which of")
    assert "input 0" in found._repr_html_()


@pytest.mark.parametrize("method", METHODS)
def test_a_row_of_another_class_speaks_against(
    fit_linear: Callable[..., Classifier], make_rows: Callable[..., Dataset], method: str
) -> None:
    rows = make_rows(40, 4, 2)
    found = training_influence(fit_linear(rows, l2=0.05), rows, rows.inputs[:10], method=method, target=rows.labels[:10])
    own = found.scores[torch.arange(10), torch.arange(10)]
    assert (own > 0).all()
    other = training_influence(fit_linear(rows, l2=0.05), rows, rows.inputs[:10], method=method, target=1 - rows.labels[:10])
    assert (other.scores[torch.arange(10), torch.arange(10)] < 0).all()


def test_a_single_logit_is_the_same_as_the_two_that_it_stands_for(rows: Dataset, make_network: Callable[..., nn.Module]) -> None:
    two = replace(rows, labels=rows.labels.clamp_max(1), classes=("no", "yes"))
    single = make_network(6, 2, outputs=1)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = single

        def forward(self, x: Tensor) -> Tensor:
            z = self.inner(x)
            return torch.cat([-z / 2, z / 2], dim=1)

    for method in ("tracin", "influence_functions", "trak"):
        one, other = (
            training_influence(Classifier.wrap(module, schema=two.schema, classes=two.classes), two, rows.inputs[:3], method=method)
            for module in (single, Both())
        )
        assert torch.allclose(one.scores, other.scores, rtol=1e-3, atol=1e-5)
        assert one.target.tolist() == [1, 1, 1]


def test_calibration_changes_what_is_asked_and_not_what_was_trained(network: Classifier, rows: Dataset, asked: Tensor) -> None:
    cooled = network.calibrated(Calibration(kind="temperature", temperature=2.0))
    plain, half = (training_influence(each, rows, asked, method="representer", target=0).scores for each in (network, cooled))
    assert torch.allclose(plain, half)
    plain, half = (training_influence(each, rows, asked, method="tracin", target=0).scores for each in (network, cooled))
    ratio = half / plain
    # One factor an input: its own gradient, and not those of the rows, is that of the calibrated loss.
    assert not torch.allclose(plain, half)
    assert ratio.std() > 0
    assert training_influence(cooled, rows, asked, method="trak", target=0).scores.isfinite().all()


def test_several_checkpoints_add_up_with_their_step_sizes(
    network: Classifier, rows: Dataset, asked: Tensor, make_network: Callable[..., nn.Module]
) -> None:
    other = Classifier.wrap(make_network(6, 3, seed=4), schema=rows.schema, classes=rows.classes)
    both = training_influence(network, rows, asked, checkpoints=[network, other], method="tracin", target=0, learning_rates=(0.5, 2.0))
    one, two = (training_influence(each, rows, asked, method="tracin", target=0).scores for each in (network, other))
    assert torch.allclose(both.scores, 0.5 * one + 2.0 * two, atol=1e-5)
    assert both.checkpoint_digests == (network.digest, other.digest)
    assert training_influence(network, rows, asked, checkpoints=[network, other], target=0).method == "tracin"


def test_some_layers_alone_are_what_the_rest_leaves(network: Classifier, rows: Dataset, asked: Tensor) -> None:
    whole, first, last = (
        training_influence(network, rows, asked, method="tracin", layers=layers).scores for layers in ((), ("0",), ("2",))
    )
    assert torch.allclose(whole, first + last, atol=1e-5)


def test_a_black_box_has_nearest_neighbours_and_nothing_else(rows: Dataset, network: Classifier, asked: Tensor) -> None:
    box = Classifier.wrap(lambda x: network.probabilities(x), schema=rows.schema, classes=rows.classes)
    inputs = torch.cat([rows.inputs[7:8], asked])
    found = training_influence(box, rows, inputs, target=rows.classes[int(rows.labels[7])])
    assert found.method == "nearest_neighbours"
    assert found.places(0, "for", 1).tolist() == [7]
    assert float(found.scores[0, 7]) == pytest.approx(1, abs=1e-3)
    for method in set(METHODS) - {"nearest_neighbours"}:
        with pytest.raises(NotApplicableError, match=r"black box; these do: nearest_neighbours$"):
            training_influence(box, rows, asked, method=method)


def test_rows_that_were_not_trained_on_are_told_of(rows: Dataset) -> None:
    splits = cases("tabular", 2).split(seed=0)
    classifier = train(splits, Recipe("logistic", epochs=2), progress=False)
    inputs = splits.test.inputs[:2]
    assert "the training record names other rows" in " ".join(training_influence(classifier, splits.test, inputs).notes)
    assert "other rows" not in " ".join(training_influence(classifier, splits.train, inputs).notes)


def test_auto_takes_influence_functions_and_trak_where_they_would_take_long(
    network: Classifier, rows: Dataset, asked: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert training_influence(network, rows, asked).method == "influence_functions"
    monkeypatch.setattr("explain.training_data.influencing._AFFORDABLE", 100)
    assert training_influence(network, rows, asked).method == "trak"


def test_what_is_saved_comes_back_without_loss(network: Classifier, rows: Dataset, asked: Tensor, tmp_path: Path) -> None:
    found = training_influence(network, rows, asked, method="tracin", layers=("2",))
    found.save(tmp_path / "influence.safetensors")
    again = Influence.load(tmp_path / "influence.safetensors")
    for name, value in vars(found).items():
        other = getattr(again, name)
        assert torch.equal(value, other) if isinstance(value, Tensor) else value == other, name
    (tmp_path / "broken").write_bytes(b"12345678")
    for path, words in ((tmp_path / "absent", "is missing"), (tmp_path / "broken", "no safetensors file")):
        with pytest.raises(IntegrityError, match=words):
            Influence.load(path)


def test_tables_tell_the_strongest_rows_in_natural_units(network: Classifier, rows: Dataset, asked: Tensor) -> None:
    found = training_influence(network, rows, asked, method="tracin", target=1)
    frame = found.to_frame()
    assert len(frame) == 4 * 60
    assert frame["score"].to_numpy() == pytest.approx(found.scores.flatten().numpy())
    top = found.top(2)
    assert top.columns.tolist() == ["input", "side", "id", "label", "score", *rows.schema.names]
    for index, lines in top.groupby("input"):
        of_input = frame[frame["input"] == index].sort_values("score")
        assert lines["score"].tolist() == pytest.approx([*of_input["score"][:-3:-1], *of_input["score"][:2]])
    assert found[1:3].scores.shape == (2, 60)
    assert torch.equal(found[-1].scores[0], found.scores[3])
    assert found.strength().shape == (60,)


def test_markup_in_names_stays_text(credit: Classifier, applicants: Tensor) -> None:
    rows = Dataset(applicants, torch.tensor([0, 1, 0]), np.arange(3), credit.schema, credit.classes, cases("tabular", 2).attributes[:3])
    found = training_influence(credit, rows, applicants[:1])
    page = found._repr_html_()
    assert "<b>" not in page
    assert "purpose &lt;b&gt;" in page
    assert "<script" not in page
    texts = [text.get_text() for text in found.plot().texts]
    assert any("bad & <late>" in text for text in texts)


def test_a_cell_is_marked_where_the_training_row_differs(credit: Classifier, applicants: Tensor) -> None:
    rows = Dataset(applicants[:1], torch.tensor([1]), np.arange(1), credit.schema, credit.classes, cases("tabular", 2).attributes[:1])
    same = training_influence(credit, rows, applicants[:1], method="tracin").plot()
    other = training_influence(credit, rows, applicants[1:2], method="nearest_neighbours").plot()
    assert len(same.patches) == 0
    assert len(other.patches) == 3


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"method": "tracing"}, ConfigurationError, "did you mean 'tracin'"),
        ({"method": "tracin", "layer": ("2",)}, ConfigurationError, "did you mean 'layers'"),
        ({"steps": 3}, ConfigurationError, "options need a named method"),
        ({"method": "tracin", "layers": ("9",)}, ConfigurationError, "no layer '9' with weights; there are: 0, 2"),
        ({"method": "nearest_neighbours", "layer": "9"}, ConfigurationError, "no layer '9'; there are: 0, 1, 2"),
        ({"method": "tracin", "learning_rates": (0.1, 0.2)}, ConfigurationError, "one for each of the 1 checkpoints, got 2"),
        ({"method": "tracin", "learning_rates": (-1.0,)}, ConfigurationError, "above 0 and finite"),
        ({"method": "influence_functions", "damping": -1.0}, ConfigurationError, "damping must be at least 0"),
        ({"method": "influence_functions", "curvature": "flat"}, ConfigurationError, "curvature must be"),
        ({"method": "influence_functions", "curvature": "hessian", "damping": 0.0}, AssayError, "not positive"),
        ({"method": "trak", "projections": 0}, ConfigurationError, "projections must be at least 1"),
        ({"method": "representer", "refit": False}, NotApplicableError, "take refit=True"),
        ({"method": "representer", "l2": 0.0}, ConfigurationError, "l2 must be above 0"),
        ({"target": 7}, ConfigurationError, "target must lie in 0 to 2"),
        ({"inputs": torch.zeros(3, 5)}, ConfigurationError, re.escape("(N, 6)")),
        ({"inputs": torch.zeros(6)}, ConfigurationError, "a single input x is the batch"),
        ({"inputs": torch.full((1, 6), torch.nan)}, DataError, "must be finite"),
        ({"inputs": np.zeros((1, 6))}, ConfigurationError, "must be a tensor"),
        ({"checkpoints": ["epoch-1"]}, ConfigurationError, "the 1. is a str"),
        ({"method": "representer", "checkpoints": None}, ConfigurationError, "these take them: tracin, trak"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(
    network: Classifier, rows: Dataset, asked: Tensor, change: dict[str, Any], error: type[AssayError], words: str
) -> None:
    given = {"inputs": asked, **change}
    if given.get("checkpoints", ()) is None:
        given["checkpoints"] = [network]
    with pytest.raises(error, match=words):
        training_influence(network, rows, **given)


def test_rows_for_another_classifier_are_refused(network: Classifier, rows: Dataset, asked: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="classes a, b, c, and the classifier"):
        training_influence(network, replace(rows, classes=("a", "b", "c")), asked)
    with pytest.raises(ConfigurationError, match=r"got \(60, 5\)"):
        training_influence(network, replace(rows, inputs=rows.inputs[:, :5]), asked)
    with pytest.raises(ConfigurationError, match="shows one input, got 4"):
        training_influence(network, rows, asked).plot("influential_examples")


def _untrained(modality: str, classes: int) -> Classifier:
    rows = cases(modality, classes)
    architecture = Recipe(ARCHITECTURES[modality]).network()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = architecture.build(rows.schema, classes)
    return Classifier.wrap(module, schema=rows.schema, classes=rows.classes, factory=architecture)
