"""Graphs: the players are the nodes, and a node that is left out takes its edges with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.cleaning import constant_columns, describe_table, infer_feature, tidy_columns
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.formats.graph_cases import GRAPH, NODE_LABEL, Graph
from classifier.formats.graphs import graphs_frame, read_graphs
from classifier.modalities._observed import OBSERVED, observed_feature
from classifier.modalities._stated import require_features, require_size
from classifier.modalities.tabular import TOLERANCE, Tabular, word_for
from classifier.modality import MODALITIES, Modality
from classifier.schema import Feature, Relation, Schema
from classifier.storage import room_for

__all__ = ["Graph", "Graphs", "graphs_frame"]


@MODALITIES.register
@dataclass(frozen=True)
class Graphs(Modality):
    """Graphs ``(n, D + n)``: of each of n nodes the features and its row of the adjacency matrix.

    A case is a `Graph`. The last feature says whether the node is there. Edges have no direction: the matrix
    is symmetric, with 0 and 1 alone. A graph with fewer nodes than n leaves the last ones empty.
    """

    #: The third node of a graph has nothing in common with the third node of another.
    aligned: ClassVar[bool] = False

    def __post_init__(self) -> None:
        schema = self.schema
        if len(schema.size) != 1:
            raise ConfigurationError(f"the size of a graph is (nodes,), got {schema.size}", remedy="give the schema size=(30,)")
        if schema.names[-1:] != (OBSERVED,):
            raise ConfigurationError(
                f"the last feature of a graph must be {OBSERVED!r}", remedy=f"add Feature({OBSERVED!r}, 'binary', mutable=False)"
            )

    @staticmethod
    def read(path: Path) -> tuple[pd.DataFrame, str]:
        return read_graphs(path)

    @staticmethod
    def infer(
        inputs: pd.DataFrame, *, stated: Mapping[str, Mapping[str, Any]], relations: Sequence[Relation], size: tuple[int, ...]
    ) -> Schema:
        require_size(size, "a graph", ("nodes",))
        graphs = _graphs_of(inputs)
        nodes = _nodes(graphs)
        require_features(inputs.columns, stated, list(nodes.columns))
        # A label is the code of a kind: the number 5 is not more than the number 2.
        kinds = {name: {"kind": "categorical", **stated.get(name, {})} for name in nodes.columns if name.startswith(NODE_LABEL)}
        stated = {**stated, **kinds}
        nodes = tidy_columns(nodes, stated)
        constant = constant_columns(nodes)
        features = [infer_feature(nodes[name], stated.get(name, {})) for name in nodes.columns if name not in constant]
        extent = size[0] if size else max(len(graph.nodes) for graph in graphs)
        return Schema("graph", (*features, observed_feature()), tuple(relations), size=(extent,))

    def describe(self, inputs: pd.DataFrame, labels: Tensor) -> Mapping[str, Any]:
        graphs = _graphs_of(inputs)
        counts = np.array([len(graph.nodes) for graph in graphs])
        found = describe_table(self._tidy(graphs), self.schema, labels.numpy().repeat(counts))
        notes = [
            f"graphs have {counts.min()} to {counts.max()} nodes; one with fewer than {self.schema.size[0]} leaves the last ones empty"
        ]
        for unused in sorted({name for graph in graphs for name in graph.unused}):
            notes.append(f"{unused} are not used")
        loops = sum(int((graph.edges[:, 0] == graph.edges[:, 1]).sum()) for graph in graphs)
        if loops:
            notes.append(f"{loops} edges from a node to itself were left out")
        notes += [f"{name} is no graph, and so no input" for name in inputs.columns if name != _column(inputs)]
        return {**found, "notes": (*found["notes"], *notes)}

    def encode(self, frame: pd.DataFrame) -> Tensor:
        graphs, (extent,) = _graphs_of(frame), self.schema.size
        counts = np.array([len(graph.nodes) for graph in graphs])
        if (counts > extent).any():
            row = int((counts > extent).argmax())
            raise DataError(
                f"the graph in row {row} has {counts[row]} nodes, at most {extent} fit",
                remedy=f"leave it out, or state size = [{counts.max()}] and train with it",
            )
        columns = Tabular(self.schema).encode(self._tidy(graphs).assign(**{OBSERVED: 1.0}))
        x = room_for(len(graphs), self.shape).zero_()
        here = torch.arange(extent) < torch.from_numpy(counts)[:, None]
        nodes, adjacency = self.parts(x)
        nodes[here] = columns
        of = torch.from_numpy(np.arange(len(graphs)).repeat([len(graph.edges) for graph in graphs]))
        one, other = torch.from_numpy(np.concatenate([graph.edges for graph in graphs])).T
        adjacency[of, one, other] = adjacency[of, other, one] = 1.0
        adjacency.diagonal(dim1=1, dim2=2).zero_()
        return x

    def decode(self, x: Tensor) -> pd.DataFrame:
        nodes, adjacency = (part.detach().cpu() for part in self.parts(x))
        cells = np.empty(len(x), dtype=object)
        for index in range(len(x)):
            there = (nodes[index, :, -1] > 0.5).nonzero()[:, 0]
            table = Tabular(self.schema).decode(nodes[index, there]).drop(columns=OBSERVED)
            edges = (adjacency[index][there][:, there].triu(1) > 0.5).nonzero().numpy()
            cells[index] = Graph(table.set_axis(range(len(there)), axis=0), edges)
        return pd.DataFrame({GRAPH: pd.Series(cells, dtype=object)})

    @property
    def shape(self) -> tuple[int, ...]:
        (extent,) = self.schema.size
        return (extent, len(self.schema.columns) + extent)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The nodes' features ``(..., n, D)`` and the adjacency matrix ``(..., n, n)`` of inputs ``(..., n, D + n)``, as views."""
        width = len(self.schema.columns)
        return x[..., :width], x[..., width:]

    def lay(self, columns: Tensor) -> Tensor:
        """One value a column of the features, laid over an input; an edge, 0 or 1 like the flag of its node, takes the flag's."""
        (extent,) = self.schema.size
        return torch.cat([columns, columns[-1:].expand(extent)]).expand(self.shape)

    @property
    def movable(self) -> tuple[Tensor, Tensor]:
        """Edges may come and go; whether a node is there may not change."""
        (extent,) = self.schema.size
        fall, rise = (move.clone() for move in super().movable)
        for move in (fall, rise):
            self.parts(move)[1].copy_(~torch.eye(extent, dtype=torch.bool))
        return fall, rise

    @cached_property
    def players(self) -> tuple[str, ...]:
        return tuple(f"node {index + 1}" for index in range(self.schema.size[0]))

    @cached_property
    def membership(self) -> Tensor:
        """A node has its features and its row of the adjacency matrix."""
        return torch.arange(self.schema.size[0])[:, None].expand(self.shape)

    def present(self, x: Tensor) -> Tensor:
        return self.parts(x)[0][..., -1] > 0.5

    def neutral(self) -> Tensor:
        """The graph without nodes."""
        return torch.zeros(self.shape)

    def typical(self, x: Tensor) -> Tensor:
        """The graph without nodes, since nodes of different graphs have nothing in common that could be averaged."""
        return self.neutral().to(x)

    def mask(self, x: Tensor, present: Tensor, replacement: Tensor) -> Tensor:
        """Keep the nodes that are present, and take the others from `replacement`.

        An edge stays where both its nodes do. Between nodes that are taken from `replacement` there are its
        edges, and between one that stays and one that is taken there is none.
        """
        present = present.to(x.device)
        (nodes, adjacency), (other_nodes, other_adjacency) = self.parts(x), self.parts(replacement)
        both = present[..., :, None] & present[..., None, :]
        neither = ~(present[..., :, None] | present[..., None, :])
        edges = torch.where(both, adjacency, torch.where(neither, other_adjacency, torch.zeros((), dtype=x.dtype, device=x.device)))
        return torch.cat([torch.where(present[..., None], nodes, other_nodes), edges], dim=-1)

    def spread(self, values: Tensor, x: Tensor) -> Tensor:
        """Lay a node's value on the flag that says that it is there."""
        spread = torch.zeros(*values.shape, self.shape[1], dtype=values.dtype, device=values.device)
        self.parts(spread)[0][..., -1] = values
        return spread

    def repair(self, x: Tensor, centre: Tensor) -> Tensor:
        """Repair the features of the nodes that are there as rows of a table, and take or leave whole edges.

        An edge changes only where both its entries have gone all the way.
        """
        repaired = centre.clone()
        (nodes, adjacency), (old_nodes, old_adjacency), (new_nodes, new_adjacency) = map(self.parts, (x, centre, repaired))
        there = old_nodes[..., -1] > 0.5
        rows = Tabular(self.schema).repair(nodes.flatten(0, 1), old_nodes.flatten(0, 1)).reshape(nodes.shape)
        new_nodes[..., :-1] = torch.where(there[..., None], rows, old_nodes)[..., :-1]
        gone = (adjacency - old_adjacency).abs() >= 1 - TOLERANCE
        flipped = gone & gone.mT & there[:, :, None] & there[:, None, :] & ~torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        new_adjacency.copy_(torch.where(flipped, 1 - old_adjacency, old_adjacency))
        return repaired

    def valid(self, x: Tensor) -> Tensor:
        nodes, adjacency = self.parts(x)
        flag = nodes[..., -1]
        there = flag > 0.5
        rows = Tabular(self.schema).valid(nodes.flatten(0, 1)).reshape(flag.shape)
        empty = (nodes.abs() <= TOLERANCE).all(2) & (adjacency.abs() <= TOLERANCE).all(2)
        whole = ((adjacency.abs() <= TOLERANCE) | ((adjacency - 1).abs() <= TOLERANCE)).all((1, 2))
        symmetric = ((adjacency - adjacency.mT).abs() <= TOLERANCE).all((1, 2))
        loops = (adjacency.diagonal(dim1=1, dim2=2).abs() > TOLERANCE).any(1)
        return torch.where(there, rows, empty).all(1) & whole & symmetric & ~loops & there.any(1) & x.isfinite().all((1, 2))

    def words(self, x: Tensor) -> list[dict[str, str]]:
        """What is known of each node, and how many edges it has."""
        nodes, adjacency = (part.detach().cpu() for part in self.parts(x))
        table = Tabular(self.schema).decode(nodes.flatten(0, 1))
        known = [[word_for(feature, value) for value in table[feature.name]] for feature in self._features]
        degrees = adjacency.sum(2).flatten().tolist()
        there = (nodes[..., -1] > 0.5).flatten().tolist()
        words = [self._word([column[i] for column in known], degree) if there[i] else "no node" for i, degree in enumerate(degrees)]
        count = self.schema.size[0]
        return [dict(zip(self.players, words[row * count : (row + 1) * count], strict=True)) for row in range(len(x))]

    def _word(self, known: list[str], degree: float) -> str:
        several = len(known) > 1
        parts = [f"{feature.name} {word}" if several else word for feature, word in zip(self._features, known, strict=True)]
        return ", ".join([*parts, f"{degree:.3g} edge{'' if degree == 1 else 's'}"])

    @property
    def _features(self) -> tuple[Feature, ...]:
        """The features, without the flag."""
        return self.schema.features[:-1]

    def _tidy(self, graphs: Sequence[Graph]) -> pd.DataFrame:
        """The nodes of all graphs, one below the other.

        Raises:
            DataError: If they lack a feature.
        """
        nodes = _nodes(graphs)
        for feature in self._features:
            if feature.name not in nodes.columns:
                raise DataError(f"the nodes have no feature {feature.name!r}", remedy=did_you_mean(feature.name, map(str, nodes.columns)))
        return tidy_columns(nodes, {feature.name: {"kind": feature.kind} for feature in self._features})


