import pandas as pd
import pytest
import torch

from classifier.architectures.transformer_text import TransformerText
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Feature, Schema
from classifier.tokenizer import SPECIAL
from trainer import Recipe, train

SCHEMA = Schema("text", (Feature("text", "text", low=0, high=12, categories=(*SPECIAL, *"abcdefghij")),), size=(9,))


def network(**options: object) -> torch.nn.Module:
    module = TransformerText(width=8, heads=2, buckets=64, **options).build(SCHEMA, 3)  # type: ignore[arg-type]  # the options of a case
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return module.eval()


def texts(*lengths: int) -> torch.Tensor:
    x = torch.randint(3, 13, (len(lengths), 9))
    return torch.where(torch.arange(9) < torch.tensor(lengths)[:, None], x, 0)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("layers", [0, 2])
def test_a_text_has_the_same_logits_alone_as_in_a_batch_of_longer_ones(pooling: str, layers: int):
    module, x = network(pooling=pooling, layers=layers), texts(1, 9, 4, 2, 9, 7)
    alone = torch.cat([module(row[None]) for row in x])
    torch.testing.assert_close(module(x), alone, rtol=1e-4, atol=1e-5)


def test_the_network_is_its_two_halves():
    module, x = network(), texts(9, 3, 5)
    torch.testing.assert_close(module.classify(module.embed(x), x), module(x), rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_embeddings_of_tokens_and_of_nothing_behind_the_end():
    module, x = network(), texts(4)
    embeddings = module.embed(x).detach().requires_grad_()
    module.classify(embeddings, x)[0, 1].backward()
    size = embeddings.grad[0].abs().sum(1)
    assert (size[:4] > 0).all()
    assert (size[4:] == 0).all()


def test_an_ngram_with_a_masked_token_says_nothing():
    module, x = network(ngrams=3), torch.tensor([[3, 4, 2, 5, 6, 7, 0, 0, 0]])
    said = module.embed(x)[0, :, 8:]
    alone = module.embed(torch.tensor([[3, 4, 0, 0, 0, 0, 0, 0, 0]]))[0, :, 8:]
    torch.testing.assert_close(said[:2], alone[:2])
    assert (said[2] == 0).all()
    assert (said[6:] == 0).all()


def test_without_attention_the_order_of_tokens_counts_only_in_ngrams_and_positions():
    module = network(layers=0, ngrams=1)
    torch.nn.init.zeros_(module.positions)
    x = texts(9)
    torch.testing.assert_close(module(x), module(x.flip(1)))
    torch.testing.assert_close(module(x).argmax(1), module(x.roll(2, 1)).argmax(1))


@pytest.mark.parametrize(
    "options", [{"width": 0}, {"heads": 3}, {"pooling": "max"}, {"dropout": 1.0}, {"token_dropout": -0.1}, {"ngrams": 0}, {"layers": -1}]
)
def test_options_that_no_network_can_have_are_refused(options: dict[str, object]):
    with pytest.raises(ConfigurationError):
        TransformerText(**options)  # type: ignore[arg-type]  # that is the point


def test_it_takes_texts_alone():
    with pytest.raises(NotApplicableError, match="transformer_text"):
        TransformerText().require(Schema("tabular", (Feature("a", "continuous", low=0, high=1),)))


@pytest.fixture(scope="module")
def trained() -> tuple[Dataset, Classifier]:
    words = ["好", "差", "书", "房", "的", "了", "一"]
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(2, 7, (160, 6), generator=generator).tolist()
    frame = pd.DataFrame(
        {"text": ["".join(words[i] for i in row) + words[case % 2] for case, row in enumerate(drawn)], "label": ["good", "bad"] * 80}
    )
    data = Dataset.from_frame(frame, target="label", event="bad", modality="text")
    recipe = Recipe("transformer_text", options={"width": 8, "heads": 2, "buckets": 512}, epochs=12, batch_size=16, learning_rate=1e-2)
    return data, train(data, recipe, progress=False)


def test_it_learns_which_word_decides(trained: tuple[Dataset, Classifier]):
    data, classifier = trained
    assert (classifier.predict(data.inputs) == data.labels).float().mean() > 0.95


def test_a_saved_one_answers_alike(trained: tuple[Dataset, Classifier], tmp_path):
    data, classifier = trained
    classifier.save(tmp_path / "saved")
    again = Classifier.load(tmp_path / "saved")
    assert again.digest == classifier.digest
    assert again.logits(data.inputs).equal(classifier.logits(data.inputs))
    assert modality_of(again.schema).words(data.inputs[:1]) == modality_of(data.schema).words(data.inputs[:1])


@pytest.mark.slow
def test_it_reads_chinese_reviews_as_well_as_a_logistic_regression_on_ngrams():
    """Means over three splits, the recipe of the documentation; the regression sees the same characters of the same rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    data = Dataset.builtin("reviews-zh")
    found, reference = [], []
    for seed in range(3):
        splits = data.split(seed=seed)
        recipe = Recipe("transformer_text", epochs=8, learning_rate=1e-3, batch_size=32, patience=3, seed=seed)
        classifier = train(splits, recipe, progress=False)
        found.append((classifier.predict(splits.test.inputs) == splits.test.labels).float().mean().item())
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
        written = [data.schema.decode(part.inputs)["text"] for part in (splits.train, splits.test)]
        regression = LogisticRegression(C=5, max_iter=1000).fit(vectorizer.fit_transform(written[0]), splits.train.labels)
        reference.append(regression.score(vectorizer.transform(written[1]), splits.test.labels))
    assert sum(found) / 3 >= 0.81, found
    assert sum(found) / 3 >= sum(reference) / 3 - 0.01, (found, reference)
