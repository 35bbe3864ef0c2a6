"""Report: what was done to a table, what it was before and after, and what that cost. It holds no cell of the table and no key."""

from __future__ import annotations

from dataclasses import dataclass

from classifier.metric import Metric

# Said with every release, because the numbers alone invite the opposite.
LIMITS = (
    "Pseudonymised data are still personal data (GDPR, recital 26; PIPL, article 73): whoever has the key, or knows enough of "
    "a person, can tell whose row it is. A pseudonym shows which rows belong together and how often its value occurs.",
    "k-anonymity, l-diversity and t-closeness are properties of this table and of the columns named as quasi-identifiers. They "
    "say nothing of what an attacker knows besides, of columns not named, or of another release of the same persons.",
    "The risks are those of an attacker who knows that a person is in the table, knows all quasi-identifiers and nothing else. "
    "They are no chance that anybody tries, and no bound on what can be learned from all columns together.",
    "Columns that are kept go out as they are. That the scan found no personal identifier in one does not mean that it has none.",
)


@dataclass(frozen=True)
class ColumnReport:
    """What was done with one column.

    Args:
        name: The column.
        action: What the plan says.
        role: What the plan says.
        level: The level that was taken; ``None`` for other actions.
        step: What that level is called.
        levels: How many levels there were.
        reason: What the plan says.
        changed: Share of the released rows whose cell is another than it was; ``None`` for a dropped column.
    """

    name: str
    action: str
    role: str
    level: int | None
    step: str
    levels: int
    reason: str
    changed: float | None


@dataclass(frozen=True)
class Report:
    """What was done to a table.

    Args:
        dataset: Name of the data set.
        plan: SHA-256 of the plan.
        rows_read: Rows that there were.
        rows_released: Rows that there are.
        required: What had to hold, as sentences.
        columns: What was done with each column.
        before: The table's measures with every quasi-identifier at level 0.
        after: The measures of what is released.
        loss: What was lost, from 0 to 1 unless its unit says otherwise, and what was suppressed.
        nodes: Combinations of levels that there were.
        judged: Combinations that were looked at; the rest follows from these.
        notes: What a reader should know of this release besides, as sentences.
        limits: What the numbers do not say.
    """

    dataset: str
    plan: str
    rows_read: int
    rows_released: int
    required: tuple[str, ...]
    columns: tuple[ColumnReport, ...]
    before: tuple[Metric, ...]
    after: tuple[Metric, ...]
    loss: tuple[Metric, ...]
    nodes: int = 0
    judged: int = 0
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = LIMITS
