import pytest
import torch
from cases import OPTIONS, cases
from torch import Tensor, nn

from classifier import Classifier
from classifier.architecture import ARCHITECTURES
from classifier.errors import ConfigurationError, NotApplicableError
from explain.internals.computation import network_graph, network_table
from trainer import Recipe


class Branches(nn.Module):
    """A way around, an activation in place, one layer used twice, and a parameter of the network's own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared, self.last = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(16, 2)
        self.shortcut, self.activation = nn.Identity(), nn.ReLU(inplace=True)
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        around = self.shortcut(x)
        inner = self.activation(self.first(x))
        one = self.shared(inner) + around
        other = self.shared(one * self.scale)
        return self.last(torch.cat([one, other], 1))


def test_edges_are_what_goes_into_what(numbers) -> None:
    graph = network_graph(Classifier.wrap(Branches(), schema=numbers(8), classes=("a", "b")))
    names = [node.name for node in graph.nodes]
    assert names == ["input", "shortcut", "first", "activation", "shared", "add", "shared", "cat", "last", "answer"]
    assert [node.sources for node in graph.nodes] == [(), (0,), (0,), (2,), (3,), (1, 4), (5,), (5, 6), (7,), (8,)]
    assert [node.parameters for node in graph.nodes] == [0, 0, 72, 0, 72, 0, 0, 0, 34, 0]
    assert graph.total == 72 + 72 + 34 + 8
    assert graph.loose == 8


def test_a_residual_network_shows_its_ways_around() -> None:
    data = cases("image", 2)
    network = Recipe("resnet", options={"channels": (4, 8)}).network().build(data.schema, 2)
    graph = network_graph(Classifier.wrap(network, schema=data.schema, classes=data.classes))
    additions = [node for node in graph.nodes if node.name == "add"]
    assert len(additions) == 2
    for node in additions:
        branch, shortcut = (graph.nodes[source] for source in node.sources)
        assert branch.name.endswith("branch.4")
        assert shortcut.name.endswith("shortcut")
    assert graph.nodes[[node.name for node in graph.nodes].index("4.shortcut")].sources == (4,)
    assert graph.nodes[1].shape == (1, 16, 16)


@pytest.mark.parametrize("name", sorted(set(ARCHITECTURES.ids())))
def test_every_architecture_has_a_table_that_accounts_for_all_it_learned(name: str) -> None:
    if name == "huggingface":
        pytest.importorskip("transformers", reason="needs the extra text")
    modality = min(ARCHITECTURES[name].modalities)
    data = cases(modality, 2)
    network = Recipe(name, options=OPTIONS.get(name, {})).network().build(data.schema, 2)
    classifier = Classifier.wrap(network, schema=data.schema, classes=data.classes)
    graph = network_graph(classifier)
    total = sum(parameter.numel() for parameter in classifier.module.parameters())
    assert graph.total == total
    shown = sum(node.parameters for node in graph.nodes)
    own = sum(parameter.numel() for parameter in classifier.module.parameters(recurse=False))
    assert shown + own == total
    # Every step but the input comes after another, or after none of the input as positions do, and leads to the answer.
    for place, node in enumerate(graph.nodes):
        assert all(source < place for source in node.sources)
    reached = {len(graph.nodes) - 1}
    for place in reversed(range(len(graph.nodes))):
        reached |= set(graph.nodes[place].sources) if place in reached else set()
    assert 0 in reached
    assert {place for place, node in enumerate(graph.nodes) if node.parameters} <= reached
    assert graph.nodes[-1].shape == (2,)
    assert max(len(line) for line in graph.to_text().splitlines()) <= 80
    assert len(network_table(classifier)) >= len(graph.nodes)


def test_a_network_of_many_steps_is_shown_by_its_blocks() -> None:
    data = cases("sequence", 2)
    network = Recipe("temporal_cnn", hidden=(4, 4, 4, 4)).network().build(data.schema, 2)
    classifier = Classifier.wrap(network, schema=data.schema, classes=data.classes)
    small, whole = network_graph(classifier, most=20), network_graph(classifier)
    assert len(small.nodes) <= 20 < len(whole.nodes)
    assert [node.name for node in small.nodes if node.kind == "_Block"] == [f"blocks.{block}" for block in range(4)]
    assert small.total == whole.total
    assert small.loose == 0


def test_nothing_is_left_behind_in_the_network(classifier: Classifier, x: Tensor) -> None:
    before = classifier.logits(x)
    network_graph(classifier)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in classifier.module.modules())
    assert torch.equal(classifier.logits(x), before)


def test_bad_options_are_refused(classifier: Classifier, black_box: Classifier) -> None:
    with pytest.raises(ConfigurationError, match="width must be at least 60, got 40"):
        network_graph(classifier).to_text(40)
    with pytest.raises(ConfigurationError, match="most must be at least 3"):
        network_graph(classifier, most=1)
    with pytest.raises(NotApplicableError, match="black box"):
        network_graph(black_box)
