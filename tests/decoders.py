"""Settings of decoders that several test modules use."""

from dataclasses import replace

import torch

from genai_tutorial.transformer import DecoderConfig, DecoderLM, MixtureConfig


def mixtral(*sizes, experts=8, experts_per_token=2, **settings):
    """Return a Mixtral's settings: a Llama's with mixtures of experts."""
    mixture = MixtureConfig(experts, experts_per_token)
    return replace(DecoderConfig.llama(*sizes, **settings), mixture=mixture)


def randomized(config, seed=0):
    """Return a model with random weights in all layers: zero-initialized ones would
    pass tests vacuously.
    """
    model = DecoderLM(config, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model
