"""`Explanation`: what it holds, and that nothing of it is lost."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import IntegrityError
from explain import Explanation, attribute


@pytest.fixture(params=["exact_shapley", "integrated_gradients", "permutation_shap"])
def explanation(request: pytest.FixtureRequest, credit: Classifier, applicants: Tensor) -> Explanation:
    return attribute(credit, applicants, request.param, seed=5)


def same(one: Explanation, other: Explanation) -> None:
    for field in fields(Explanation):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, Tensor):
            assert a.dtype == b.dtype
            assert torch.equal(a, b), field.name
        else:
            assert a == b, field.name


def test_saving_loses_nothing(explanation: Explanation, tmp_path: Path) -> None:
    explanation.save(tmp_path / "deep" / "rows.safetensors")
    same(Explanation.load(tmp_path / "deep" / "rows.safetensors"), explanation)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["rows.safetensors"]


def test_options_come_back_as_they_were(classifier: Classifier, x: Tensor, tmp_path: Path) -> None:
    names = classifier.schema.names
    explanation = attribute(classifier, x, "owen_values", groups=(names[:2], names[2:]))
    explanation.save(tmp_path / "explanation")
    assert Explanation.load(tmp_path / "explanation").options == explanation.options


def test_a_number_that_was_changed_in_the_file_is_noticed(explanation: Explanation, tmp_path: Path) -> None:
    explanation.save(tmp_path / "explanation")
    content = bytearray((tmp_path / "explanation").read_bytes())
    content[-3] ^= 1
    (tmp_path / "explanation").write_bytes(content)
    with pytest.raises(IntegrityError, match="other numbers than were saved"):
        Explanation.load(tmp_path / "explanation")


def test_a_file_that_is_no_explanation_is_refused(explanation: Explanation, tmp_path: Path) -> None:
    path = tmp_path / "rows.safetensors"
    with pytest.raises(IntegrityError, match="is missing"):
        Explanation.load(path)
    path.write_bytes(b"not tensors")
    with pytest.raises(IntegrityError, match="no safetensors file"):
        Explanation.load(path)
    from safetensors.torch import save

    path.write_bytes(save({"inputs": torch.zeros(2)}))
    with pytest.raises(IntegrityError, match="does not hold"):
        Explanation.load(path)
    explanation.save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match="no safetensors file"):
        Explanation.load(path)


def test_the_frame_has_a_line_for_each_row_and_feature_in_natural_units(explanation: Explanation) -> None:
    frame = explanation.to_frame()
    assert list(frame.columns) == ["row", "feature", "value", "attribution", "standard_error"]
    assert frame["feature"].tolist() == ["amount", "purpose <b>", "rate"] * 3
    assert frame["value"].tolist()[:6] == ["1,000 DM", "car", "1.5", "500 DM", "tv & radio", "3"]
    assert np.allclose(frame.groupby("row")["attribution"].sum(), explanation.attributions.sum(1))
    assert frame["standard_error"].isna().all() == (explanation.standard_error is None)


def test_top_gives_the_largest_of_each_row(explanation: Explanation) -> None:
    top = explanation.top(2)
    assert top["row"].tolist() == [0, 0, 1, 1, 2, 2]
    sizes = explanation.by_feature().abs().sort(1, descending=True).values[:, :2].flatten()
    assert np.allclose(top["attribution"].abs(), sizes)


def test_importance_is_the_mean_size(explanation: Explanation) -> None:
    sizes = explanation.to_frame().groupby("feature", sort=False)["attribution"].agg(lambda column: column.abs().mean())
    assert np.allclose(explanation.importance(), sizes)


@pytest.mark.parametrize("rows", [1, slice(0, 2), [2, 0], torch.tensor([True, False, True])])
def test_a_slice_is_the_explanation_of_those_rows(rows: int | slice | list[int] | Tensor, explanation: Explanation) -> None:
    index = np.atleast_1d(np.arange(3)[rows])
    part = explanation[rows]
    assert len(part) == len(index)
    assert torch.equal(part.by_feature(), explanation.by_feature()[index])
    assert torch.equal(part.completeness_error, explanation.completeness_error[index])
    assert torch.equal(part.baseline, explanation.baseline)
    assert (part.standard_error is None) == (explanation.standard_error is None)


def test_a_slice_keeps_the_whole_background(classifier: Classifier, x: Tensor) -> None:
    assert attribute(classifier, x, "exact_shapley", baseline=x.flip(0))[0].baseline.shape == x.shape


def test_it_says_what_it_explains(explanation: Explanation, ten_classes: Classifier, x: Tensor) -> None:
    assert explanation.unit == "log-odds of bad & <late>"
    assert repr(explanation).startswith(f"Explanation(3 rows, log-odds of bad & <late>, {explanation.method}, ")
    ten = attribute(ten_classes, x, target=[0, 1, 2, 3, 4])
    assert ten.unit == "logit of each row's class"
    assert attribute(ten_classes, x, target=3).unit == "logit of class 3"


def test_a_notebook_shows_a_table_in_which_names_are_escaped(explanation: Explanation) -> None:
    for shown in (explanation[0], explanation):
        html = shown._repr_html_()
        assert "purpose &lt;b&gt;" in html
        assert "bad &amp; &lt;late&gt;" in html
        assert "<b>" not in html
        assert "<late>" not in html
        assert html.count("<tr>") == 3
