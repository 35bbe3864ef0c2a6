import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from audit.configuration import Configuration
from audit.pipeline import audit_configuration
from classifier.adapters.huggingface import from_huggingface
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, ModelError
from classifier.modality import modality_of
from classifier.subwords import SubwordTokenizer, read_tokenizer
from trainer import Recipe, train

pytest.importorskip("transformers", reason="needs the extra text")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WORDS = [*["a", "good", "bad", "book", "room", "the", "was", "very", "!", "."], "很", "好", "差", "书"]


def write_model(folder: Path, *, positions: int = 32) -> Path:
    """A tiny BERT with fresh weights and a tokenizer of a few words, as save_pretrained leaves them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    numbers = {token: number for number, token in enumerate([*special.values(), *WORDS, "##s"])}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(numbers), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=positions, initializer_range=0.2, hidden_dropout_prob=0.0, id2label={0: "good", 1: "bad"},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Classifier:
    return from_huggingface(folder)


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def frame(count: int = 40) -> pd.DataFrame:
    texts = [
        f"the {('room', 'book')[case % 4 // 2]} was {'very ' * (case % 3)}{('good', 'bad')[case % 2]}{'!' * (case % 5)}"
        for case in range(count)
    ]
    return pd.DataFrame(
        {"review": [f"{text} {'a ' * (case // 8)}" for case, text in enumerate(texts)], "label": ["good", "bad"] * (count // 2)}
    )


def test_it_answers_as_the_folders_own_tokenizer_and_model(folder: Path, classifier: Classifier):
    from transformers import AutoTokenizer, BertForSequenceClassification

    texts = ["A good BOOK!", "rooms", "很好的书", "the book was very very bad " * 9]
    batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, truncation=True, max_length=32, return_tensors="pt")
    with torch.no_grad():
        expected = BertForSequenceClassification.from_pretrained(folder).eval()(**batch).logits
    found = classifier.logits(classifier.schema.encode(pd.DataFrame({"text": texts})))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert expected.std(0).max() > 0.01


def test_its_classes_are_those_of_its_configuration(classifier: Classifier):
    assert classifier.classes == ("good", "bad")
    assert classifier.schema.size == (32,)


def test_a_saved_one_needs_no_folder(copied: Path, tmp_path: Path):
    classifier = from_huggingface(copied)
    classifier.save(tmp_path / "saved")
    shutil.rmtree(copied)
    again = Classifier.load(tmp_path / "saved")
    x = again.schema.encode(frame()[["review"]])
    assert again.digest == classifier.digest
    assert again.logits(x).equal(classifier.logits(x))
    assert str(copied) not in (tmp_path / "saved" / "classifier.json").read_text()


def test_begin_and_end_of_a_text_are_never_masked(classifier: Classifier):
    modality = modality_of(classifier.schema)
    x = classifier.schema.encode(pd.DataFrame({"text": ["good book"]}))
    masked = modality.mask(x, torch.zeros(1, 32, dtype=torch.bool), modality.neutral())
    assert list(modality.words(masked)[0].values())[:5] == ["[CLS]", "[MASK]", "[MASK]", "[SEP]", "[PAD]"]
    assert modality.present(x).sum() == 2
    assert modality.valid(masked).all()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "pickle"),
        (lambda folder: change(folder / "config.json", auto_map={"AutoConfig": "own.Config"}), "auto_map"),
        (lambda folder: change(folder / "config.json", model_type="no-such-model"), "cannot be built"),
        (lambda folder: (folder / "config.json").write_text("{"), "no JSON"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(copied: Path, damage, said: str):
    damage(copied)
    with pytest.raises((ModelError, ConfigurationError), match=said):
        from_huggingface(copied)


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_tokenizer_of_another_model_is_refused(copied: Path):
    document = json.loads((copied / "tokenizer.json").read_text())
    document["model"]["vocab"]["another"] = 99
    (copied / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match="100 tokens"):
        from_huggingface(copied)


def test_a_size_beyond_the_models_positions_is_refused(folder: Path):
    with pytest.raises(ModelError, match="40 tokens"):
        from_huggingface(folder, size=40)


def test_an_adapter_that_answers_otherwise_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SubwordTokenizer, "encode", lambda self, texts, extent=None: [[2, 5, 3]] * len(texts))
    with pytest.raises(ModelError, match="answers otherwise"):
        from_huggingface(folder)


def test_fine_tuning_starts_from_the_folder_and_learns(folder: Path):
    data = Dataset.from_frame(
        frame(80), target="label", event="bad", modality="text", features={"text": {"tokenizer": read_tokenizer(folder)}}
    )
    recipe = Recipe("huggingface", options={"folder": str(folder)}, epochs=30, learning_rate=3e-3, batch_size=16, patience=None)
    start, trained = recipe.network().build(data.schema, 2), train(data, recipe, progress=False)
    own = from_huggingface(folder, classes=("good", "bad"), size=data.schema.size[0])
    torch.testing.assert_close(start.eval()(data.inputs), own.logits(data.inputs))
    assert trained.description.options["folder"] == ""
    assert (trained.predict(data.inputs) == data.labels).float().mean() > 0.9


def test_several_classes_at_once_are_refused(copied: Path):
    change(copied / "config.json", problem_type="multi_label_classification")
    with pytest.raises(ModelError, match="problem 'multi_label_classification', required is one class of several"):
        from_huggingface(copied)


def test_classes_without_names_are_asked_for_in_both_ways(copied: Path):
    change(copied / "config.json", id2label={}, label2id={})
    with pytest.raises(ConfigurationError, match=r"\[model\] classes = .* or in Python classes="):
        from_huggingface(copied)


class Opened:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self):
        return open, (self.trace, "w")


@pytest.mark.parametrize("named", ["pytorch_model.bin", "../pytorch_model.bin", "absent.safetensors", "../x.safetensors", 3])
def test_an_index_names_safetensors_of_the_folder_alone(copied: Path, tmp_path: Path, named: object):
    (copied / "model.safetensors").rename(copied.parent / "x.safetensors")
    for place in (copied, copied.parent):
        torch.save({"x": Opened(tmp_path / "trace")}, place / "pytorch_model.bin")
    (copied / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"x": named}}))
    with pytest.raises(ModelError, match=r"required is a file beside it that ends in \.safetensors"):
        from_huggingface(copied)
    assert not (tmp_path / "trace").exists()


def test_weights_in_several_files_are_read(copied: Path, classifier: Classifier):
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    (copied / "model.safetensors").unlink()
    halves = {f"part-{half}.safetensors": list(tensors)[half::2] for half in range(2)}
    for name, keys in halves.items():
        save_file({key: tensors[key] for key in keys}, copied / name, metadata={"format": "pt"})
    weight_map = {key: name for name, keys in halves.items() for key in keys}
    (copied / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    x = classifier.schema.encode(frame()[["review"]].set_axis(["text"], axis=1))
    torch.testing.assert_close(from_huggingface(copied).logits(x), classifier.logits(x))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "model.safetensors.index.json").write_text("[]"), "no index of weights"),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "an adapter of another model"),
        (
            lambda folder: change(folder / "config.json", transformers_weights="x.safetensors.index.json"),
            "weights from a file that it names",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut off"), "cannot be built"),
        (
            lambda folder: change(folder / "config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
            "built",
        ),
    ],
)
def test_what_would_open_other_files_or_cannot_be_read_is_a_refusal(copied: Path, damage, said: str):
    damage(copied)
    with pytest.raises(ModelError, match=said):
        from_huggingface(copied)


@pytest.mark.parametrize("options", [{}, {"folder": "a", "config": "{}"}])
def test_a_folder_or_a_config_is_needed(options: dict[str, str]):
    with pytest.raises(ConfigurationError, match="either a folder"):
        Recipe("huggingface", options=options)


AUDIT = """
[audit]
name = "tiny"
profile = "quick"
[data]
path = "texts.csv"
modality = "text"
target = "label"
{data}
[model]
{model}
[checks."robustness.text_edits"]
limit = 5
queries = 20
tries = 1
[checks."robustness.invariance"]
count = 2
[checks."robustness.corruptions"]
limit = 8
resamples = 20
[checks."robustness.transfer"]
limit = 10
queries = [20]
steps = 4
[checks."robustness.out_of_distribution"]
resamples = 20
[checks."explanation.attribution"]
limit = 12
"""


@pytest.mark.parametrize(
    ("data", "model"),
    [
        ("", 'huggingface = "model"'),
        (
            'event = "bad"\ntokenizer = "model"',
            'architecture = "huggingface"\noptions = {{ folder = "{folder}" }}\n[model.training]\nepochs = 2',
        ),
        pytest.param(
            'event = "bad"',
            'architecture = "transformer_text"\noptions = {{ width = 8, buckets = 256 }}\n[model.training]\nepochs = 3',
            marks=pytest.mark.slow,
        ),
    ],
    ids=["brought", "fine-tuned", "from scratch"],
)
def test_a_classifier_of_texts_runs_a_whole_audit(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, model: str):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / "model")
    frame(120).to_csv(tmp_path / "texts.csv", index=False)
    (tmp_path / "audit.toml").write_text(AUDIT.format(data=data, model=model.format(folder=tmp_path / "model")))
    assert Configuration.read(tmp_path / "audit.toml").data.modality == "text"
    outcome = audit_configuration(tmp_path / "audit.toml", progress=False)
    evidence = {found.check: found for found in outcome.audit.evidence}
    words = {
        metric.where.get("feature") for metric in evidence["explanation.attribution"].metrics if metric.name == "explanation.importance"
    }
    assert words & {"good", "bad", "book", "room"}
    assert not any(str(word).startswith("token ") for word in words)
    assert "whole words" in str(evidence["robustness.attack"].not_run)
    assert "Traceback" not in (outcome.folder / "report.en.html").read_text(encoding="utf-8")
