import numpy as np
import pytest
import torch
from cases import cases

from classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from explain.internals.trajectories import HiddenStates, hidden_states
from trainer import Recipe


def network(**options: object) -> Classifier:
    data = cases("sequence", 2)
    torch.manual_seed(0)
    module = Recipe("attention_recurrent", **options).network().build(data.schema, 2)
    return Classifier.wrap(module, schema=data.schema, classes=data.classes)


def known(classifier: Classifier, x: torch.Tensor) -> torch.Tensor:
    """What goes into the last normalisation: states forwards and backwards, the observed steps first."""
    kept = {}
    handle = classifier.module.normal[1].register_forward_hook(lambda _m, given, _o: kept.update(known=given[0]))
    classifier.logits(x)
    handle.remove()
    return kept["known"]


def test_states_are_those_that_the_network_goes_on_with() -> None:
    classifier, x = network(hidden=(4,)), cases("sequence", 2).inputs[:5].clone()
    truth, found = known(classifier, x), hidden_states(classifier, x)
    here = found.observed[..., None]
    assert not here.all()
    torch.testing.assert_close(found.states["forwards.0"], truth[..., :4] * here)
    torch.testing.assert_close(found.states["backwards.0"], truth[..., 4:8] * here)
    assert found.last == "forwards.0"
    assert found.backwards == ("backwards.0",)


def test_steps_that_are_missing_within_a_series_are_skipped() -> None:
    classifier, x = network(hidden=(4,)), cases("sequence", 2).inputs[:3].clone()
    x[:, 4:6, -1] = 0
    truth, found = known(classifier, x), hidden_states(classifier, x)
    for row in range(3):
        there = found.observed[row]
        torch.testing.assert_close(found.states["backwards.0"][row, there], truth[row, : int(there.sum()), 4:8])
        torch.testing.assert_close(found.states["forwards.0"][row, there], truth[row, : int(there.sum()), :4])


def test_paths_are_principal_components() -> None:
    from sklearn.decomposition import PCA

    found = hidden_states(network(hidden=(6,)), cases("sequence", 2).inputs)
    places, shares = found.paths("forwards.0")
    here = found.states["forwards.0"][found.observed].double().numpy()
    pca = PCA(2, svd_solver="full").fit(here)
    truth = pca.transform(here)
    mine = places[found.observed].numpy()
    signs = np.sign((truth * mine).sum(0))
    np.testing.assert_allclose(mine, truth * signs, atol=1e-8)
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_, atol=1e-8)
    assert places[~found.observed].isnan().all()


def test_norms_and_table_agree_with_the_states() -> None:
    found = hidden_states(network(hidden=(4,)), cases("sequence", 2).inputs[:4])
    norms, frame = found.norms(), found.to_frame()
    torch.testing.assert_close(norms[0, 3], found.states["forwards.0"][0, 3].norm())
    assert norms[~found.observed].isnan().all()
    assert len(frame) == int(found.observed.sum())
    line = frame[(frame.row == 2) & (frame.step == 5)]
    assert line.norm.item() == pytest.approx(float(norms[2, 4]))


def test_one_state_of_one_number_still_has_a_path() -> None:
    states = torch.arange(6.0).reshape(1, 6, 1)
    found = HiddenStates({"only": states}, torch.ones(1, 6, dtype=torch.bool), torch.zeros(1, dtype=torch.int64), ("a", "b"))
    places, shares = found.paths()
    torch.testing.assert_close(places[0, :, 0].float(), states[0, :, 0] - 2.5)
    assert shares == (1.0, 0.0)


def test_other_networks_are_refused(classifier: Classifier, x: torch.Tensor) -> None:
    with pytest.raises(NotApplicableError, match=r"LSTM, GRU or RNN.*attention_recurrent"):
        hidden_states(classifier, x)
    found = hidden_states(network(hidden=(4,)), cases("sequence", 2).inputs[:2])
    with pytest.raises(ConfigurationError, match="no recurrent layer 'sideways'"):
        found.norms("sideways")
