"""Small decoders whose weights are all away from their initial zeros."""

import torch

from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.drawn import stirred

CONFIGS = {
    "Llama": DecoderConfig.llama(13, 24, 16, 2, 4, 2, 24),
    "GPT-2": DecoderConfig.gpt2(13, 24, 16, 2, 4),
    "fast": DecoderConfig.fast(13, 24, 16, 2, 4, pair_features=4, triple_features=4),
}


def disturbed(config, seed=0, spread=0.3):
    model = DecoderLM(config, seed)
    return stirred(model, seed, spread).eval()


def tokens(seed, *shape, vocab_size=13):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab_size, shape, generator=generator)
