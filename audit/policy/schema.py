"""The published JSON Schema of ``policy.toml``; write it anew with ``python -m audit.policy.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from audit.policy.inheritance import PolicyFile
from classifier.records import write_atomically

SCHEMA = Path(__file__).parents[1] / "policies" / "policy.schema.json"


def policy_schema() -> bytes:
    """The schema, as it is published, for editors and for who writes policies by program."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **PolicyFile.model_json_schema(), "title": "policy.toml"}
    return (json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_policy_schema(path: Path = SCHEMA) -> None:
    """Write the schema.

    Args:
        path: Where to.
    """
    write_atomically(path, policy_schema())


if __name__ == "__main__":
    write_policy_schema()
