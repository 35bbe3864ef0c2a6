"""Whom a sealed file is for, and who opens it. Each kind of key is one file beside this one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from audit.vault.age.header import Stanza


class Recipient(ABC):
    """A public key that files are sealed to."""

    @abstractmethod
    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap the file key ``(16 bytes)``, so that only the identity of this recipient unwraps it."""


class Identity(ABC):
    """A secret key that opens what was sealed to its recipient.

    Printed or logged, it shows its recipient only. Make one with `generate_identity`, or read it from a
    file with `read_identities`.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def recipient(self) -> str:
        """The public key that belongs to it, ``"age1..."``. Anyone may know it."""

    @abstractmethod
    def reveal(self) -> str:
        """The secret itself, ``"AGE-SECRET-KEY-1..."``, for an identity file. Print or log it nowhere."""

    @abstractmethod
    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key ``(16 bytes)``, or ``None`` if the stanza is for someone else.

        Raises:
            OpeningError: If the stanza is of this identity's kind and malformed.
        """

    def __repr__(self) -> str:
        return f"<identity of {self.recipient}>"
