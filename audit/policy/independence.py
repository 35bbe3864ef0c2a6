"""Independence: whether who examines a classifier is another than who made it."""

from __future__ import annotations

from collections.abc import Mapping

from audit.policy.consistency import INDEPENDENCE
from audit.policy.document import Policy
from audit.policy.finding import Finding, Reason, Verdict

#: What the finding asks, as a metric would be named.
ASKED = "policy.independence"


def names_differ(declarations: Mapping[str, str], *names: str) -> bool:
    """Whether declared names are different ones, whatever their spaces and their capitals."""
    told = [" ".join(declarations.get(name, "").split()).casefold() for name in names]
    return len(set(told)) == len(told)


def judge_independence(policy: Policy, declarations: Mapping[str, str]) -> Finding | None:
    """The finding of independence; ``None`` where the policy does not ask for it.

    It holds where a developer and a validator are declared and differ. It goes by the declaration alone: whether two names are
    two people, no program can tell.

    Args:
        policy: The policy.
        declarations: What the model's owner declares.
    """
    if not policy.policy.requires_independence:
        return None
    verdict: Verdict
    reason: Reason
    if not all(declarations.get(name, "").strip() for name in ("developer", "validator")):
        verdict, reason = "not_run", "undeclared"
    elif not names_differ(declarations, "developer", "validator"):
        verdict, reason = "fail", "not_independent"
    else:
        verdict, reason = "pass", "independent"
    return Finding(
        rule=INDEPENDENCE,
        asked=ASKED,
        verdict=verdict,
        reason=reason,
        metric=None,
        check=None,
        sense="independent",
        limit=None,
        severity="high",
        set_by=policy.policy.id,
        rationale="Who made a classifier sees what they expect to see.",
        controls=(),
        violated=verdict == "fail",
    )
