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
    MelodyCaption,
    draw_melodies,
)
from genai_tutorial.training import (
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.transformer import DecoderConfig

TIMBRES, TEMPI, REGISTERS, MODES = (
    tuple(dict.fromkeys(words))
    for words in zip(*(vars(one).values() for one in CAPTIONS), strict=True)
)
WORDS = ("nothing", *TIMBRES, *TEMPI, *REGISTERS, *MODES)
"""The words of caption tokens, by token id; the first stands for no caption."""

STREAM_VOCAB = 47
"""The vocabulary size of each of the three streams; only the pitches use it all."""

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


def held_out_captions() -> tuple[MelodyCaption, ...]:
    """Return the nine captions held out of training; each timbre, tempo and register
    occurs in three of them.
    """
    return tuple(
        MelodyCaption(
            timbre, TEMPI[(i + j) % 3], REGISTERS[(2 * i + j) % 3], MODES[(i + j) % 2]
        )
        for i, timbre in enumerate(TIMBRES)
        for j in range(3)
    )


def caption_tokens(captions: Sequence[MelodyCaption | None]) -> Int[Tensor, "n 4"]:
    """Return the tokens of captions: timbre, tempo, register and mode; zeros for None,
    which stands for no caption.
    """
    rows = [vars(one).values() if one else ["nothing"] * 4 for one in captions]
    return torch.tensor([[WORDS.index(word) for word in words] for words in rows])


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
