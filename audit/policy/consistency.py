"""Consistency: what must hold among the rules and the waivers of one policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.policy.rule import Rule
from audit.policy.waiver import Waiver
from classifier.errors import did_you_mean

#: The finding of who made a classifier and who examines it; it asks for no metric, and no rule may be called like it.
INDEPENDENCE = "INDEPENDENCE"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where.

    Args:
        place: Where it stands in the file.
        problem: What is wrong.
        remedy: What to do.
    """

    place: tuple[str | int, ...]
    problem: str
    remedy: str


def fault_among(rules: Sequence[Rule], waivers: Sequence[Waiver] = ()) -> Fault | None:
    """The first fault, if there is one: an id that two rules have or none may have, or a waiver of a rule that does not exist."""
    ids = [rule.id for rule in rules]
    for place, name in enumerate(ids):
        if name in ids[:place]:
            return Fault(("rule", place, "id"), f"two rules are called {name!r}", "give each an id of its own")
        if name == INDEPENDENCE:
            return Fault(("rule", place, "id"), f"a rule is called {name!r}, as only Assay's own finding is", "give it another id")
    for place, waiver in enumerate(waivers):
        if waiver.rule not in ids:
            return Fault(
                ("waiver", place, "rule"), f"a waiver names the rule {waiver.rule!r}, which does not exist", did_you_mean(waiver.rule, ids)
            )
    return None
