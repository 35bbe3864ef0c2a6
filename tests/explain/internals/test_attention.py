import json
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch
from cases import BERT, cases
from torch import Tensor, nn

from classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from explain import attribute
from explain.attribution.attention_flow import maximum_flows
from explain.attribution.attention_gradient import follow
from explain.attribution.attention_rollout import roll_out
from explain.internals.attention import attention_weights, why_no_attention
from explain.internals.attention_tap import attend
from trainer import Recipe

METHODS = ("attention_rollout", "attention_flow", "attention_gradient")
NETWORKS = {
    "attention_table": ("tabular", Recipe("attention_table", options={"width": 8, "layers": 2, "heads": 2})),
    "transformer_text": ("text", Recipe("transformer_text", options={"width": 8, "buckets": 64, "layers": 2})),
    "attention_recurrent": ("sequence", Recipe("attention_recurrent", hidden=(4,))),
    "graph_attention": ("graph", Recipe("graph_attention", hidden=(8, 8))),
}


@cache
def network(name: str) -> Classifier:
    return fresh(*NETWORKS[name])


def fresh(modality: str, recipe: Recipe) -> Classifier:
    data = cases(modality, 2)
    torch.manual_seed(0)
    return Classifier.wrap(recipe.network().build(data.schema, 2), schema=data.schema, classes=data.classes)


def rows(name: str) -> Tensor:
    return cases(NETWORKS[name][0], 2).inputs[:4]


class Encoder(nn.Module):
    """A network of one's own: torch's encoder over the steps of a series, of which the first is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.read(x), src_key_padding_mask=x[..., 2] < 0.5)[:, 0])


class Special(nn.Module):
    """Attention with a key and a value of its own beside those of the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(3, 1, batch_first=True, add_bias_kv=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0][:, 0, :2]


