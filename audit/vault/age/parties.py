"""Whom a sealed file is for, and who opens it. Each kind of key is one file beside this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NoReturn, SupportsIndex

from audit.vault.age.header import Stanza

# A hybrid recipient has 1,959 characters; in a log, its beginning tells it from others.
SHOWN = 70


class Recipient(ABC):
    """Whom files are sealed to: a public key, or a passphrase."""

    #: Whether what is sealed today stays shut to a quantum computer of tomorrow.
    post_quantum = False
    #: Whether it must be the only recipient of its file.
    alone = False

    @abstractmethod
    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap the file key ``(16 bytes)``, so that only who belongs to this recipient unwraps it."""


class Opener(ABC):
    """A secret that opens what was sealed to its recipient: an identity, or a passphrase.

    It is neither copied nor pickled, so that it stays where it is.
    """

    __slots__ = ()

    @abstractmethod
    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key ``(16 bytes)``, or ``None`` if the stanza is for someone else.

        Raises:
            OpeningError: If the stanza is of this kind and malformed.
        """

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is a secret, and is not pickled or copied")


class Identity(Opener):
    """A secret key that opens what was sealed to its recipient.

    Printed or logged, it shows its recipient only. Make one with `generate_identity`, or read it from a
    file with `read_identities`.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def recipient(self) -> str:
        """The public key that belongs to it, ``"age1pq1..."`` or ``"age1..."``. Anyone may know it."""

    @abstractmethod
    def reveal(self) -> str:
        """The secret itself, ``"AGE-SECRET-KEY-PQ-1..."``, for an identity file. Print or log it nowhere."""

    def __repr__(self) -> str:
        recipient = self.recipient
        return f"<identity of {recipient if len(recipient) <= SHOWN else recipient[:SHOWN] + '...'}>"
