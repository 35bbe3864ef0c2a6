"""A refusal says which methods do apply, and with which options."""

import pytest
from torch import Tensor

from classifier import Classifier
from classifier.errors import NotApplicableError
from explain import attribute


def test_a_method_that_is_refused_for_its_options_is_recommended_with_its_defaults(classifier: Classifier, x: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="got 3; kernel_shap does with its default options; these do as well: ") as refused:
        attribute(classifier, x, "kernel_shap", samples=3)
    assert "kernel_shap" not in str(refused.value).partition("as well: ")[2].split(", ")
