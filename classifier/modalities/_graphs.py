"""Graphs from files: the TU format (Morris et al., 2020, arXiv:2007.08663), JSON lines, and PyTorch Geometric's objects in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError, did_you_mean
from classifier.records import canonical_json, sha256

GRAPH, LABEL, NODE_LABEL = "graph", "label", "node label"


@dataclass(frozen=True, eq=False)
class Graph:
    """One case: nodes, and which of them are joined. An edge has no direction.

    Args:
        nodes: What is known of each node, one row a node; it may have no columns.
        edges: The two nodes of each edge, numbered from 0 ``(E, 2)``.
        unused: What else was given and is no input, ``"edge labels"``.
    """

    nodes: pd.DataFrame
    edges: NDArray[np.int64]
    unused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        edges = self.edges
        if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
            raise DataError(f"the edges of a graph must be whole numbers (edges, 2), got {edges.shape} of {edges.dtype}")
        if len(self.nodes) == 0:
            raise DataError("a graph needs at least one node", remedy="leave the graph out")
        if len(edges) and not (edges.min() >= 0 and edges.max() < len(self.nodes)):
            raise DataError(
                f"an edge names the node {edges.max() if edges.min() >= 0 else edges.min()}, and there are {len(self.nodes)} nodes, from 0"
            )


def read_graphs(path: Path) -> tuple[pd.DataFrame, str]:
    """Read graphs, one row each; its column of graphs holds `Graph` objects.

    Args:
        path: A folder in the TU format, or a ``.jsonl`` file with a graph a line.

    Returns:
        The rows, and the SHA-256 of all that was read.

    Raises:
        DataError: If there is nothing to read, or a file is damaged.
    """
    if path.is_dir():
        return _read_folder(path)
    if path.suffix != ".jsonl":
        raise DataError(f"{path.name} holds no graphs that can be read", remedy="give a folder in the TU format, or a .jsonl file")
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    content = path.read_bytes()
    return _read_lines(content, path.name), sha256(content)


def graphs_frame(data_list: Iterable[Any]) -> pd.DataFrame:
    """A table of graphs from PyTorch Geometric's `Data` objects.

    Args:
        data_list: Objects with `x` ``(nodes, columns)`` or ``None``, `edge_index` ``(2, edges)`` and `y`, one number.

    Returns:
        One row a graph: a column ``"graph"``, and ``"label"``. The columns of `x` are called ``x1``, ``x2``, ...
    """
    graphs, labels = [], []
    for data in data_list:
        count = int(data.num_nodes)
        values = np.zeros((count, 0)) if data.x is None else data.x.detach().cpu().numpy().reshape(count, -1)
        nodes = pd.DataFrame(values, columns=[f"x{index + 1}" for index in range(values.shape[1])])
        unused = ("edge attributes",) if getattr(data, "edge_attr", None) is not None else ()
        graphs.append(Graph(nodes, data.edge_index.detach().cpu().numpy().T.astype(np.int64), unused))
        labels.append(data.y.item())
    return _frame(graphs, {LABEL: labels})


def _read_lines(content: bytes, name: str) -> pd.DataFrame:
    graphs: list[Graph] = []
    others: list[dict[str, Any]] = []
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text (byte {error.start})", remedy="save it as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number} of {name}"
        try:
            record = json.loads(line)
            nodes, edges = record.pop("nodes"), record.pop("edges")
            columns = (
                pd.DataFrame(nodes) if nodes and isinstance(nodes[0], list | dict) else pd.DataFrame({NODE_LABEL: nodes}, dtype=object)
            )
            if nodes and isinstance(nodes[0], list):
                columns.columns = [f"x{index + 1}" for index in range(columns.shape[1])]
            graphs.append(Graph(columns, _pairs(edges)))
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{where} is no graph: {error}", remedy=_LINE) from error
        except KeyError as error:
            raise DataError(f"{where} has no {error.args[0]!r}", remedy=_LINE) from error
        except DataError as error:
            raise DataError(f"{where}: {error.problem}", remedy=error.remedy) from error
        others.append(record)
    if not graphs:
        raise DataError(f"{name} has no graphs", remedy=_LINE)
    return _frame(graphs, pd.DataFrame(others, index=range(len(others))).to_dict("list"))


_LINE = 'a line is {"nodes": ["C", "O"], "edges": [[0, 1]], "label": "yes"}'


def _pairs(edges: Any) -> NDArray[np.int64]:
    pairs = np.array(edges).reshape(-1, 2) if len(edges) == 0 else np.array(edges)
    return pairs.astype(np.int64) if len(edges) == 0 else pairs


def _read_folder(folder: Path) -> tuple[pd.DataFrame, str]:
    """The TU format: one file for the edges, one for the graph of each node, one for the class of each graph."""
    found = sorted(folder.glob("*_A.txt"))
    if len(found) != 1:
        raise DataError(f"{folder} has {len(found)} files that end in _A.txt, required is one", remedy="give a folder in the TU format")
    name = found[0].name.removesuffix("_A.txt")
    contents = {
        part: (folder / f"{name}_{part}.txt").read_bytes()
        for part in ("A", "graph_indicator", "graph_labels", "node_labels", "node_attributes")
        if (folder / f"{name}_{part}.txt").is_file()
    }
    for part in ("graph_indicator", "graph_labels"):
        if part not in contents:
            raise DataError(f"{folder} has no file {name}_{part}.txt", remedy="the TU format needs it")
    tables = {part: _table(content, f"{name}_{part}.txt") for part, content in contents.items()}
    graph_of, labels = _whole(tables["graph_indicator"][:, 0]) - 1, _whole(tables["graph_labels"][:, 0])
    edges = _whole(tables["A"]) - 1
    if (np.diff(graph_of) < 0).any() or graph_of[0] != 0 or graph_of[-1] != len(labels) - 1 or (np.diff(graph_of) > 1).any():
        raise DataError(
            f"{name}_graph_indicator.txt must number the {len(labels)} graphs of {name}_graph_labels.txt from 1, in their order"
        )
    columns: dict[str, Any] = {}
    if "node_labels" in tables:
        columns |= {NODE_LABEL: _whole(tables["node_labels"][:, 0]).astype(str).astype(object)}
    if "node_attributes" in tables:
        columns |= {f"x{index + 1}": values for index, values in enumerate(tables["node_attributes"].T)}
    for part, column in columns.items():
        if len(column) != len(graph_of):
            raise DataError(
                f"{name} has {len(graph_of)} nodes, but {len(column)} values of {part!r}", remedy="the files belong to different data"
            )
    if len(edges) and (edges.min() < 0 or edges.max() >= len(graph_of)):
        raise DataError(f"{name}_A.txt joins the node {edges.max() + 1}, and there are {len(graph_of)}", remedy="they are numbered from 1")
    if (graph_of[edges[:, 0]] != graph_of[edges[:, 1]]).any():
        raise DataError(f"{name}_A.txt joins nodes of different graphs", remedy="the files belong to different data")
    unused = tuple(part.replace("_", " ") for part in ("edge_labels", "edge_attributes") if (folder / f"{name}_{part}.txt").is_file())
    nodes = pd.DataFrame(columns, index=range(len(graph_of)))
    first = np.searchsorted(graph_of, np.arange(len(labels) + 1))
    order = np.argsort(graph_of[edges[:, 0]], kind="stable")
    edges = edges[order]
    cut = np.searchsorted(graph_of[edges[:, 0]], np.arange(len(labels) + 1))
    graphs = [
        Graph(nodes.iloc[first[g] : first[g + 1]].reset_index(drop=True), edges[cut[g] : cut[g + 1]] - first[g], unused)
        for g in range(len(labels))
    ]
    digest = sha256(canonical_json([[part, sha256(content)] for part, content in sorted(contents.items())]))
    return _frame(graphs, {LABEL: labels.astype(str).astype(object)}), digest


def _table(content: bytes, name: str) -> NDArray[np.float64]:
    """A file of numbers between commas ``(lines, columns)``."""
    try:
        rows = [[float(value) for value in line.split(",")] for line in content.decode("ascii").splitlines() if line.strip()]
        return np.array(rows, dtype=np.float64).reshape(len(rows), -1)
    except ValueError as error:
        raise DataError(f"{name} must hold numbers between commas, as many in each line: {error}") from error


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return values.astype(np.int64)


def _frame(graphs: Sequence[Graph], columns: dict[Any, Any]) -> pd.DataFrame:
    cells = np.empty(len(graphs), dtype=object)
    cells[:] = graphs
    return pd.DataFrame({GRAPH: pd.Series(cells, dtype=object), **columns})
