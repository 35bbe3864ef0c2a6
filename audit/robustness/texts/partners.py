"""What stands in one group with a character or a name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from audit.robustness.texts.reading import read_table


@cache
def partners_in(name: str) -> dict[str, tuple[str, ...]]:
    """For each member of the groups of a table, the others of all its groups, each once, in the table's order.

    Args:
        name: Of the table; its `groups` are strings of characters or lists of words.
    """
    groups = read_table(name)["groups"]
    listed: Iterable[Iterable[str]] = groups.values() if isinstance(groups, dict) else groups
    found: dict[str, dict[str, None]] = {}
    for group in listed:
        for member in group:
            found.setdefault(member, {}).update(dict.fromkeys(other for other in group if other != member))
    return {member: tuple(others) for member, others in found.items()}
