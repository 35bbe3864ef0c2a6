"""Identities and recipients: made, and read from their text."""

from __future__ import annotations

from collections.abc import Sequence

from audit.vault.age import bech32
from audit.vault.age.hybrid import KEY as HYBRID_KEY
from audit.vault.age.hybrid import SEED, HybridIdentity, HybridRecipient
from audit.vault.age.parties import Identity, Recipient
from audit.vault.age.x25519 import KEY, X25519Identity, X25519Recipient
from classifier.errors import ConfigurationError, did_you_mean

__all__ = ["Identity", "generate_identity", "parse_identities", "parse_identity", "parse_recipient", "parse_recipients"]

KINDS: dict[str, type[HybridIdentity] | type[X25519Identity]] = {"hybrid": HybridIdentity, "x25519": X25519Identity}
# By prefix and length of the key.
IDENTITIES = {(HybridIdentity.prefix, SEED): HybridIdentity, (X25519Identity.prefix, KEY): X25519Identity}
RECIPIENTS = {(HybridRecipient.prefix, HYBRID_KEY): HybridRecipient, (X25519Recipient.prefix, KEY): X25519Recipient}
IDENTITY_FORM = "an identity is AGE-SECRET-KEY-PQ-1 or AGE-SECRET-KEY-1 and 58 more characters"
RECIPIENT_FORM = "a recipient is age1pq1 and 1,953 more characters, or age1 and 58 more"
# The longest key, a hybrid recipient, has 1,959 characters. Whatever is much longer is not worth the time to check it.
LONGEST_KEY = 4096


def generate_identity(kind: str = "hybrid") -> Identity:
    """Make a new identity, from the operating system's randomness.

    Args:
        kind: ``"hybrid"``, an ML-KEM-768 and X25519 pair against quantum computers, which age reads from version 1.3;
            or ``"x25519"``, which every age tool reads.

    Raises:
        ConfigurationError: If there is no such kind.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"there is no kind of identity {kind!r}", remedy=did_you_mean(kind, KINDS))
    return KINDS[kind].generate()


def parse_recipients(recipients: Sequence[str]) -> list[Recipient]:
    """Read public keys, ``"age1pq1..."`` or ``"age1..."``.

    Raises:
        ConfigurationError: If one is none. It is named by its position, since a secret may stand there by mistake.
    """
    if isinstance(recipients, str):
        raise ConfigurationError("recipients must be a list of strings, got one string", remedy="put it in brackets")
    return [parse_recipient(text, f"recipient {i} of {len(recipients)}") for i, text in enumerate(recipients, 1)]


def parse_identities(identities: Sequence[Identity | str]) -> list[Identity]:
    """Take identities, or read their revealed text, ``"AGE-SECRET-KEY-PQ-1..."`` or ``"AGE-SECRET-KEY-1..."``.

    Raises:
        ConfigurationError: If one is none. The message never holds what was given.
    """
    if isinstance(identities, str | Identity):
        raise ConfigurationError("identities must be a list, got one alone", remedy="put it in brackets")
    return [
        identity if isinstance(identity, Identity) else parse_identity(identity, f"identity {i} of {len(identities)}")
        for i, identity in enumerate(identities, 1)
    ]


def parse_recipient(text: str, where: str) -> Recipient:
    """Read one public key; `where` says in an error which it was."""
    prefix, key = _decode(text, where, RECIPIENT_FORM)
    if any(prefix == secret for secret, _ in IDENTITIES):
        raise ConfigurationError(
            f"{where} is a secret identity", remedy="give its recipient, which starts with age1, and keep it to yourself"
        )
    if (prefix, len(key)) not in RECIPIENTS:
        raise ConfigurationError(f"{where} is of no kind that this release knows", remedy=RECIPIENT_FORM)
    return RECIPIENTS[prefix, len(key)](key)


def parse_identity(text: str, where: str) -> Identity:
    """Read one secret key; `where` says in an error which it was."""
    prefix, key = _decode(text, where, IDENTITY_FORM)
    if any(prefix == public for public, _ in RECIPIENTS):
        raise ConfigurationError(
            f"{where} is a recipient, which opens nothing", remedy="give the identity, which starts with AGE-SECRET-KEY-"
        )
    if (prefix, len(key)) not in IDENTITIES:
        raise ConfigurationError(f"{where} is of no kind that this release knows", remedy=IDENTITY_FORM)
    return IDENTITIES[prefix, len(key)](key)


def _decode(text: str, where: str, form: str) -> tuple[str, bytes]:
    if len(text) > LONGEST_KEY:
        raise ConfigurationError(f"{where} has {len(text)} characters, which no key has", remedy=form)
    try:
        return bech32.decode(text)
    except ValueError as error:
        raise ConfigurationError(f"{where} cannot be read: {error}", remedy=form) from None
