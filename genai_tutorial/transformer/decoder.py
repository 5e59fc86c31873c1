"""The decoder: tokens in, and for every position the scores of the token that comes
next.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer.block import DecoderBlock
from genai_tutorial.transformer.cache import KVCache
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.masks import document_mask, document_positions
from genai_tutorial.transformer.ngrams import NGramEmbedding
from genai_tutorial.transformer.norms import make_norm
from genai_tutorial.transformer.positions import LearnedPositions, SinusoidalPositions
from genai_tutorial.transformer.rotary import RotaryEmbedding


class DecoderLM(nn.Module):
    """A language model: a stack of causal Transformer blocks between an embedding and
    an output layer.

    Args:
        config: The settings, for example `DecoderConfig.modern(vocab_size=65)`.
        seed: Decides the first weights. The same seed gives the same model on every
            run; None leaves the memory as it is, for weights that will be loaded.

    Source: Radford et al., Improving Language Understanding by Generative Pre-Training,
        equation 2,
        https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf

    >>> model = DecoderLM(DecoderConfig.modern(vocab_size=65))
    >>> model(
    ...     torch.tensor([[1, 2, 3]])
    ... ).shape  # one text of three tokens: 65 scores after each
    torch.Size([1, 3, 65])
    """

    def __init__(self, config: DecoderConfig, seed: int | None = 0):
        super().__init__()
        self.config = config
        self.rotary = (
            RotaryEmbedding(
                config.head_width,
                config.context_length,
                config.rotary_base,
                config.rotary_scaling,
            )
            if config.positions == "rotary"
            else None
        )
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.ngram_embedding = (
            NGramEmbedding(
                config.vocab_size,
                config.width,
                config.pair_features,
                config.triple_features,
                config.ngram_rows,
            )
            if config.pair_features or config.triple_features
            else None
        )
        added = {"learned": LearnedPositions, "sinusoidal": SinusoidalPositions}.get(
            config.positions
        )
        self.position_embedding = (
            None if added is None else added(config.context_length, config.width)
        )
        self.blocks = nn.ModuleList(
            DecoderBlock(config, self.rotary) for _ in range(config.layers)
        )
        self.final_norm = make_norm(
            config.norm, config.width, config.bias, config.norm_epsilon
        )
        self.head = (
            None
            if config.tied_embeddings
            else nn.Linear(config.width, config.vocab_size, bias=False)
        )
        if seed is not None:
            initialise(self, seed)

    def forward(
        self,
        ids: Int[Tensor, "batch position"],
        cache: KVCache | None = None,
        lengths: Int[Tensor, "batch"] | None = None,
        documents: Int[Tensor, "batch position"] | None = None,
    ) -> Float[Tensor, "batch position vocab"]:
        """Return the scores (logits) of every token that could come next, after each
        position.

        Args:
            ids: The tokens; with a cache, those that it has not read yet.
            cache: What was read before; it takes up `ids` too, and nothing is recorded
                for gradients.
            lengths: Where shorter rows are filled up at the end, how many tokens of
                each are text. What comes out at the filling means nothing.
            documents: Where several texts lie in a row, one after the other, the number
                of the text that each token belongs to: a token sees its own text only,
                and its position counts from there. Not with a cache.

        Raises:
            ValueError: If the sequence is longer than the context or the room in the
                cache, a token is not in the vocabulary, or there are both documents and
                a cache.
        """
        return self.logits(self.read(ids, cache, lengths, documents))

    def read(
        self,
        ids: Int[Tensor, "batch position"],
        cache: KVCache | None = None,
        lengths: Int[Tensor, "batch"] | None = None,
        documents: Int[Tensor, "batch position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return what the last block leaves at each position; the arguments are those
        of `forward`.
        """
        if cache is not None:
            if documents is not None:
                raise ValueError(
                    "A cache holds one text a row: give documents without a cache."
                )
            return self._read_on(ids, cache, lengths)
        if documents is not None:
            return self._read_packed(ids, documents)
        x = self._embed(ids)
        for block in self.blocks:
            x = block(x)
        return x

    def _read_packed(
        self, ids: Tensor, documents: Tensor
    ) -> Float[Tensor, "batch position width"]:
        mask = document_mask(documents)
        x = self._embed(ids, positions=document_positions(documents), mask=mask)
        for block in self.blocks:
            x = block(x, mask=mask)
        return x

    @torch.no_grad()
    def _read_on(
        self, ids: Tensor, cache: KVCache, lengths: Tensor | None
    ) -> Float[Tensor, "batch position width"]:
        positions = cache.begin(
            ids, None if lengths is None else lengths.tolist(), self.rotary
        )
        x = self._embed(ids, cache, positions)
        for block, past in zip(self.blocks, cache.layers, strict=True):
            x = block(x, past)
        cache.finish()
        return x

    def logits(
        self, x: Float[Tensor, "batch position width"]
    ) -> Float[Tensor, "batch position vocab"]:
        """Turn what the last block leaves into scores, one for each token of the
        vocabulary.
        """
        x = self.final_norm(x)
        return (
            functional.linear(x, self.token_embedding.weight)
            if self.head is None
            else self.head(x)
        )

    @torch.no_grad()
    def hidden_states(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "state batch position width"]:
        """Return what stands at each position before the first block, between blocks,
        and after the last one.
        """
        states = [self._embed(ids)]
        for block in self.blocks:
            states.append(block(states[-1]))
        return torch.stack(states)

    @torch.no_grad()
    def attention_maps(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "layer batch head query key"]:
        """Return every head's attention weights, for looking at; slower than
        `forward`, which never makes them.
        """
        x = self._embed(ids)
        (batch, length), heads = ids.shape, self.config.heads
        maps = x.new_empty(len(self.blocks), batch, heads, length, length)
        for block, found in zip(self.blocks, maps, strict=True):
            found.copy_(
                block.attention.weights(block.attention_mix(block.attention_norm(x)))
            )
            x = block(x)
        return maps

    def make_cache(self, batch_size: int = 1, length: int | None = None) -> KVCache:
        """Return an empty cache of this model's type and place; see `KVCache`."""
        weight = self.token_embedding.weight
        return KVCache(self.config, batch_size, length, weight.dtype, weight.device)

    def parameter_count(self) -> int:
        """Return how many numbers training adjusts; tied embeddings count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _embed(
        self,
        ids: Tensor,
        cache: KVCache | None = None,
        positions: Tensor | None = None,
        mask: Bool[Tensor, "batch 1 position position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        if ids.shape[1] > self.config.context_length:
            raise ValueError(
                f"The model sees at most {self.config.context_length} tokens at once, "
                f"got {ids.shape[1]}. "
                f"Keep the last {self.config.context_length}, or build the model with "
                "a longer context_length."
            )
        try:
            x = self.token_embedding(ids)
        except IndexError as error:
            raise ValueError(
                f"Tokens must be from 0 to {self.config.vocab_size - 1} (vocab_size is "
                f"{self.config.vocab_size}), "
                f"got values from {ids.min()} to {ids.max()}. Was the text encoded "
                "with another tokenizer?"
            ) from error
        if self.ngram_embedding is not None:
            x = x + self.ngram_embedding(
                ids, None if cache is None else cache.previous(2), mask
            )
        return (
            x
            if self.position_embedding is None
            else self.position_embedding(x, positions)
        )


@torch.no_grad()
def initialise(model: DecoderLM, seed: int) -> None:
    """Set a decoder's first weights: matrices random, gains one, biases zero.

    With `initial_std=None` a matrix gets the standard deviation 1/sqrt(inputs), which
    keeps the size of what flows through it; an embedding has one active input, so 1,
    unless it is also the output layer. Otherwise all get `initial_std`, and the layers
    that write into the stream get less, because their 2 x layers contributions add up.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners, section
    2.3 (scaling by depth)
    """
    config, generator = model.config, torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        writes_to_stream = name.endswith("output.weight")
        if parameter.dim() == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        elif name.endswith("mix.weight"):
            parameter.zero_()  # short convolutions start by changing nothing
        elif config.zero_outputs and (writes_to_stream or name == "head.weight"):
            parameter.zero_()
        elif config.initial_std is not None:
            depth_scale = 1 / math.sqrt(2 * config.layers) if writes_to_stream else 1.0
            parameter.normal_(
                0.0, config.initial_std * depth_scale, generator=generator
            )
        elif name == "token_embedding.weight" and not config.tied_embeddings:
            parameter.normal_(0.0, 1.0, generator=generator)
        else:
            parameter.normal_(
                0.0, 1 / math.sqrt(parameter.shape[-1]), generator=generator
            )


def next_token_loss(
    logits: Float[Tensor, "batch position vocab"],
    targets: Int[Tensor, "batch position"],
) -> Float[Tensor, ""]:
    """Return the mean of -log p(the token that came), in nats a token.

    Args:
        logits: The model's scores after each position.
        targets: The token that did come next, at each position.

    Source: Bengio et al., A Neural Probabilistic Language Model, section 2 (the
        penalised log-likelihood), https://www.jmlr.org/papers/v3/bengio03a.html

    >>> next_token_loss(
    ...     torch.zeros(1, 1, 8), torch.tensor([[3]])
    ... )  # eight equal chances: ln 8
    tensor(2.0794)
    """
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
