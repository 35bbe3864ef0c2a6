"""``[policy]`` and ``[report]``: by which rules an audit judges, and of which laws its report speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import field_validator, model_validator

from audit.controls.catalogues import control_ids, laws, named_laws
from audit.policy import Policy, PolicyFile
from audit.policy.shipped import shipped_path
from audit.policy.writing import policy_text
from audit.report.document import FORMATS, Format
from audit.toml_files import Form, read_toml
from classifier.errors import did_you_mean


class PolicyPart(Form):
    """``[policy]``: a file of rules, or a policy that comes with Assay."""

    path: str | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _one(self) -> PolicyPart:
        if (self.path is None) == (self.name is None):
            raise ValueError("needs one of path (a file of rules) and name (a policy that comes with Assay)")
        return self

    def file(self, folder: Path) -> Path:
        """The file of the rules.

        Args:
            folder: Where the configuration lies.
        """
        return shipped_path(self.name) if self.name is not None else folder / str(self.path)

    def read(self, folder: Path) -> Policy:
        """The rules, with those that they inherit.

        Args:
            folder: Where the configuration lies.

        Raises:
            ConfigurationError: If a file does not fit, or a rule serves a clause that no catalogue has.
        """
        policy = Policy.read(self.file(folder))
        policy.check_controls(control_ids())
        return policy

    def text(self, folder: Path) -> bytes:
        """``policy.toml`` as a bundle keeps it: the very bytes of the file, or every rule in one file where it builds on others.

        Args:
            folder: Where the configuration lies.
        """
        path = self.file(folder)
        alone = not read_toml(PolicyFile, path).policy.parents
        return path.read_bytes() if alone else policy_text(Policy.read(path)).encode()


class ReportPart(Form):
    """``[report]``: in which formats it is written; whether what is found of single rows is sealed though the data are not; and of
    which laws and standards it shows what was measured, by default of those that the rules name."""

    formats: tuple[Format, ...] = FORMATS
    rows: Literal["plain", "sealed"] = "plain"
    laws: tuple[str, ...] | None = None

    @field_validator("laws")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if name not in laws():
                raise ValueError(f"names {name!r}, of which there is no catalogue; {did_you_mean(name, laws())}")
        return names

    def shown(self, policy: Policy | None) -> tuple[str, ...]:
        """The laws that are chosen, or else those that the rules of a policy name.

        Args:
            policy: The policy that judges.
        """
        if self.laws is not None:
            return self.laws
        return named_laws(control for rule in policy.rule for control in rule.controls) if policy is not None else ()
