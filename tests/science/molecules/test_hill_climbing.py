"""Hill climbing on a toy score."""

import pytest
import torch

from genai_tutorial.science.molecules import HillClimbSettings, hill_climb

pytest.importorskip("rdkit")

SETTINGS = HillClimbSettings(
    rounds=6, samples=48, keep=12, updates=8, batch_size=4, learning_rate=0.01
)


def nitrogen_share(samples):
    return torch.tensor([s.count("N") / max(len(s), 1) for s in samples])


def test_hill_climb_raises_the_score_and_leaves_the_prior_alone(chains):
    before = chains.decoder.token_embedding.weight.clone()
    run = hill_climb(chains, nitrogen_share, SETTINGS)
    assert len(run.steps) == 6
    assert run.steps[-1].score > run.steps[0].score + 0.1
    assert run.steps[-1].kl > run.steps[0].kl
    assert torch.equal(chains.decoder.token_embedding.weight, before)


def test_hill_climb_needs_a_valid_molecule(chains):
    bad = HillClimbSettings(rounds=1, samples=1, seed=0)
    with torch.no_grad():  # never writes an end
        chains.decoder.head.bias = torch.nn.Parameter(
            torch.tensor([0.0, 0.0, -99.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        )
    with pytest.raises(ValueError, match="None of the samples is a molecule"):
        hill_climb(chains, nitrogen_share, bad)


@pytest.mark.parametrize("name", ["rounds", "samples", "keep", "learning_rate"])
def test_settings_reject_nonsense(name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        HillClimbSettings(**{name: 0})
