"""How far two words are apart (Levenshtein, 1966)."""

from __future__ import annotations


def edit_distance(before: str, after: str) -> int:
    """The fewest characters that must be inserted, left out or replaced to make one string of the other."""
    row = list(range(len(after) + 1))
    for i, a in enumerate(before, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(after, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
