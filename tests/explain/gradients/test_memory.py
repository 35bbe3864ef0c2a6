"""Integrated gradients of many images in bounded memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Resident memory has its peak over the life of a process, so this runs in one of its own.
PROGRAM = """
import resource
import torch
from torch import nn
from classifier.classifier import Classifier
from classifier.schema import Feature, Schema
from explain import attribute

schema = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(28, 28))
module = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(784, 3))
classifier = Classifier.wrap(module, schema=schema, classes=("a", "b", "c"))
explanation = attribute(classifier, torch.rand(10_000, 1, 28, 28), "integrated_gradients", steps=200)
assert explanation.completeness_error.max() < 0.05
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_ten_thousand_images_of_200_steps_stay_under_two_gibibytes() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2048
