"""Small models with weights that are not zero anywhere, so that nothing is equal by
chance.
"""

from dataclasses import replace

import torch
from torch import nn

from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    LocalConfig,
    MixtureConfig,
)
from tests.drawn import stirred

END = 1  # the token that ends an answer

SIZES = {
    "vocab_size": 13, "context_length": 24, "width": 16, "layers": 2, "heads": 4
}  # fmt: skip
LLAMA = DecoderConfig.llama(**SIZES, key_value_heads=2, feed_forward_width=24)
GPT2 = DecoderConfig.gpt2(**SIZES)
FAST = DecoderConfig.fast(**SIZES, pair_features=4, triple_features=4)
PLAIN = DecoderConfig.fast(**SIZES)


def with_attention(config, **settings):
    return replace(config, attention=replace(config.attention, **settings))


CONFIGS = {
    "Llama": LLAMA,
    "GPT-2": GPT2,
    "fast, with n-grams": FAST,
    "sinusoidal": with_attention(PLAIN, positions="sinusoidal"),
    "ALiBi": replace(with_attention(PLAIN, positions="alibi"), local=LocalConfig()),
    "no positions": with_attention(PLAIN, positions="none"),
    "a window": with_attention(PLAIN, sliding_window=3),
    "experts": replace(PLAIN, mixture=MixtureConfig(experts=4)),
}


def model_of(config=FAST, seed=0):
    model = DecoderLM(config)
    return stirred(model, seed, 0.3)


def random_ids(*shape, seed=0, vocab=13):
    return torch.randint(2, vocab, shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Table(nn.Module):
    """Gives the same scores whatever the tokens: the scores themselves are what is
    learned.
    """

    def __init__(self, scores):
        super().__init__()
        self.scores = nn.Parameter(scores.clone())

    def forward(self, ids, context=None):
        return self.scores.expand(*ids.shape, -1)
