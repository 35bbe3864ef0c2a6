"""What was found: saved without loss, as a table of differences, in sentences, as a picture."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, IntegrityError
from explain.counterfactual.finding import counterfactuals
from explain.counterfactual.result import Counterfactuals
from explain.counterfactual.wording import TABLE, WORDS, join_changes


@pytest.fixture(scope="module")
def result(credit: Classifier, applicants: Tensor) -> Counterfactuals:
    return counterfactuals(credit, applicants, data=applicants.repeat(3, 1))


def test_what_is_saved_is_read_back_without_loss(result: Counterfactuals, tmp_path: Path) -> None:
    result.save(tmp_path / "found.safetensors")
    again = Counterfactuals.load(tmp_path / "found.safetensors")
    for field in fields(Counterfactuals):
        one, other = getattr(result, field.name), getattr(again, field.name)
        if isinstance(one, Tensor):
            assert one.dtype == other.dtype
            assert torch.equal(torch.nan_to_num(one, nan=-9), torch.nan_to_num(other, nan=-9))
        elif field.name == "options":
            assert {**one, "fixed": list(one["fixed"])} == {**other, "fixed": list(other["fixed"])}
        else:
            assert one == other, field.name
    assert again.as_text() == result.as_text()
    with pytest.raises(IntegrityError, match="missing"):
        Counterfactuals.load(tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "found.safetensors").read_bytes()[:100])
    with pytest.raises(IntegrityError, match="no safetensors file"):
        Counterfactuals.load(tmp_path / "cut.safetensors")


def test_the_table_of_differences_has_a_line_for_each_change_in_natural_units(result: Counterfactuals, credit: Classifier) -> None:
    frame = result.to_frame()
    assert len(frame) == int(result.changed.sum())
    assert set(frame["row"]) == {0, 1, 2}
    amounts = frame[frame["feature"] == "amount"]
    assert len(amounts)
    for line in amounts.itertuples():
        natural = [float(str(text).removesuffix(" DM").replace(",", "")) for text in (line[4], line.to)]
        assert line.difference == pytest.approx(natural[1] - natural[0])
    assert frame.loc[frame["feature"] == "purpose <b>", "difference"].isna().all()
    after = credit.probabilities(result.values).gather(1, result.changed_decided[:, None])[:, 0]
    assert torch.allclose(result.probability_after, after, atol=1e-6)


def test_rows_are_chosen_with_all_that_is_theirs(result: Counterfactuals) -> None:
    one = result[2]
    assert len(one) == 1
    assert set(one.row.tolist()) == {0}
    assert torch.equal(one.values, result.values[result.row == 2])
    assert [s for row in range(3) for s in result[[2, 1, 0]].sentences(row)] == [s for row in (2, 1, 0) for s in result.sentences(row)]


def test_sentences_are_about_the_model_and_in_both_languages(result: Counterfactuals) -> None:
    for language, about in (("en", "This is about this model, not an offer."), ("zh-CN", "这是关于本模型的陈述，不是承诺。")):
        for sentence in result.as_text(language=language).splitlines():  # type: ignore[arg-type]
            assert sentence.endswith(about)
    assert {language: words.keys() for language, words in WORDS.items()}["en"] == WORDS["zh-CN"].keys()
    assert TABLE["en"].keys() == TABLE["zh-CN"].keys()
    with pytest.raises(ConfigurationError, match="no wording in 'fr'"):
        result.sentences(0, language="fr")  # type: ignore[arg-type]


def test_changes_are_joined_as_a_reader_expects() -> None:
    changes = (("a", "1", "2"), ("b", "3", "4"), ("c", "5", ""))
    assert (
        join_changes(changes, "en", {"a": "amount"})
        == "amount had been 2 instead of 1, b had been 4 instead of 3 and c (5) had been left out"
    )
    assert join_changes(changes[:2], "zh-CN", {"a": "金额", "b": "期限"}) == "金额为2（而不是1），且期限为4（而不是3）"


def test_names_stand_in_for_features_and_classes(result: Counterfactuals) -> None:
    text = result.as_text(language="zh-CN", names={"amount": "金额", "good": "良好"})
    assert "amount" not in text
    assert "“良好”" in text


def test_it_shows_itself(result: Counterfactuals) -> None:
    html = result._repr_html_()
    assert html.count("<table>") == 3
    assert "&lt;b&gt;" in html
    assert "<script" not in html
    assert "not an offer" in html
    assert repr(result).startswith("Counterfactuals(")
    with pytest.raises(ConfigurationError, match="one input"):
        result.plot()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_table_is_drawn_with_what_changes_and_the_decision(result: Counterfactuals, language: str) -> None:
    one = result[0]
    ax = one.plot(language=language)  # type: ignore[arg-type]
    said = " ".join(text.get_text() for text in ax.texts)
    for changes in one.changes():
        for change in changes:
            assert change.after.split()[0] in said
    assert WORDS[language]["about"] in said
    assert "p(" in said
    ax.figure.canvas.draw()  # type: ignore[union-attr]


def test_measures_are_those_of_the_definitions(result: Counterfactuals) -> None:
    measures = result.measures()
    assert measures.validity == float(result.found.double().mean())
    assert measures.proximity == pytest.approx(float(result.distance[result.succeeds].mean()))
    assert measures.sparsity == pytest.approx(float(result.changed[result.succeeds].sum(1).double().mean()))
    assert measures.evaluations == pytest.approx(float(result.evaluations.double().mean()))
    own = []
    for row in range(len(result)):
        sets = [set(result.changed[i].nonzero()[:, 0].tolist()) for i in ((result.row == row) & result.succeeds).nonzero()[:, 0].tolist()]
        pairs = [1 - len(a & b) / len(a | b) for index, a in enumerate(sets) for b in sets[:index]]
        own += [sum(pairs) / len(pairs)] if pairs else []
    assert measures.diversity == pytest.approx(sum(own) / len(own))


def test_plausibility_is_the_share_of_cases_that_are_as_far_from_their_neighbours() -> None:
    from explain.counterfactual.manifold import Manifold

    # On a line at 0, 1, 2, 4 and 8: the nearest neighbours are 1, 1, 1, 2 and 4 away.
    data = torch.tensor([[0.0], [1.0], [2.0], [4.0], [8.0], [100.0]])
    manifold = Manifold(data, torch.tensor([1, 1, 1, 1, 1, 0]), torch.ones(1), torch.arange(6))
    z = torch.tensor([[0.0], [1.5], [9.0], [9.5], [13.0]])
    found = manifold.plausibility(z, torch.ones(5, dtype=torch.int64))
    assert found.tolist() == pytest.approx([1.0, 1.0, 1.0, 3 / 6, 1 / 6])
    assert bool(manifold.plausibility(z[:1], torch.zeros(1, dtype=torch.int64)).isnan().all())
