"""A small run that the tests start, stop and resume."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from genai_tutorial.runtime import seed_everything
from genai_tutorial.training import (
    Checkpoint,
    TokenBatches,
    build_optimizer,
    fit,
    warmup_cosine,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

STEPS = 24


class WithDropout(nn.Module):
    """A decoder that also draws from torch's global generator, as dropout does."""

    def __init__(self, config):
        super().__init__()
        self.decoder, self.dropout = DecoderLM(config), nn.Dropout(0.1)

    def forward(self, ids):
        return self.dropout(self.decoder(ids))


def make(dropout=True, rank=0, world_size=1):
    noise = seed_everything(0)
    config = DecoderConfig.fast(
        vocab_size=17, context_length=8, width=16, layers=2, heads=2
    )
    model = WithDropout(config) if dropout else DecoderLM(config)
    text = torch.randint(17, (500,), generator=torch.Generator().manual_seed(1))
    batches = TokenBatches(
        text, context_length=8, batch_size=8, seed=2, rank=rank, world_size=world_size
    )
    return model, batches, noise


def run(
    path=None,
    *,
    steps=STEPS,
    every=5,
    resume=True,
    on_step=lambda: None,
):
    """Train to the end, from the checkpoint if there is one."""
    model, batches, noise = make()

    def loss_fn(model, inputs, targets):
        on_step()
        strength = torch.rand((), generator=noise)  # a random source of the loss's own
        return next_token_loss(model(inputs), targets) + 0.01 * strength

    history = fit(
        model,
        batches,
        loss_fn,
        build_optimizer(model),
        steps=steps,
        schedule=warmup_cosine(STEPS, 4),
        evaluate=lambda model: next_token_loss(
            model(torch.arange(8)[None]), torch.arange(1, 9)[None]
        ).item(),
        evaluate_every=6,
        checkpoint=None
        if path is None
        else Checkpoint(Path(path), every=every, resume=resume),
        generators=[noise],
        progress=False,
    )
    return model, history


def fingerprint(model):
    """Return a text that is equal for two models only if all their weights are, bit for
    bit.
    """
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()
