"""Policy: what is required of the numbers. It judges; it never measures."""

from audit.policy.deciding import Judged
from audit.policy.document import Policy
from audit.policy.finding import VERDICTS, Finding, Reason, Sense, Verdict
from audit.policy.head import PolicyHead
from audit.policy.independence import judge_independence
from audit.policy.inheritance import PolicyFile
from audit.policy.rule import Rule, Severity
from audit.policy.shipped import shipped_policies
from audit.policy.tracing import Traced, trace
from audit.policy.waiver import Waiver

__all__ = [
    "VERDICTS",
    "Finding",
    "Judged",
    "Policy",
    "PolicyFile",
    "PolicyHead",
    "Reason",
    "Rule",
    "Sense",
    "Severity",
    "Traced",
    "Verdict",
    "Waiver",
    "judge_independence",
    "shipped_policies",
    "trace",
]
