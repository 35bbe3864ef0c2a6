"""Independence: whether who examines a classifier is another than who made it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from audit.policy.consistency import INDEPENDENCE
from audit.policy.document import Policy
from audit.policy.finding import Finding, Reason, Verdict

#: What the finding asks, as a metric would be named.
ASKED = "policy.independence"


def judge_independence(
    policy: Policy,
    declarations: Mapping[str, str],
    *,
    developer_keys: Collection[str] = (),
    validator_keys: Collection[str] = (),
) -> Finding | None:
    """The finding of independence; ``None`` where the policy does not ask for it.

    It holds where a developer and a validator are declared and differ, and no key has signed for both. Whether two names are two
    people, no program can tell; that one key signed for both, it can.

    Args:
        policy: The policy.
        declarations: What the model's owner declares.
        developer_keys: Ids of the keys that signed the classifier, as far as it is signed.
        validator_keys: Ids of the keys that signed the audit, as far as it is signed.
    """
    if not policy.policy.requires_independence:
        return None
    developer, validator = (" ".join(declarations.get(name, "").split()) for name in ("developer", "validator"))
    shared = set(developer_keys) & set(validator_keys)
    verdict: Verdict
    reason: Reason
    if shared or (developer and developer.casefold() == validator.casefold()):
        verdict, reason = "fail", "not_independent"
    elif not developer or not validator:
        verdict, reason = "not_run", "undeclared"
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
