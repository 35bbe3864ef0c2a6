"""What a signer can state of a model: that it was trained, audited, released or packaged.

The audit is a test result of in-toto (predicate type ``test-result/v0.1``), which other verifiers read; the others are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from audit.vault.signing.canonical import encode_canonically
from audit.vault.signing.claim import Claim, parse_time, require_digest, require_name, write_time
from classifier.errors import ConfigurationError

Role = Literal["trainer", "auditor", "releaser", "packager"]
ROLES: tuple[Role, ...] = get_args(Role)
PREFIX = "urn:assay:statement:"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
# Of a test result, the fields that in-toto does not know bear a URI as their name.
CLAIM = f"{PREFIX}claim:v1"


@dataclass(frozen=True)
class Trained:
    """A trainer's word: the model came of these data by this recipe.

    Args:
        training_data: SHA-256 of the training data.
        recipe: Everything that determined the training, as JSON-able data; empty where it is not known.

    Raises:
        ConfigurationError: If the digest is none, or the recipe is no JSON.
    """

    training_data: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    role: ClassVar[Role] = "trainer"
    type: ClassVar[str] = f"{PREFIX}trained:v1"

    def __post_init__(self) -> None:
        require_digest("the digest of the training data", self.training_data)
        try:
            encode_canonically(dict(self.recipe))
        except ValueError as error:
            raise ConfigurationError(f"the recipe cannot be stated: {error}") from None

    def to_json(self, claim: Claim) -> dict[str, Any]:
        """The predicate as it is signed, with the claim."""
        return {**_claim(claim), "trainingData": {"sha256": self.training_data}, "recipe": dict(self.recipe)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> tuple[Claim, Trained]:
        """Read what `to_json` gave, and nothing else."""
        fields = take(content, "model", "time", "trainingData", "recipe")
        if not isinstance(fields["recipe"], dict):
            raise ConfigurationError("the recipe must be an object")
        return _parse_claim(fields), cls(take(fields["trainingData"], "sha256")["sha256"], fields["recipe"])


@dataclass(frozen=True)
class Audited:
    """An auditor's word: an audit found this.

    Args:
        manifest: SHA-256 of the audit's ``manifest.json``.
        passed: Rules that hold.
        warned: Rules that are undecided, were not measured, or whose violation somebody accepted.
        failed: Rules that are violated.
        policy: SHA-256 of the policy, if there was one.
        trust: SHA-256 of the trust store that the audit used, if it used one.
        classifier: Digest of the classifier that was audited; ``None`` where there were predictions alone.

    Raises:
        ConfigurationError: If a digest is none, or a rule stands twice.
    """

    manifest: str
    passed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    policy: str | None = None
    trust: str | None = None
    classifier: str | None = None
    role: ClassVar[Role] = "auditor"
    type: ClassVar[str] = TEST_RESULT

    def __post_init__(self) -> None:
        require_digest("the digest of the manifest", self.manifest)
        for name, digest in self._configuration.items():
            require_digest(f"the digest of {name}", digest)
        if self.classifier is not None:
            require_digest("the digest of the classifier", self.classifier)
        rules = [*self.passed, *self.warned, *self.failed]
        for rule in rules:
            require_name("a rule's id", rule)
        if len(set(rules)) < len(rules):
            raise ConfigurationError("a rule has two results, required is one")

    @property
    def result(self) -> Literal["PASSED", "WARNED", "FAILED"]:
        """``"FAILED"`` if a rule is violated, ``"PASSED"`` if all hold, else ``"WARNED"``: nothing passes where nothing was judged."""
        if self.failed:
            return "FAILED"
        return "PASSED" if self.passed and not self.warned else "WARNED"

    @property
    def _configuration(self) -> dict[str, str]:
        return {name: digest for name, digest in (("policy.toml", self.policy), ("trust.toml", self.trust)) if digest is not None}

    def to_json(self, claim: Claim) -> dict[str, Any]:
        """The predicate as it is signed, with the claim."""
        return {
            "result": self.result,
            "configuration": [{"name": name, "digest": {"sha256": digest}} for name, digest in self._configuration.items()],
            "passedTests": list(self.passed),
            "warnedTests": list(self.warned),
            "failedTests": list(self.failed),
            CLAIM: {**_claim(claim), "manifest": {"sha256": self.manifest}, "classifier": self.classifier},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> tuple[Claim, Audited]:
        """Read what `to_json` gave, and nothing else."""
        fields = take(content, "result", "configuration", "passedTests", "warnedTests", "failedTests", CLAIM)
        claimed = take(fields[CLAIM], "model", "time", "manifest", "classifier")
        used: dict[str, str] = {}
        for entry in _list(fields["configuration"]):
            descriptor = take(entry, "name", "digest")
            if descriptor["name"] not in ("policy.toml", "trust.toml") or descriptor["name"] in used:
                raise ConfigurationError("the configuration must name policy.toml and trust.toml at most once, and nothing else")
            used[descriptor["name"]] = take(descriptor["digest"], "sha256")["sha256"]
        audited = cls(
            take(claimed["manifest"], "sha256")["sha256"],
            tuple(_list(fields["passedTests"])),
            tuple(_list(fields["warnedTests"])),
            tuple(_list(fields["failedTests"])),
            policy=used.get("policy.toml"),
            trust=used.get("trust.toml"),
            classifier=claimed["classifier"],
        )
        if fields["result"] != audited.result:
            raise ConfigurationError(f"the result must be {audited.result} by the rules that it lists")
        return _parse_claim({"model": claimed["model"], "time": claimed["time"]}), audited


@dataclass(frozen=True)
class Released:
    """A releaser's word: this version may be used."""

    role: ClassVar[Role] = "releaser"
    type: ClassVar[str] = f"{PREFIX}released:v1"

    def to_json(self, claim: Claim) -> dict[str, Any]:
        """The predicate as it is signed, with the claim."""
        return _claim(claim)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> tuple[Claim, Released]:
        """Read what `to_json` gave, and nothing else."""
        return _parse_claim(take(content, "model", "time")), cls()


@dataclass(frozen=True)
class Packaged:
    """A packager's word: the sealed files with these bytes hold the model. Sealing anew makes other bytes, and needs a new one."""

    role: ClassVar[Role] = "packager"
    type: ClassVar[str] = f"{PREFIX}packaged:v1"

    def to_json(self, claim: Claim) -> dict[str, Any]:
        """The predicate as it is signed, with the claim."""
        return _claim(claim)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> tuple[Claim, Packaged]:
        """Read what `to_json` gave, and nothing else."""
        return _parse_claim(take(content, "model", "time")), cls()


Predicate = Trained | Audited | Released | Packaged
PREDICATES: dict[str, type[Predicate]] = {kind.type: kind for kind in (Trained, Audited, Released, Packaged)}


def take(content: Any, *names: str) -> Mapping[str, Any]:
    """The fields of an object that has exactly these.

    Raises:
        ConfigurationError: If it has others, lacks one, or is no object.
    """
    if not isinstance(content, Mapping) or content.keys() != set(names):
        raise ConfigurationError(f"an object must have exactly the fields {', '.join(names)}")
    return content


def _list(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise ConfigurationError(f"a list is required, got {type(content).__name__}")
    return content


def _claim(claim: Claim) -> dict[str, Any]:
    return {"model": {"id": claim.model, "version": claim.version}, "time": write_time(claim.time)}


def _parse_claim(fields: Mapping[str, Any]) -> Claim:
    model = take(fields["model"], "id", "version")
    return Claim(model["id"], model["version"], parse_time(fields["time"]))
