"""Random numbers of the rows that are corrupted, by name, so that no draw depends on another or on who else is in the batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audit.robustness.row_noise import normal_rows, uniform_rows
from classifier.seeds import Seed


@dataclass(frozen=True)
class RowDraws:
    """Random numbers for some rows.

    They do not depend on the severity: what a mild corruption does to a row, a severe one does more of, so that a curve
    over severities shows the severity and not other draws.

    Args:
        rows: What each row is called ``(N,)``, int64.
        seed: Of this kind of corruption.
    """

    rows: Tensor
    seed: Seed

    def uniform(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Numbers in [0, 1) for each row ``(N, *shape)``, float32.

        Args:
            name: What they are for.
            shape: Shape of what a row gets.
        """
        return uniform_rows(self.rows, self.seed.child(name).integer(), shape)

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers for each row ``(N, *shape)``, float32."""
        return normal_rows(self.rows, self.seed.child(name).integer(), shape)
