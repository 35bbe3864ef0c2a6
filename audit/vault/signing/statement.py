"""Statements about digests (in-toto Statement v1, github.com/in-toto/attestation)."""

from __future__ import annotations

from dataclasses import dataclass

from audit.strict_json import parse_strictly
from audit.vault.signing.claim import Claim, require_digest, require_name
from audit.vault.signing.dsse import parse_envelope, sign_envelope
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import PREDICATES, Packaged, Predicate, Role, take
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import canonical_json

TYPE = "https://in-toto.io/Statement/v1"
# An index and 4,096 shards.
MOST_SUBJECTS = 4097


@dataclass(frozen=True)
class Subject:
    """What a statement is about.

    Args:
        name: Its name; it identifies nothing, the digest does.
        sha256: Its SHA-256, in hexadecimal.

    Raises:
        ConfigurationError: If the name is not printable, or the digest is none.
    """

    name: str
    sha256: str

    def __post_init__(self) -> None:
        require_name("a subject's name", self.name)
        require_digest("a subject's digest", self.sha256)


@dataclass(frozen=True)
class Statement:
    """One signer's word about one model.

    Args:
        subjects: What it is about, 1 to 4,097, by different names; of a package, every sealed file: the one, or index and shards.
        claim: Model, version and time.
        predicate: What it says.

    Raises:
        ConfigurationError: If the subjects are not so.
    """

    subjects: tuple[Subject, ...]
    claim: Claim
    predicate: Predicate

    def __post_init__(self) -> None:
        names = [subject.name for subject in self.subjects]
        if not 1 <= len(names) <= MOST_SUBJECTS or len(set(names)) < len(names):
            raise ConfigurationError(f"a statement must be about 1 to {MOST_SUBJECTS} subjects with different names, got {len(names)}")
        if isinstance(self.predicate, Packaged) and any({"/", "\\"} & set(name) or name in (".", "..") for name in names):
            raise ConfigurationError("a package must be of files that are named without their folder")

    @property
    def role(self) -> Role:
        """The role in which it must be signed."""
        return self.predicate.role

    def encode(self) -> bytes:
        """The bytes to be signed."""
        return canonical_json(
            {
                "_type": TYPE,
                "subject": [{"name": subject.name, "digest": {"sha256": subject.sha256}} for subject in self.subjects],
                "predicateType": self.predicate.type,
                "predicate": self.predicate.to_json(self.claim),
            }
        )


def sign_statement(statement: Statement, key: SigningKey) -> bytes:
    """Sign a statement.

    Returns:
        The envelope, for a file ``*.dsse.json``.

    Raises:
        IntegrityError: If it is too large or too deep to be read again.
    """
    payload = statement.encode()
    envelope = sign_envelope(payload, key)
    parse_envelope(envelope, "the envelope")
    parse_statement(payload, "the envelope")
    return envelope


def parse_statement(payload: bytes, source: str) -> Statement:
    """Read a statement, whose signatures have been verified, from the envelope `source`.

    Raises:
        IntegrityError: If it is none that this release knows; a field too many is as wrong as one too few.
    """
    content = parse_strictly(payload, source)
    try:
        fields = take(content, "_type", "subject", "predicateType", "predicate")
        kind = PREDICATES.get(fields["predicateType"]) if isinstance(fields["predicateType"], str) else None
        if fields["_type"] != TYPE or kind is None or not isinstance(fields["subject"], list):
            raise ConfigurationError("it is of a type that this release does not know")
        described = [take(entry, "name", "digest") for entry in fields["subject"]]
        subjects = tuple(Subject(entry["name"], take(entry["digest"], "sha256")["sha256"]) for entry in described)
        claim, predicate = kind.from_json(fields["predicate"])
        return Statement(subjects, claim, predicate)
    except ConfigurationError as error:
        raise IntegrityError(
            f"{source} holds no statement that this release reads: {error.problem}",
            remedy="ask its signer for one, or take a newer release",
        ) from None
