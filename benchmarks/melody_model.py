"""A text-to-melody model: three streams of tokens conditioned on the words of a
caption, with classifier-free guidance.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.audio import (
    UNKNOWN,
    CodebookPattern,
    MultiStreamConfig,
    MultiStreamLM,
    multi_stream_loss,
    sample_streams,
)
from genai_tutorial.tasks.melodies import (
    CAPTIONS,
    NOTES,
    STREAM_VOCAB,
    WORDS,
    MelodyCaption,
    caption_tokens,
    draw_melodies,
    held_out_captions,
)
from genai_tutorial.training import (
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.transformer import DecoderConfig

PATTERN = CodebookPattern.delayed(3)

MELODY_CONFIG = MultiStreamConfig(
    DecoderConfig.fast(
        vocab_size=STREAM_VOCAB,
        context_length=4 + PATTERN.columns(NOTES),
        width=64,
        layers=2,
        heads=4,
    ),
    PATTERN,
    prefix_vocab=len(WORDS),
)
"""The settings of the melody model, which has 0.1 million parameters."""

DROPPED = 0.15
"""The share of captions dropped in training, for classifier-free guidance."""

_OPTIMIZER = OptimizerSettings(
    matrix_lr=0.02, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9
)


def train_melody_model(
    steps: int, seed: int, melodies_per_caption: int = 100
) -> MultiStreamLM:
    """Train a model on melodies with the 45 captions that are not held out.

    Args:
        seed: Seed of the melodies, the weights and the batches.
    """
    generator = torch.Generator().manual_seed(seed)
    captions = seen_captions() * melodies_per_caption
    melodies = draw_melodies(captions, generator)
    model = MultiStreamLM(MELODY_CONFIG, seed)

    def loss(
        model: nn.Module,
        codes: Int[Tensor, "batch stream note"],
        prefix: Int[Tensor, "batch word"],
    ) -> Float[Tensor, ""]:
        dropped = torch.rand(len(codes), 1, generator=generator) < DROPPED
        return multi_stream_loss(model, codes, None, prefix.masked_fill(dropped, 0))

    fit(
        model,
        TensorBatches((melodies, caption_tokens(captions)), 32, seed),
        loss,
        build_optimizer(model, _OPTIMIZER),
        steps=steps,
        schedule=warmup_linear(steps, min(10, steps)),
    )
    return model.eval()


def seen_captions() -> list[MelodyCaption]:
    """Return the captions of the training melodies."""
    held_out = held_out_captions()
    return [caption for caption in CAPTIONS if caption not in held_out]


def write_melodies(
    model: MultiStreamLM,
    captions: Sequence[MelodyCaption | None],
    *,
    guidance: float | int = 1,
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "n stream note"]:
    """Sample a melody for each caption, as tokens for `play_melody`.

    Args:
        captions: The captions; None for no caption.
        guidance: The weight of classifier-free guidance: 1 for none, 0 to ignore the
            caption.
        temperature: See `next_token_probabilities`.
        generator: Random generator of the draws.
    """
    return sample_streams(
        model,
        torch.full((len(captions), 3, NOTES), UNKNOWN),
        prefix=caption_tokens(captions),
        temperature=temperature,
        guidance=guidance,
        no_prefix=caption_tokens([None])[0],
        generator=generator,
    )