def own(kind: type[nn.Module] = Encoder) -> Classifier:
    torch.manual_seed(0)
    data = cases("sequence", 2)
    return Classifier.wrap(kind(), schema=data.schema, classes=data.classes)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_tapped_pass_gives_the_same_logits(name: str) -> None:
    classifier, x = network(name), rows(name)
    with torch.no_grad():
        torch.testing.assert_close(attend(classifier, x).logits, classifier.logits(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["attention_table", "attention_recurrent", "graph_attention"])
def test_weights_are_those_that_the_network_tells_of_itself(name: str) -> None:
    classifier, x = network(name), rows(name)
    view = attention_weights(classifier, x)
    truth = classifier.module.attention(x)
    torch.testing.assert_close(view.weights.reshape(truth.shape), truth)


def test_weights_of_steps_that_are_read_in_another_order_lie_where_the_steps_are() -> None:
    classifier, x = network("attention_recurrent"), rows("attention_recurrent").clone()
    x[:, 3:6, -1] = 0
    view = attention_weights(classifier, x)
    torch.testing.assert_close(view.weights[:, 0, 0, 0], classifier.module.attention(x))
    assert (view.weights[:, 0, 0, 0, 3:6] == 0).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_what_is_read_are_shares(name: str) -> None:
    view = attention_weights(network(name), rows(name))
    sums = view.weights.sum(-1)
    here = torch.ones(len(view), 1, dtype=torch.bool) if view.pooling else view.there
    assert torch.allclose(sums[here[:, None, None].expand_as(sums)], torch.tensor(1.0), atol=1e-5)
    assert (sums[~here[:, None, None].expand_as(sums)] == 0).all()
    assert torch.allclose(view.reads.sum((1, 2)), torch.ones(len(view)), atol=1e-5)


def test_the_answer_of_a_table_reads_the_token_that_asks_and_of_a_text_the_mean() -> None:
    table = attention_weights(network("attention_table"), rows("attention_table"))
    assert table.reads[:, -1, 0].tolist() == [1.0] * 4
    text = attention_weights(network("transformer_text"), rows("transformer_text"))
    assert torch.allclose(text.reads[:, -1], text.there / text.there.sum(1, keepdim=True))
    assert not text.there.all()


def test_a_learned_pooling_is_read_by_its_own_weights() -> None:
    data = cases("text", 2)
    classifier = fresh("text", Recipe("transformer_text", options={"width": 8, "buckets": 64, "pooling": "attention"}))
    view, kept = attention_weights(classifier, data.inputs[:4]), {}
    handle = classifier.module.weights.register_forward_hook(lambda _m, _i, output: kept.update(scores=output[..., 0]))
    classifier.module.classify(classifier.module.embed(data.inputs[:4]), data.inputs[:4])
    handle.remove()
    truth = kept["scores"].masked_fill(~view.there, -torch.inf).softmax(1)
    torch.testing.assert_close(view.reads[:, -1], truth)
    assert truth.std(1).max() > 1e-4


@pytest.fixture(scope="module")
def bert() -> Classifier:
    pytest.importorskip("transformers", reason="needs the extra text")
    data = cases("text", 2)
    options = {"config": json.dumps({**BERT, "num_hidden_layers": 2, "initializer_range": 0.3})}
    torch.manual_seed(0)
    return Classifier.wrap(Recipe("huggingface", options=options).network().build(data.schema, 2), schema=data.schema, classes=data.classes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_weights_of_a_model_of_transformers_are_those_of_its_eager_attention(bert: Classifier) -> None:
    x = cases("text", 2).inputs[:6]
    view, before = attention_weights(bert, x), bert.digest
    model, here = bert.to("cpu").module.model, (x != bert.module.padding).long()
    model.set_attn_implementation("eager")
    truth = torch.stack(model(input_ids=x, attention_mask=here, output_attentions=True).attentions, 1)
    there = here.bool()[:, None, None, :, None] & here.bool()[:, None, None, None]
    torch.testing.assert_close(view.weights, truth * there, atol=1e-5, rtol=1e-4)
    # It reads its first token alone.
    assert view.reads[:, -1, 0].tolist() == [1.0] * 6
    assert bert.digest == before
    assert bert.module.model.config._attn_implementation == "sdpa"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_tells_its_attention_only_when_asked_gets_the_same(bert: Classifier, method: str) -> None:
    x = cases("text", 2).inputs[:3]
    eager = bert.to("cpu")
    eager.module.model.set_attn_implementation("eager")
    assert why_no_attention(eager) == ""
    torch.testing.assert_close(attribute(eager, x, method).attributions, attribute(bert, x, method).attributions, atol=1e-5, rtol=1e-4)


def test_weights_of_torchs_encoder_are_those_of_its_own_heads() -> None:
    classifier, x = own(), cases("sequence", 2).inputs[:5]
    view, encoder = attention_weights(classifier, x), classifier.module.encoder
    values, padding, truth = classifier.module.read(x), x[..., 2] < 0.5, []
    for layer in encoder.layers:
        truth.append(layer.self_attn(values, values, values, key_padding_mask=padding, average_attn_weights=False)[1])
        values = layer(values, src_key_padding_mask=padding)
    there = ~padding
    torch.testing.assert_close(view.weights, torch.stack(truth, 1) * there[:, None, None, :, None], atol=1e-5, rtol=1e-4)
    assert view.reads[:, -1, 0].tolist() == [1.0] * 5
    with torch.no_grad():
        torch.testing.assert_close(attend(classifier, x).logits, classifier.logits(x), atol=1e-5, rtol=1e-5)
    assert torch.backends.mha.get_fastpath_enabled()


def test_attention_with_keys_of_its_own_is_not_seen_and_said_so() -> None:
    classifier, x = own(Special), cases("sequence", 2).inputs[:3]
    with torch.no_grad():
        torch.testing.assert_close(attend(classifier, x).logits, classifier.logits(x), atol=1e-5, rtol=1e-5)
    assert "does not attend" in why_no_attention(classifier)


def test_rollout_is_the_product_of_the_layers() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(3, 4, 2, 5, 5, generator=generator).softmax(-1)
    reads = torch.zeros(3, 4, 5)
    reads[:, -1, 0] = 1
    truth = torch.eye(5).expand(3, 5, 5)
    for layer in range(4):
        truth = (0.7 * weights[:, layer].mean(1) + 0.3 * torch.eye(5)) @ truth
    torch.testing.assert_close(roll_out(weights, reads, 0.3), truth[:, 0])


def test_rollout_adds_what_is_read_after_each_layer() -> None:
    generator = torch.Generator().manual_seed(1)
    weights, reads = torch.rand(2, 3, 1, 4, 4, generator=generator).softmax(-1), torch.rand(2, 3, 4, generator=generator)
    steps = [0.5 * weights[:, layer, 0] + 0.5 * torch.eye(4) for layer in range(3)]
    products = [steps[0], steps[1] @ steps[0], steps[2] @ steps[1] @ steps[0]]
    truth = sum((reads[:, layer, None] @ products[layer])[:, 0] for layer in range(3))
    torch.testing.assert_close(roll_out(weights, reads, 0.5), truth)


def test_gradient_rule_is_the_product_of_identity_plus_step_less_the_identity() -> None:
    generator = torch.Generator().manual_seed(2)
    steps, reads = torch.rand(2, 3, 4, 4, generator=generator), torch.zeros(2, 3, 4)
    reads[:, -1, 1] = 1
    relevance = torch.eye(4).expand(2, 4, 4)
    for layer in range(3):
        relevance = relevance + steps[:, layer] @ relevance
    torch.testing.assert_close(follow(steps, reads), (relevance - torch.eye(4))[:, 1])


def cheapest_cut(pipes: np.ndarray, reads: np.ndarray, token: int) -> float:
    """The narrowest cut between the answer and a token, by trying them all: it is the largest flow (Ford and Fulkerson, 1956)."""
    layers, extent, _ = pipes.shape
    best = np.inf
    for sides in product([False, True], repeat=layers * extent):
        inside = np.array(sides).reshape(layers, extent)
        cut = reads[~inside].sum()
        for layer in range(layers):
            below = inside[layer - 1] if layer else np.arange(extent) != token
            # A token of the input that is not asked for leads nowhere, and costs nothing on the answer's side.
            cut += pipes[layer][np.ix_(inside[layer], ~below)].sum()
        best = min(best, cut)
    return best


@pytest.mark.parametrize(("layers", "extent", "mean"), [(1, 4, False), (2, 4, False), (3, 3, True)])
def test_flow_is_the_narrowest_cut(layers: int, extent: int, mean: bool) -> None:
    generator = np.random.default_rng(layers)
    for _ in range(3):
        pipes = generator.dirichlet(np.full(extent, 0.3), (layers, extent))
        reads = np.zeros((layers, extent))
        if mean:
            reads[:] = 1 / reads.size
        else:
            reads[-1, 0] = 1
        flows = maximum_flows(pipes, reads, np.ones(extent, dtype=bool))
        np.testing.assert_allclose(flows, [cheapest_cut(pipes, reads, token) for token in range(extent)], atol=1e-7)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_weights_of_the_parts_sum_to_one_and_nothing_else_gets_any(method: str, name: str) -> None:
    explanation = attribute(network(name), rows(name), method)
    assert explanation.quantity == "weight"
    assert torch.allclose(explanation.attributions.flatten(1).sum(1), torch.ones(4, dtype=torch.float64), atol=1e-5)
    assert (explanation.attributions >= 0).all()
    assert (explanation.by_feature()[~explanation.modality.present(rows(name))] == 0).all()


@pytest.mark.parametrize("method", ["attention_rollout", "attention_flow"])
def test_one_pooling_is_its_own_rollout_and_flow(method: str) -> None:
    classifier, x = network("attention_recurrent"), rows("attention_recurrent")
    explanation = attribute(classifier, x, method)
    torch.testing.assert_close(explanation.attributions.sum(2).float(), classifier.module.attention(x), atol=1e-6, rtol=1e-5)
    assert (explanation.attributions[..., -1] == 0).all()


@pytest.mark.parametrize(("method", "blind"), [("attention_rollout", True), ("attention_flow", True), ("attention_gradient", False)])
@pytest.mark.parametrize("name", ["attention_table", "attention_recurrent"])
def test_attention_is_blind_to_the_class_and_its_gradient_is_not(method: str, blind: bool, name: str) -> None:
    one, other = (attribute(network(name), rows(name), method, target=target) for target in (0, 1))
    assert torch.equal(one.attributions, other.attributions) == blind
    assert any("whichever class" in note for note in one.notes) == blind


class Pooling(nn.Module):
    """Attention that is told: the first token asks for the third alone, and only its value is read."""

    def forward(self, x: Tensor) -> Tensor:
        query = torch.zeros(len(x), 1, x.shape[1], 1)
        query[:, :, 0] = 30.0
        key = torch.zeros(len(x), 1, x.shape[1], 1)
        key[:, :, 2] = 1.0
        mixed = nn.functional.scaled_dot_product_attention(query, key, x[:, None, :, :1])
        return torch.stack([-mixed[:, 0, 0, 0], mixed[:, 0, 0, 0]], 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_token_gets_all_that_does_not_stay(method: str) -> None:
    data = cases("sequence", 2)
    classifier = Classifier.wrap(Pooling(), schema=data.schema, classes=data.classes)
    explanation = attribute(classifier, data.inputs[2:6] + 1, method, target=1, **({} if "gradient" in method else {"residual": 0.0}))
    steps = explanation.attributions.sum(2)
    assert (steps[:, 2] > 0.999).all()


def test_begin_and_end_of_a_text_get_nothing() -> None:
    pytest.importorskip("transformers", reason="needs the extra text")
    classifier = network("transformer_text")
    view = attention_weights(classifier, rows("transformer_text"))
    assert (view.parts[view.there] >= 0).all()  # its tokenizer has neither
    table = attention_weights(network("attention_table"), rows("attention_table"))
    assert table.parts[0].tolist() == [-1, 0, 1, 2, 3, 4]


def test_a_view_is_a_table_and_refuses_what_there_is_not() -> None:
    view = attention_weights(network("attention_table"), rows("attention_table"))
    frame = view.to_frame(1)
    assert len(frame) == 2 * 2 * 6 * 6
    line = frame[(frame.layer == 2) & (frame["head"] == 1) & (frame.asks == "(asks)") & (frame.answers == "north")]
    assert line.weight.item() == pytest.approx(float(view.weights[1, 1, 0, 0, 2]))
    assert "<table" in view._repr_html_()
    for wrong in ({"row": 4}, {"row": 0, "layer": 3}, {"row": 0, "head": 0}):
        with pytest.raises(ConfigurationError, match="must lie in"):
            view.require(**wrong)


def test_a_network_without_attention_is_refused_with_those_that_have_it(classifier: Classifier, black_box: Classifier, x: Tensor) -> None:
    for without, said in ((classifier, "does not attend"), (black_box, "black box")):
        with pytest.raises(NotApplicableError, match=f"{said}.*attention_table"):
            attention_weights(without, x)
        with pytest.raises(NotApplicableError, match=r"attention_rollout does not apply.*kernel_shap"):
            attribute(without, x, "attention_rollout")
    with pytest.raises(ConfigurationError, match="at least one"):
        attention_weights(network("attention_table"), rows("attention_table")[0])
    with pytest.raises(ConfigurationError, match=r"residual must lie in \[0, 1\]"):
        attribute(network("attention_table"), rows("attention_table"), "attention_flow", residual=2.0)
