"""Explains a classifier: what weighed in a decision, what would have changed it, what it learned from, and how exact each answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explain.attributing import attribute
    from explain.availability import available
    from explain.availability import available as methods
    from explain.behaviour.depending import Dependence, dependence
    from explain.behaviour.h_statistic import InteractionStrength, interaction_strength
    from explain.behaviour.permutation_importance import Importance, importance
    from explain.behaviour.prototyping import Prototypes, prototypes
    from explain.behaviour.surrogate_tree import SurrogateTree, surrogate
    from explain.concepts.sensitivity import ConceptSensitivity
    from explain.concepts.testing import tcav
    from explain.counterfactual.finding import counterfactuals, semifactuals
    from explain.counterfactual.result import Counterfactuals
    from explain.explanation import Explanation
    from explain.games.interacting import Interactions, interactions
    from explain.graph_edges import edges_of
    from explain.internals.activity import Activations, activations
    from explain.internals.ascent import Maximised, maximise_activation
    from explain.internals.attention import attention_weights
    from explain.internals.attention_view import AttentionView
    from explain.internals.by_layer import LayerAttribution, layer_attribution
    from explain.internals.by_neuron import NeuronAttribution, neuron_attribution
    from explain.internals.computation import NetworkGraph, network_graph, network_table
    from explain.internals.diagnosing import diagnose
    from explain.internals.diagnosis import Diagnosis
    from explain.internals.kernels import Filters, filters
    from explain.internals.landscape import LossLandscape, loss_landscape
    from explain.internals.layers import list_layers
    from explain.internals.trajectories import HiddenStates, hidden_states
    from explain.sheet.writing import OwnersWords, Sheet, decision_sheet
    from explain.training_data.influence import Influence
    from explain.training_data.influencing import training_influence
    from explain.training_data.mislabelling import Suspects, mislabelled

__all__ = [
    "Activations",
    "AttentionView",
    "ConceptSensitivity",
    "Counterfactuals",
    "Dependence",
    "Diagnosis",
    "Explanation",
    "Filters",
    "HiddenStates",
    "Importance",
    "Influence",
    "InteractionStrength",
    "Interactions",
    "LayerAttribution",
    "LossLandscape",
    "Maximised",
    "NetworkGraph",
    "NeuronAttribution",
    "OwnersWords",
    "Prototypes",
    "Sheet",
    "SurrogateTree",
    "Suspects",
    "activations",
    "attention_weights",
    "attribute",
    "available",
    "counterfactuals",
    "decision_sheet",
    "dependence",
    "diagnose",
    "edges_of",
    "filters",
    "hidden_states",
    "importance",
    "interaction_strength",
    "interactions",
    "layer_attribution",
    "list_layers",
    "loss_landscape",
    "maximise_activation",
    "methods",
    "mislabelled",
    "network_graph",
    "network_table",
    "neuron_attribution",
    "prototypes",
    "semifactuals",
    "surrogate",
    "tcav",
    "training_influence",
]

_HOMES = {
    "Activations": "internals.activity",
    "AttentionView": "internals.attention_view",
    "ConceptSensitivity": "concepts.sensitivity",
    "Counterfactuals": "counterfactual.result",
    "Dependence": "behaviour.depending",
    "Diagnosis": "internals.diagnosis",
    "Explanation": "explanation",
    "Filters": "internals.kernels",
    "HiddenStates": "internals.trajectories",
    "Importance": "behaviour.permutation_importance",
    "Influence": "training_data.influence",
    "InteractionStrength": "behaviour.h_statistic",
    "Interactions": "games.interacting",
    "LayerAttribution": "internals.by_layer",
    "LossLandscape": "internals.landscape",
    "Maximised": "internals.ascent",
    "NetworkGraph": "internals.computation",
    "NeuronAttribution": "internals.by_neuron",
    "OwnersWords": "sheet.writing",
    "Prototypes": "behaviour.prototyping",
    "Sheet": "sheet.writing",
    "SurrogateTree": "behaviour.surrogate_tree",
    "Suspects": "training_data.mislabelling",
    "activations": "internals.activity",
    "attention_weights": "internals.attention",
    "attribute": "attributing",
    "available": "availability",
    "counterfactuals": "counterfactual.finding",
    "decision_sheet": "sheet.writing",
    "dependence": "behaviour.depending",
    "diagnose": "internals.diagnosing",
    "edges_of": "graph_edges",
    "filters": "internals.kernels",
    "hidden_states": "internals.trajectories",
    "importance": "behaviour.permutation_importance",
    "interaction_strength": "behaviour.h_statistic",
    "interactions": "games.interacting",
    "layer_attribution": "internals.by_layer",
    "list_layers": "internals.layers",
    "loss_landscape": "internals.landscape",
    "maximise_activation": "internals.ascent",
    "mislabelled": "training_data.mislabelling",
    "network_graph": "internals.computation",
    "network_table": "internals.computation",
    "neuron_attribution": "internals.by_neuron",
    "prototypes": "behaviour.prototyping",
    "semifactuals": "counterfactual.finding",
    "surrogate": "behaviour.surrogate_tree",
    "tcav": "concepts.testing",
    "training_influence": "training_data.influencing",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; a program that only lists what there is must not pay for it.
    if name == "methods":
        name = "available"
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"explain.{_HOMES[name]}"), name)
