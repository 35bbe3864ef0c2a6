"""Whose word is taken, and for what: ``trust.toml``."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from audit.toml_files import Form, line_of, parse_toml
from audit.vault.signing.claim import LARGEST_VERSION, require_name
from audit.vault.signing.keys import VerifyingKey
from audit.vault.signing.predicates import ROLES, Role
from classifier.errors import ConfigurationError, StorageError
from classifier.records import digest, sha256

LONGEST = 4 << 20
MOST_SIGNERS = 256


@dataclass(frozen=True)
class Signer:
    """Somebody whose word is taken.

    Args:
        name: What they are called.
        key: Their public key.
        roles: What their word is taken for.
        valid_from: The first day, in UTC, that a statement of theirs may claim as its time.
        valid_until: The last such day.
        revoked: When or why their key was given up. Nothing that it signed counts then, whatever time it claims: whoever stole
            a key writes any time that they like. The day may lie ahead; it counts all the same.
    """

    name: str
    key: VerifyingKey
    roles: tuple[Role, ...] = ROLES
    valid_from: datetime.date | None = None
    valid_until: datetime.date | None = None
    revoked: str | None = None


@dataclass(frozen=True)
class ModelRule:
    """What is required of one model.

    Args:
        minimum_version: The oldest version that is still taken.
        required_roles: Roles whose word is required.
    """

    minimum_version: int = 1
    required_roles: tuple[Role, ...] = ()


@dataclass(frozen=True)
class TrustStore:
    """Signers, and what is required of models.

    Args:
        signers: Whose word is taken.
        required_roles: Roles whose word every model needs.
        models: What is required of single models beside that, by id.
        digest: SHA-256 of the file, or of the public keys that it was made from.
        source: Where it came from, for errors.
    """

    signers: tuple[Signer, ...]
    required_roles: tuple[Role, ...]
    models: Mapping[str, ModelRule]
    digest: str
    source: str

    @classmethod
    def read(cls, path: str | Path) -> TrustStore:
        """Read ``trust.toml``.

        Raises:
            ConfigurationError: With file and line, if it does not fit the form, names a signer or a key twice, or requires
                a role that nobody has.
            StorageError: If it cannot be read.
        """
        try:
            with open(path, "rb") as file:
                content = file.read(LONGEST + 1)
        except FileNotFoundError:
            raise ConfigurationError(f"there is no trust store {path}", remedy="check its name") from None
        except OSError as error:
            raise StorageError(f"cannot read the trust store {path}: {error.strerror}", remedy="check its name and permissions") from error
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: bytes, source: str) -> TrustStore:
        """The same for the bytes of a file that came from `source`."""
        if len(content) > LONGEST:
            raise ConfigurationError(f"{source} is longer than the {LONGEST} bytes that a trust store may have")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{source} is not UTF-8 text (byte {error.start})") from None
        form = parse_toml(_File, text, source)
        signers: list[Signer] = []
        for i, entry in enumerate(form.signer):
            where = f"{source}, line {line_of(text, ('signer', str(i), 'public'))}"
            key = VerifyingKey(entry.public, name=f"{where}: the public key")
            _require_new(signers, entry.name, key, where)
            if entry.valid_from and entry.valid_until and entry.valid_from > entry.valid_until:
                raise ConfigurationError(f"{where}: {entry.name!r} is valid from {entry.valid_from}, required is a day before valid_until")
            revoked = None if entry.revoked is None else str(entry.revoked)
            signers.append(Signer(entry.name, key, entry.roles, entry.valid_from, entry.valid_until, revoked))
        models: dict[str, ModelRule] = {}
        for i, model in enumerate(form.model):
            where = f"{source}, line {line_of(text, ('model', str(i), 'id'))}"
            require_name(f"{where}: the model id", model.id)
            if model.id in models:
                raise ConfigurationError(f"{where}: the model {model.id!r} stands twice", remedy="say all that is required of it once")
            models[model.id] = ModelRule(model.minimum_version, model.required_roles)
        held = {role for signer in signers for role in signer.roles}
        for role in (*form.trust.required_roles, *(role for model in form.model for role in model.required_roles)):
            if role not in held:
                raise ConfigurationError(f"{source} requires the role {role!r}, and no signer has it", remedy="give it to one")
        return cls(tuple(signers), form.trust.required_roles, models, sha256(content), source)

    @classmethod
    def of(cls, public_keys: Sequence[str]) -> TrustStore:
        """Take the word of these public keys, ``"assaysigner1..."``, for everything.

        Raises:
            ConfigurationError: If one is none or stands twice, or there is none at all.
        """
        if isinstance(public_keys, str):
            raise ConfigurationError("public keys must be a list of strings, got one string", remedy="put it in brackets")
        signers: list[Signer] = []
        for i, text in enumerate(public_keys, 1):
            where = f"public key {i} of {len(public_keys)}"
            key = VerifyingKey(text, name=where)
            _require_new(signers, key.key_id, key, where)
            signers.append(Signer(key.key_id, key))
        if not signers:
            raise ConfigurationError("nobody is trusted: there are no public keys", remedy="give one, or a trust store")
        return cls(tuple(signers), (), {}, digest(sorted(signer.key.public for signer in signers)), "the list of public keys")

    def rule(self, model: str) -> ModelRule:
        """What is required of a model: what is required of every model, and what is required of this one."""
        rule = self.models.get(model, ModelRule())
        roles = {*self.required_roles, *rule.required_roles}
        return ModelRule(rule.minimum_version, tuple(role for role in ROLES if role in roles))


_Day = Annotated[datetime.date, Field(strict=True)]


class _SignerForm(Form):
    name: str
    public: str
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    valid_from: _Day | None = None
    valid_until: _Day | None = None
    revoked: _Day | Annotated[str, Field(min_length=1, max_length=256)] | None = None


class _ModelForm(Form):
    id: str
    minimum_version: Annotated[int, Field(ge=1, le=LARGEST_VERSION, strict=True)] = 1
    required_roles: tuple[Role, ...] = ()


class _Head(Form):
    required_roles: tuple[Role, ...] = ()


class _File(Form):
    trust: _Head = _Head()
    signer: Annotated[tuple[_SignerForm, ...], Field(min_length=1, max_length=MOST_SIGNERS)]
    model: tuple[_ModelForm, ...] = ()


def _require_new(signers: list[Signer], name: str, key: VerifyingKey, where: str) -> None:
    """Refuse a second signer of the same name, or with a half of a key that another has: whose word would it be?"""
    require_name(f"{where}: a signer's name", name)
    for other in signers:
        if other.key.key_id == key.key_id or any(a == b for a, b in zip(other.key.halves, key.halves, strict=True)):
            raise ConfigurationError(f"{where}: {name!r} has a key of {other.name!r}", remedy="give each signer a pair of its own")
        if other.name.casefold() == name.casefold():
            raise ConfigurationError(f"{where}: the signer {name!r} stands twice", remedy="give each one entry and a name of its own")
