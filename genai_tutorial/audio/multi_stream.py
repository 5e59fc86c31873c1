"""A language model for several parallel streams of tokens, arranged by a pattern."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.generation import draw, next_token_probabilities
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    KVCache,
)

from .codebook_pattern import CodebookPattern, delay, undelay

IGNORED = -100
"""The target at positions without a token, which the loss ignores."""


@dataclass(frozen=True)
class MultiStreamConfig:
    """The settings of a `MultiStreamLM`.

    Attributes:
        decoder: The blocks' settings; its `vocab_size` is the number of tokens of each
            stream, without the filler.
        pattern: The column of each token.
        features: The number of possible values of each conditioning feature of a step,
            such as the beat.
        prefix_vocab: The number of different tokens in a prefix, such as the words of
            captions; 0 for a model without a prefix.
    """

    decoder: DecoderConfig
    pattern: CodebookPattern
    features: tuple[int, ...] = ()
    prefix_vocab: int = 0

    @property
    def streams(self) -> int:
        """The number of streams."""
        return len(self.pattern.delays)

    @property
    def filler(self) -> int:
        """The token at positions without one, and in the column before the first."""
        return self.decoder.vocab_size


class MultiStreamLM(nn.Module):
    """A decoder that reads and predicts a column of tokens at a time, one per stream.

    The embeddings of a column's tokens are summed and passed through the decoder's
    blocks, and each stream has its own output layer. Conditioning features of a step,
    such as its beat, are embedded and added as well; a prefix comes before the first
    column.

    Source: Copet et al., Simple and Controllable Music Generation, section 2.3,
        https://arxiv.org/abs/2306.05284

    >>> config = MultiStreamConfig(
    ...     DecoderConfig(vocab_size=50), CodebookPattern.delayed(4)
    ... )
    >>> columns = torch.full((1, 4, 3), config.filler)
    >>> MultiStreamLM(config)(columns).shape  # 50 logits for each of 4 × 3 tokens
    torch.Size([1, 4, 3, 50])
    """

    def __init__(self, config: MultiStreamConfig, seed: int = 0):
        super().__init__()
        self.config = config
        decoder, streams = config.decoder, config.streams
        body = DecoderLM(decoder, seed)
        self.rotary, self.position_embedding = body.rotary, body.position_embedding
        self.blocks, self.final_norm = body.blocks, body.final_norm
        self.token_embeddings = nn.ModuleList(
            nn.Embedding(decoder.vocab_size + 1, decoder.width) for _ in range(streams)
        )
        self.feature_embeddings = nn.ModuleList(
            nn.Embedding(values, decoder.width) for values in config.features
        )
        self.prefix_embedding = (
            nn.Embedding(config.prefix_vocab, decoder.width)
            if config.prefix_vocab
            else None
        )
        self.head = nn.Linear(decoder.width, streams * decoder.vocab_size, bias=False)
        self._initialize(seed)

    def forward(
        self,
        columns: Int[Tensor, "batch stream column"],
        features: Int[Tensor, "batch feature column"] | None = None,
        prefix: Int[Tensor, "batch prefix"] | None = None,
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch stream column vocab"]:
        """Return the logits of the column that follows each one.

        Args:
            columns: The tokens, starting with a column of fillers; with a cache, only
                the columns that it does not hold yet.
            features: The features of the step that stream 0 predicts in each column.
            prefix: Tokens before the first column; with a cache, only with the first
                columns.
            context: Carries the cache; None for none.

        Raises:
            ValueError: If the streams, the features or the prefix do not match the
                config, or the sequence does not fit into the context window.
        """
        config = self.config
        if columns.shape[1] != config.streams:
            raise ValueError(
                f"The model has {config.streams} streams, got columns of "
                f"{columns.shape[1]}."
            )
        x = sum(
            embedding(columns[:, stream])
            for stream, embedding in enumerate(self.token_embeddings)
        )
        count = 0 if features is None else features.shape[1]
        if count != len(config.features):
            raise ValueError(
                f"The model needs {len(config.features)} features of each column, got "
                f"{count}."
            )
        for number, embedding in enumerate(self.feature_embeddings):
            x = x + embedding(features[:, number])
        skipped = 0
        if prefix is not None:
            if self.prefix_embedding is None:
                raise ValueError("The model has no prefix: set prefix_vocab.")
            x = torch.cat((self.prefix_embedding(prefix), x), dim=1)
            skipped = prefix.shape[1]
        if x.shape[1] > config.decoder.context_length:
            raise ValueError(
                f"The context window is {config.decoder.context_length} columns, got "
                f"{x.shape[1]}, the prefix included."
            )
        x = self._read(x, context)[:, skipped:]
        logits = self.head(self.final_norm(x))
        return logits.unflatten(-1, (config.streams, -1)).transpose(1, 2)

    def make_cache(self, batch_size: int, length: int | None = None) -> KVCache:
        """Return an empty cache for a number of columns, prefix included."""
        weight = self.head.weight
        sizes = self.config.decoder.cache_sizes(batch_size, length)
        return KVCache(*sizes, weight.dtype, weight.device)

    def parameter_count(self) -> int:
        """Return the number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _read(self, x: Tensor, context: AttentionContext | None) -> Tensor:
        context = AttentionContext() if context is None else context
        # A cache keeps ids to compare texts; that is not needed here, so pass zeros.
        with context.reading(x.new_zeros(x.shape[:2], dtype=torch.long)):
            if self.position_embedding is not None:
                x = self.position_embedding(x, context.positions)
            for block in self.blocks:
                x = block(x, context)
        return x

    @torch.no_grad()
    def _initialize(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        tables = [*self.token_embeddings, *self.feature_embeddings]
        if self.prefix_embedding is not None:
            tables.append(self.prefix_embedding)
        for table in tables:  # so that their sum has a variance of one
            table.weight.normal_(0.0, len(tables) ** -0.5, generator=generator)
        settings = self.config.decoder.initialization
        std = self.head.in_features**-0.5 if settings.std is None else settings.std
        if settings.zero_outputs:
            self.head.weight.zero_()
        else:
            self.head.weight.normal_(0.0, std, generator=generator)


def stream_targets(
    codes: Int[Tensor, "batch stream step"], config: MultiStreamConfig
) -> tuple[Int[Tensor, "batch stream column"], Int[Tensor, "batch stream column"]]:
    """Return the input columns and the target columns of a model; targets at positions
    without a token are `IGNORED`.
    """
    columns = delay(codes, config.pattern, config.filler)
    first = torch.full_like(columns[..., :1], config.filler)
    read = torch.cat((first, columns[..., :-1]), dim=-1)
    return read, columns.masked_fill(columns == config.filler, IGNORED)


def column_features(
    features: Int[Tensor, "batch feature step"], pattern: CodebookPattern
) -> Int[Tensor, "batch feature column"]:
    """Return the features of the step that the first stream predicts in each column;
    columns after the last step repeat its features.
    """
    steps = features.shape[-1]
    columns = torch.arange(pattern.columns(steps)) // pattern.stride
    return features[..., columns.clamp(max=steps - 1)]


def multi_stream_loss(
    model: nn.Module,
    codes: Int[Tensor, "batch stream step"],
    features: Int[Tensor, "batch feature step"] | None = None,
    prefix: Int[Tensor, "batch prefix"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy over all streams, in nats per token."""
    logits, targets = _logits_and_targets(model, codes, features, prefix)
    return functional.cross_entropy(
        logits.flatten(0, 2), targets.flatten(), ignore_index=IGNORED
    )


@torch.no_grad()
def stream_losses(
    model: MultiStreamLM,
    codes: Int[Tensor, "batch stream step"],
    features: Int[Tensor, "batch feature step"] | None = None,
) -> Float[Tensor, "batch stream"]:
    """Return the cross-entropy of each stream, in nats per step.

    Summed over the streams, it is the loss per step for any pattern, so patterns can be
    compared.
    """
    logits, targets = _logits_and_targets(model, codes, features, None)
    losses = functional.cross_entropy(
        logits.flatten(0, 2),
        targets.flatten(),
        ignore_index=IGNORED,
        reduction="none",
    )
    return losses.view_as(targets).sum(dim=-1) / codes.shape[-1]


def _logits_and_targets(
    model: nn.Module, codes: Tensor, features: Tensor | None, prefix: Tensor | None
) -> tuple[Tensor, Tensor]:
    read, targets = stream_targets(codes, model.config)
    if features is not None:
        features = column_features(features, model.config.pattern)
    return model(read, features, prefix), targets


UNKNOWN = -1
"""A token for the model to choose."""


@torch.no_grad()
def sample_streams(
    model: MultiStreamLM,
    known: Int[Tensor, "batch stream step"],
    features: Int[Tensor, "batch feature step"] | None = None,
    prefix: Int[Tensor, "batch prefix"] | None = None,
    *,
    temperature: float | int = 1.0,
    top_p: float | int | None = None,
    guidance: float | int = 1,
    no_prefix: Int[Tensor, "prefix"] | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch stream step"]:
    """Sample the unknown tokens, column by column, with a KV cache.

    The model reads a given token like one that it has sampled. With a delay, it chooses
    a stream's token after the earlier streams' tokens at the same step and before the
    later streams' tokens, so order the streams such that given ones come first.

    Args:
        known: The given tokens; `UNKNOWN` where the model is to choose.
        features: The given features of each step.
        prefix: The tokens before the first column, such as a caption.
        temperature: As in `next_token_probabilities`; so is `top_p`.
        guidance: The weight of classifier-free guidance; 1 for none.
        no_prefix: The prefix that stands for no prefix; needed for guidance.

    Raises:
        ValueError: If guidance is used without both `prefix` and `no_prefix`.
    """
    config = model.config
    pattern, filler = config.pattern, config.filler
    batch, device = len(known), next(model.parameters()).device
    known, features, prefix, no_prefix = (
        None if part is None else part.to(device)
        for part in (known, features, prefix, no_prefix)
    )
    wanted = delay(known, pattern, filler)  # -1 where the model chooses
    guided = guidance != 1
    if guided:
        if prefix is None or no_prefix is None:
            raise ValueError(
                "Guidance compares two prefixes: give both prefix and no_prefix."
            )
        prefix = torch.cat((prefix, no_prefix.expand(batch, -1)))
    given = None if features is None else column_features(features, pattern)
    if guided and given is not None:
        given = given.repeat(2, 1, 1)
    length = wanted.shape[-1] + (0 if prefix is None else prefix.shape[1])
    cache = model.make_cache(len(prefix) if guided else batch, length)
    last = torch.full_like(wanted[..., :1], filler)
    drawn = []
    for column in range(wanted.shape[-1]):
        logits = model(
            last.repeat(2, 1, 1) if guided else last,
            None if given is None else given[..., column : column + 1],
            prefix if column == 0 else None,
            AttentionContext.cached(cache),
        )[:, :, -1]
        if guided:
            with_prefix, without = logits.chunk(2)
            logits = without + guidance * (with_prefix - without)
        probabilities = next_token_probabilities(logits, temperature, top_p=top_p)
        here = wanted[..., column]
        chosen = draw(probabilities.flatten(0, 1), generator).view(here.shape)
        last = torch.where(here == UNKNOWN, chosen.to(device), here)[..., None]
        drawn.append(last)
    return undelay(torch.cat(drawn, dim=-1), pattern)
