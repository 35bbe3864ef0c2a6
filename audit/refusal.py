"""Why a check would not run, told before it does: it is run on a classifier that soon stops it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from audit.check import Check
from audit.subject import Subject
from classifier.classifier import Classifier
from classifier.errors import AssayError
from classifier.seeds import Seed


def refusal_of(check: Check, subject: Subject) -> str:
    """Why the check cannot be asked of the subject; empty where it would run, as far as this can tell.

    What a check refuses for the kind of the inputs or of the classifier, it refuses before it has seen more than one answer.

    Args:
        check: The check, with its options.
        subject: What would be audited.
    """
    lacking = [reason for reason in (subject.lacks(need) for need in sorted(check.needs)) if reason]
    if lacking:
        return lacking[0]
    if "classifier" not in check.needs or check.trainings:
        return ""
    # What is refused whichever class is answered is not refused for the answers.
    reasons = {_refused(check, subject, answer) for answer in (0, len(subject.test.classes) - 1)}
    return reasons.pop() if len(reasons) == 1 else ""


def _refused(check: Check, subject: Subject, answer: int) -> str:
    try:
        check.measure(replace(subject, classifier=_Once(subject.model, answer), _memory={}), Seed(0, (check.id,)))
    except AssayError as error:
        return str(error)
    except (_Stopped, Exception):
        # It has got past all that it refuses, or fails on answers that are all alike.
        return ""
    return ""


class _Stopped(BaseException):
    """No `Exception`, so that no check takes it for a failure of its own."""


class _Once(Classifier):
    """Answers one question, always with one class, and stops whoever asks again or asks for gradients."""

    def __init__(self, model: Classifier, answer: int) -> None:
        super().__init__(model.module or _stop, model.description, trees=model.trees)
        self._answer, self._asked = answer, False

    def logits(self, x: Tensor) -> Tensor:
        if self._asked or x.requires_grad:
            raise _Stopped
        self._asked = True
        logits = torch.zeros(len(x), len(self.classes))
        logits[:, self._answer] = 1.0
        return logits.to(self.device)

    def to(self, device: str | torch.device) -> Classifier:
        return self


def _stop(x: Tensor) -> Tensor:
    raise _Stopped
