"""Graphs from files, and from PyTorch Geometric's objects in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from classifier.errors import DataError, did_you_mean
from classifier.formats.edge_lists import EDGES, GRAPHS, read_edge_lists
from classifier.formats.graph_cases import LABEL, NODE_LABEL, Graph, graphs_table
from classifier.formats.json_lines import read_objects
from classifier.formats.tu_folder import read_tu_folder
from classifier.opening import find_file, plain_name, read_file

_LINE = '{"nodes": ["C", "O"], "edges": [[0, 1]], "label": "yes"}'


def read_graphs(path: Path) -> tuple[pd.DataFrame, str]:
    """Read graphs, one row each; its column of graphs holds `Graph` objects.

    Args:
        path: A folder in the TU format or of edge lists, or a ``.jsonl`` file with a graph a line; each
            file also sealed.

    Returns:
        The rows, and the SHA-256 of all that was read.

    Raises:
        DataError: If there is nothing to read, or a file is damaged.
    """
    if path.is_dir():
        lists = any(find_file(path / name).is_file() for name in (EDGES, GRAPHS))
        return read_edge_lists(path) if lists else read_tu_folder(path)
    if plain_name(path).suffix != ".jsonl":
        raise DataError(
            f"{path.name} holds no graphs that can be read", remedy="give a folder in the TU format or of edge lists, or a .jsonl file"
        )
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*") if entry.is_file()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    content, digest = read_file(path)
    return _read_lines(content, path.name), digest


def graphs_frame(data_list: Iterable[Any]) -> pd.DataFrame:
    """A table of graphs from PyTorch Geometric's `Data` objects.

    Args:
        data_list: Objects with `x` ``(nodes, columns)`` or ``None``, `edge_index` ``(2, edges)`` and `y`, one number;
            or ``None`` where the label is missing.

    Returns:
        One row a graph: a column ``"graph"``, and ``"label"``. The columns of `x` are called ``x1``, ``x2``, ...

    Raises:
        DataError: If an object is no such graph; with its position in the list.
    """
    graphs, labels = [], []
    for position, data in enumerate(data_list):
        try:
            graphs.append(_graph_of(data))
            labels.append(_label_of(data))
        except DataError as error:
            raise DataError(f"object {position}: {error.problem}", remedy=error.remedy) from error
    return graphs_table(graphs, {LABEL: labels})


def _graph_of(data: Any) -> Graph:
    x, edges = getattr(data, "x", None), getattr(data, "edge_index", None)
    if data.num_nodes is None:
        raise DataError("the number of its nodes is not known", remedy="set num_nodes, or x")
    count = int(data.num_nodes)
    if x is not None and (x.ndim not in (1, 2) or len(x) != count or x.is_complex()):
        raise DataError(f"x must hold the numbers of {count} nodes, ({count}, columns), got {tuple(x.shape)} of {x.dtype}")
    if edges is None:
        raise DataError("there is no edge_index", remedy="of a graph without edges it is torch.empty(2, 0, dtype=torch.int64)")
    if edges.ndim != 2 or len(edges) != 2 or edges.is_floating_point():
        raise DataError(f"edge_index must hold whole numbers (2, edges), got {tuple(edges.shape)} of {edges.dtype}")
    # NumPy has no bfloat16.
    values = np.zeros((count, 0)) if x is None else x.detach().cpu().to(torch.float64).numpy().reshape(count, -1)
    nodes = pd.DataFrame(values, columns=[f"x{index + 1}" for index in range(values.shape[1])])
    unused = ("edge attributes",) if getattr(data, "edge_attr", None) is not None else ()
    return Graph(nodes, edges.detach().cpu().numpy().T.astype(np.int64), unused)


def _label_of(data: Any) -> Any:
    label = getattr(data, "y", None)
    if isinstance(label, torch.Tensor):
        if label.numel() != 1:
            raise DataError(
                f"y holds {label.numel()} numbers, required is one label for the graph", remedy="labels of nodes are not classified"
            )
        return label.item()
    return label


def _read_lines(content: bytes, name: str) -> pd.DataFrame:
    graphs: list[Graph] = []
    others: list[dict[str, Any]] = []
    for number, record in read_objects(content, name, _LINE):
        where = f"line {number} of {name}"
        try:
            graphs.append(Graph(_nodes(record.pop("nodes")), _pairs(record.pop("edges"))))
        except KeyError as error:
            raise DataError(f"{where} has no {error.args[0]!r}", remedy=f"a line is {_LINE}") from error
        except DataError as error:
            raise DataError(f"{where}: {error.problem}", remedy=error.remedy) from error
        others.append(record)
    return graphs_table(graphs, pd.DataFrame(others, index=range(len(others))).to_dict("list"))


def _nodes(nodes: Any) -> pd.DataFrame:
    """The nodes of a line: each a label, a list of numbers, or an object of names and values.

    Raises:
        DataError: If they are not all alike; what is not known must be null.
    """
    if not isinstance(nodes, list):
        raise DataError(f"the nodes must be a list, got {str(nodes)[:40]!r}", remedy=f"a line is {_LINE}")
    rows = [_values(node, number) for number, node in enumerate(nodes)]
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise DataError(
                f"node {number} has {', '.join(row) or 'nothing'}, required are {', '.join(rows[0]) or 'nothing'} as of node 0",
                remedy="write null for what is not known",
            )
    columns = pd.DataFrame(rows, index=range(len(rows)), dtype=object)
    # So that a column of numbers with a null in it is one of numbers.
    return columns.infer_objects() if NODE_LABEL not in columns else columns


def _values(node: Any, number: int) -> dict[str, Any]:
    """What is known of a node, by name."""
    if isinstance(node, dict):
        known = node
    elif isinstance(node, list):
        known = {f"x{index + 1}": value for index, value in enumerate(node)}
    else:
        known = {NODE_LABEL: node}
    for name, value in known.items():
        if isinstance(value, list | dict):
            raise DataError(
                f"{name} of node {number} is {str(value)[:40]!r}, required is one value", remedy="give each value a name of its own"
            )
    return known


def _pairs(edges: Any) -> NDArray[np.int64]:
    """The edges of a line, each two nodes."""
    for number, edge in enumerate(edges if isinstance(edges, list) else [edges]):
        # A truth value is a whole number to Python.
        if not isinstance(edge, Sequence) or len(edge) != 2 or not all(type(end) is int for end in edge):
            raise DataError(f"edge {number} must be two whole numbers, got {str(edge)[:40]!r}", remedy="edges are written [[0, 1], [1, 2]]")
    try:
        return np.array(edges, dtype=np.int64).reshape(-1, 2)
    except OverflowError as error:
        raise DataError("an edge names a node beyond all numbers", remedy="nodes are numbered from 0") from error
