"""What is said of attention fits the kind of input that it is of."""

import pytest
import torch
from cases import cases

from classifier import Classifier
from classifier.modalities.text import Text
from explain import attribute
from trainer import Recipe

TEXT, TABLE = "the begin and the end of a text get nothing", "the token that asks gets nothing"
NETWORKS = {
    "transformer_text": ("text", {"width": 8, "buckets": 64}, set()),  # its tokenizer has neither a begin nor an end
    "attention_table": ("tabular", {"width": 8}, {TABLE}),
    "attention_recurrent": ("sequence", {}, set()),
    "graph_attention": ("graph", {}, set()),
}


def told(architecture: str) -> set[str]:
    modality, options, _ = NETWORKS[architecture]
    data = cases(modality, 2)
    torch.manual_seed(0)
    network = Recipe(architecture, options=options).network().build(data.schema, 2)
    classifier = Classifier.wrap(network, schema=data.schema, classes=data.classes)
    notes = attribute(classifier, data.inputs[:3], "attention_rollout").notes
    return {text for text in (TEXT, TABLE) if any(text in note for note in notes)}


@pytest.mark.parametrize("architecture", NETWORKS)
def test_only_tokens_that_there_are_are_said_to_get_nothing(architecture: str) -> None:
    assert told(architecture) == NETWORKS[architecture][2]


def test_the_begin_of_a_text_is_said_to_get_nothing_where_it_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = int(cases("text", 2).inputs[0, 0])
    monkeypatch.setattr(Text, "present", lambda _, x: (x != 0) & (x != begin))
    assert told("transformer_text") == {TEXT}
