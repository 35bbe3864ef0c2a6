"""Graphs from edge lists: a table of edges, one of graphs, and where anything is known of the nodes one of nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError, did_you_mean
from classifier.formats.graph_cases import GRAPH, cut_graphs, graphs_table
from classifier.formats.names import names_of
from classifier.formats.tables import read_table
from classifier.opening import find_file, require_alike
from classifier.records import digest

EDGES, GRAPHS, NODES = "edges.csv", "graphs.csv", "nodes.csv"
_KEYS = {EDGES: (GRAPH, "source", "target"), GRAPHS: (GRAPH,), NODES: (GRAPH, "node")}


def read_edge_lists(folder: Path) -> tuple[pd.DataFrame, str]:
    """Read graphs from ``edges.csv``, ``graphs.csv`` and, where it is there, ``nodes.csv``.

    Graphs and nodes are called by names, a node's within its graph. Without ``nodes.csv`` the nodes are those
    that an edge names, in the order in which they occur; with it, an edge names no others.

    Returns:
        One row a graph in the order of ``graphs.csv``, with its other columns; and the SHA-256 of all that was read.

    Raises:
        DataError: If a file or a column is missing, a name is missing or occurs twice, or one file names what another lacks.
    """
    files = {name: find_file(folder / name) for name in _KEYS}
    files = {name: file for name, file in files.items() if name != NODES or file.is_file()}
    require_alike(files.values(), folder)
    read = {name: read_table(file) for name, file in files.items()}
    tables = {name: _named(table, name) for name, (table, _) in read.items()}
    graphs, edges = tables[GRAPHS], tables[EDGES]
    _require_once(graphs[[GRAPH]], GRAPHS)
    order = pd.Index(graphs[GRAPH])
    ends = pd.DataFrame({GRAPH: np.tile(edges[GRAPH], 2), "node": np.concatenate([edges["source"], edges["target"]])}, dtype=object)
    if NODES in tables:
        nodes = tables[NODES]
        _require_once(nodes[[GRAPH, "node"]], NODES)
    else:
        # One edge after the other, its source first.
        nodes = ends.iloc[np.arange(len(ends)).reshape(2, -1).T.ravel()].drop_duplicates()
    of = _find(order, pd.Index(nodes[GRAPH]), f"the graph {{}} of {NODES if NODES in tables else EDGES} is not in {GRAPHS}")
    absent = np.setdiff1d(np.arange(len(order)), of)
    if len(absent):
        raise DataError(f"the graph {order[absent[0]]!r} of {GRAPHS} has no nodes", remedy=f"leave it out, or name its nodes in {NODES}")
    place = np.argsort(of, kind="stable")
    nodes = nodes.iloc[place]
    known = pd.MultiIndex.from_frame(nodes[[GRAPH, "node"]])
    numbers = _find(known, pd.MultiIndex.from_frame(ends), f"the graph and node {{}} of {EDGES} are not in {NODES}")
    unused = tuple(f"values {column!r} of edges" for column in edges.columns if column not in _KEYS[EDGES])
    cells = cut_graphs(nodes.drop(columns=[GRAPH, "node"]).reset_index(drop=True), of[place], numbers.reshape(2, -1).T, unused)
    columns = {column: graphs[column] for column in graphs.columns if column != GRAPH}
    return graphs_table(cells, columns), digest({name: each for name, (_, each) in read.items()})


def _named(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """A table whose names of graphs and nodes are tidied.

    Raises:
        DataError: If a column is missing or occurs twice, or a name is missing.
    """
    table = table.rename(columns=str)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"{name} has two columns {twice[0]!r}", remedy="give each column a name of its own")
    for column in _KEYS[name]:
        if column not in table.columns:
            raise DataError(f"{name} has no column {column!r}", remedy=did_you_mean(column, table.columns))
        table[column] = names_of(table[column])
        absent = table[column].isna().to_numpy()
        if absent.any():
            raise DataError(
                f"column {column!r} of {name} lacks a value in row {int(absent.argmax())}", remedy="every row needs a name there"
            )
    return table


def _require_once(names: pd.DataFrame, name: str) -> None:
    twice = names.duplicated().to_numpy()
    if twice.any():
        row = int(twice.argmax())
        said = ", ".join(f"{column} {value!r}" for column, value in names.iloc[row].items())
        raise DataError(f"{name} has {said} a second time in row {row}", remedy="leave one out")


def _find(known: pd.Index[Any], names: pd.Index[Any], problem: str) -> NDArray[np.int64]:
    """The position of each name among those that are known."""
    positions = known.get_indexer(names)
    if (positions < 0).any():
        name = names[int((positions < 0).argmax())]
        said = " and ".join(map(repr, name)) if isinstance(name, tuple) else repr(name)
        raise DataError(problem.format(said), remedy="add it there, or leave out what names it")
    return positions.astype(np.int64)