def _column(frame: pd.DataFrame) -> str:
    """The name of the column that holds the graphs."""
    found = [str(name) for name in frame.columns if len(frame) and isinstance(frame[name].iloc[0], Graph)]
    if len(found) != 1:
        raise DataError(
            f"{len(found)} columns of {', '.join(map(str, frame.columns))} hold graphs, required is one",
            remedy="make the cells with classifier.modalities.graph.Graph",
        )
    return found[0]


def _graphs_of(frame: pd.DataFrame) -> list[Graph]:
    graphs = list(frame[_column(frame)])
    for row, graph in enumerate(graphs):
        if not isinstance(graph, Graph):
            raise DataError(f"row {row} holds no graph, but {str(graph)[:40]!r}", remedy="leave the row out")
    return graphs


def _nodes(graphs: Sequence[Graph]) -> pd.DataFrame:
    """The nodes of all graphs, one below the other, with their graph and their number as index."""
    names = list(map(str, graphs[0].nodes.columns))
    for row, graph in enumerate(graphs):
        if list(map(str, graph.nodes.columns)) != names:
            raise DataError(
                f"the nodes of the graph in row {row} have the features {', '.join(map(str, graph.nodes.columns)) or '(none)'}, "
                f"required are {', '.join(names) or '(none)'}",
                remedy="every graph needs the same features in the same order",
            )
    counts: NDArray[np.int64] = np.array([len(graph.nodes) for graph in graphs])
    numbers = np.arange(counts.sum()) - (counts.cumsum() - counts).repeat(counts) + 1
    nodes = pd.concat([graph.nodes for graph in graphs], ignore_index=True).set_axis(names, axis=1)
    return nodes.set_axis(pd.MultiIndex.from_arrays([np.arange(len(graphs)).repeat(counts), numbers], names=("graph", "node")), axis=0)
