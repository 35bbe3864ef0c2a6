"""Graphs from a folder in the TU format (Morris et al., 2020, arXiv:2007.08663)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError
from classifier.formats.graph_cases import LABEL, NODE_LABEL, cut_graphs, graphs_table
from classifier.opening import SEALED, find_file, plain_name, read_file, require_alike
from classifier.records import canonical_json, sha256

_PARTS = ("A", "graph_indicator", "graph_labels", "node_labels", "node_attributes")
# Beyond this a float skips whole numbers.
_MOST = 2**53


def read_tu_folder(folder: Path) -> tuple[pd.DataFrame, str]:
    """One file for the edges, one for the graph of each node, one for the class of each graph.

    Returns:
        One row a graph, and the SHA-256 of all that was read.

    Raises:
        DataError: If a file is missing or damaged, or they do not belong together.
    """
    found = sorted(file for ending in ("", SEALED) for file in folder.glob(f"*_A.txt{ending}"))
    if len(found) != 1:
        raise DataError(
            f"{folder} has {len(found)} files that end in _A.txt, required is one",
            remedy="give a folder in the TU format, or one with edges.csv and graphs.csv",
        )
    name = plain_name(found[0]).name.removesuffix("_A.txt")
    files = {part: find_file(folder / f"{name}_{part}.txt") for part in _PARTS}
    there = {part: file for part, file in files.items() if file.is_file()}
    require_alike(there.values(), folder)
    read = {part: read_file(file) for part, file in there.items()}
    contents = {part: content for part, (content, _) in read.items()}
    for part in ("graph_indicator", "graph_labels"):
        if part not in contents:
            raise DataError(f"{folder} has no file {files[part].name}", remedy="the TU format needs it")
    graph_of = _whole(contents["graph_indicator"], files["graph_indicator"].name, 1)[:, 0] - 1
    labels = _whole(contents["graph_labels"], files["graph_labels"].name, 1)[:, 0]
    edges = _whole(contents["A"], files["A"].name, 2) - 1
    if len(labels) == 0 or len(graph_of) == 0 or not _in_order(graph_of, len(labels)):
        raise DataError(
            f"{name}_graph_indicator.txt must number the {len(labels)} graphs of {name}_graph_labels.txt from 1, in their order"
        )
    outside = (edges < 0) | (edges >= len(graph_of))
    if outside.any():
        raise DataError(
            f"{name}_A.txt joins the node {edges[outside][0] + 1}, and there are {len(graph_of)}", remedy="they are numbered from 1"
        )
    if (graph_of[edges[:, 0]] != graph_of[edges[:, 1]]).any():
        raise DataError(f"{name}_A.txt joins nodes of different graphs", remedy="the files belong to different data")
    nodes = pd.DataFrame(_columns(contents, name, len(graph_of)), index=range(len(graph_of)))
    unused = tuple(
        part.replace("_", " ") for part in ("edge_labels", "edge_attributes") if find_file(folder / f"{name}_{part}.txt").is_file()
    )
    digest = sha256(canonical_json([[part, each] for part, (_, each) in sorted(read.items())]))
    return graphs_table(cut_graphs(nodes, graph_of, edges, unused), {LABEL: labels.astype(str).astype(object)}), digest


def _in_order(graph_of: NDArray[np.int64], count: int) -> bool:
    steps = np.diff(graph_of)
    return bool(graph_of[0] == 0 and graph_of[-1] == count - 1 and (steps >= 0).all() and (steps <= 1).all())


def _columns(contents: dict[str, bytes], name: str, count: int) -> dict[str, Any]:
    """What is known of the nodes: their labels, which are codes of kinds, and their attributes, which are numbers."""
    columns: dict[str, Any] = {}
    if "node_labels" in contents:
        codes = _whole(contents["node_labels"], f"{name}_node_labels.txt").astype(str).astype(object).T
        columns |= {NODE_LABEL if len(codes) == 1 else f"{NODE_LABEL} {index + 1}": code for index, code in enumerate(codes)}
    if "node_attributes" in contents:
        numbers = _numbers(contents["node_attributes"], f"{name}_node_attributes.txt")[0].T
        columns |= {f"x{index + 1}": values for index, values in enumerate(numbers)}
    for part, column in columns.items():
        if len(column) != count:
            raise DataError(f"{name} has {count} nodes, but {len(column)} values of {part!r}", remedy="the files belong to different data")
    return columns


def _whole(content: bytes, name: str, columns: int | None = None) -> NDArray[np.int64]:
    """A file of whole numbers ``(lines, columns)``."""
    values, lines = _numbers(content, name, columns)
    wrong = ~((values == np.round(values)) & (np.abs(values) < _MOST)).all(1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{name} must hold whole numbers, got {', '.join(f'{value:g}' for value in values[row])} in line {lines[row]}")
    return values.astype(np.int64)


def _numbers(content: bytes, name: str, columns: int | None = None) -> tuple[NDArray[np.float64], list[int]]:
    """A file of numbers between commas ``(lines, columns)``, and the number of each line.

    Args:
        content: The bytes of the file.
        name: What to call it in an error.
        columns: How many numbers a line must have; as many as the first by default.
    """
    rows, lines = [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append([float(value) for value in line.split(b",")])
        except ValueError as error:
            raise DataError(
                f"{name} must hold numbers between commas, got {line[:40].decode('ascii', 'replace')!r} in line {number}"
            ) from error
        lines.append(number)
        columns = columns or len(rows[0])
        if len(rows[-1]) != columns:
            raise DataError(f"{name} must hold as many numbers in each line, {columns}, got {len(rows[-1])} in line {number}")
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns or 0), lines
