"""Settings of decoders that several test modules use."""

from dataclasses import replace

from genai_tutorial.transformer import DecoderConfig, DecoderLM, MixtureConfig
from tests.drawn import stirred


def mixtral(*sizes, experts=8, experts_per_token=2, **settings):
    """Return a Mixtral's settings: a Llama's with mixtures of experts."""
    mixture = MixtureConfig(experts, experts_per_token)
    return replace(DecoderConfig.llama(*sizes, **settings), mixture=mixture)


def randomized(config, seed=0):
    """Return a model with random weights in all layers: zero-initialized ones would
    pass tests vacuously.
    """
    model = DecoderLM(config, seed)
    return stirred(model, seed + 1)
