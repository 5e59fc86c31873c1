"""The flow head, the mixture and the ensemble compute what libraries compute."""

import pytest
import torch

from genai_tutorial.policies import FlowHead, temporal_ensemble
from genai_tutorial.policies.heads import mixture_log_likelihood


def test_flow_head_samples_as_the_scheduler_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    head = FlowHead(3, 32, steps=10)
    context = torch.randn(5, 3)
    ours = head.sample(context, torch.Generator().manual_seed(1))
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=[1 - k / 10 for k in range(10)])
    with torch.no_grad():
        for t in scheduler.timesteps:
            velocity = head(x, (t / 1000).expand(5), context)
            x = scheduler.step(velocity, t, x).prev_sample
    torch.testing.assert_close(ours, x, atol=1e-5, rtol=1e-5)


def test_mixture_has_the_likelihood_of_torch_distributions():
    torch.manual_seed(0)
    actions, logits = torch.randn(6, 4), torch.randn(6, 3)
    means, logs = torch.randn(2, 6, 3, 4)
    of = torch.distributions
    normal = of.Independent(of.Normal(means, logs.exp()), 1)
    expected = of.MixtureSameFamily(of.Categorical(logits=logits), normal)
    torch.testing.assert_close(
        mixture_log_likelihood(actions, logits, means, logs),
        expected.log_prob(actions),
        atol=1e-4,
        rtol=1e-5,
    )


# lerobot 0.6.1's ACTTemporalEnsembler(0.01, 8) returned these; it cannot be installed
# beside the book's torch
LEROBOT = [
    0.0000, 0.4930, -0.0383, 0.0598, -0.2259, 0.0252, -0.0564, 0.1455,
    -0.1410, 0.1337, -0.1237, 0.1113, -0.0966, 0.0800, -0.0618, 0.0423,
    -0.0220, 0.0013, 0.0195, -0.0399,
]  # fmt: skip


def test_ensemble_is_that_of_lerobot():
    steps, moves = torch.arange(20.0)[:, None], torch.arange(8.0)
    chunks = list(torch.sin(3 * steps + moves).view(20, 1, 8, 1))
    ours = [temporal_ensemble(chunks[: n + 1]).item() for n in range(20)]
    assert ours == pytest.approx(LEROBOT, abs=1e-4)
