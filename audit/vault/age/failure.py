"""Why a sealed file did not open: known to the tests, and told to nobody else."""

from __future__ import annotations

from typing import Literal

from classifier.errors import UnsealError

Failure = Literal["armor failure", "header failure", "no match", "HMAC failure", "payload failure"]


class OpeningError(UnsealError):
    """A sealed file did not open.

    Every failure reads the same. Whoever may send files and see the answers must not learn which part
    of a forgery was accepted.

    Args:
        failure: The class of failure, in the words of the published test vectors. Not in the message.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(
            "the sealed file did not open",
            remedy="check that you gave the identity of one of its recipients, or its passphrase, and that it arrived whole and unchanged; "
            "then ask its sender for a new copy",
        )
        self.failure = failure
