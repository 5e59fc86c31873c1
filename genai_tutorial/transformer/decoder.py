"""The decoder: tokens in, and for every position the scores of the token that comes next."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer.block import DecoderBlock
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.ngrams import NGramEmbedding
from genai_tutorial.transformer.norms import make_norm
from genai_tutorial.transformer.positions import LearnedPositions, RotaryEmbedding


class DecoderLM(nn.Module):
    """A language model: a stack of causal Transformer blocks between an embedding and an output layer.

    Args:
        config: The settings, for example `DecoderConfig.modern(vocab_size=65)`.
        seed: Decides the first weights. The same seed gives the same model on every run.

    Source: Radford et al., Improving Language Understanding by Generative Pre-Training, equation 2,
        https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf

    >>> model = DecoderLM(DecoderConfig.modern(vocab_size=65))
    >>> model(torch.tensor([[1, 2, 3]])).shape  # one text of three tokens: 65 scores after each
    torch.Size([1, 3, 65])
    """

    def __init__(self, config: DecoderConfig, seed: int = 0):
        super().__init__()
        self.config = config
        rotary = RotaryEmbedding(config.head_width, config.context_length) if config.positions == "rotary" else None
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.ngram_embedding = (
            NGramEmbedding(
                config.vocab_size, config.width, config.pair_features, config.triple_features, config.ngram_rows
            )
            if config.pair_features or config.triple_features
            else None
        )
        self.position_embedding = (
            LearnedPositions(config.context_length, config.width) if config.positions == "learned" else nn.Identity()
        )
        self.blocks = nn.ModuleList(DecoderBlock(config, rotary) for _ in range(config.layers))
        self.final_norm = make_norm(config.norm, config.width, config.bias)
        self.head = None if config.tied_embeddings else nn.Linear(config.width, config.vocab_size, bias=False)
        initialise(self, seed)

    def forward(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position vocab"]:
        """Returns the scores (logits) of every token that could come next, after each position.

        Raises:
            ValueError: If the sequence is longer than the context, or a token is not in the vocabulary.
        """
        x = self._embed(ids)
        for block in self.blocks:
            x = block(x)
        output_weight = self.token_embedding.weight if self.head is None else self.head.weight
        return functional.linear(self.final_norm(x), output_weight)

    @torch.no_grad()
    def attention_maps(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "layer batch head query key"]:
        """Returns every head's attention weights, for looking at; slower than `forward`, which never makes them."""
        x = self._embed(ids)
        maps = []
        for block in self.blocks:
            maps.append(block.attention.weights(block.attention_mix(block.attention_norm(x))))
            x = block(x)
        return torch.stack(maps)

    def parameter_count(self) -> int:
        """Returns how many numbers training adjusts; tied embeddings count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _embed(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position width"]:
        if ids.shape[1] > self.config.context_length:
            raise ValueError(
                f"The model sees at most {self.config.context_length} tokens at once, got {ids.shape[1]}. "
                f"Keep the last {self.config.context_length}, or build the model with a longer context_length."
            )
        try:
            x = self.token_embedding(ids)
        except IndexError as error:
            raise ValueError(
                f"Tokens must be from 0 to {self.config.vocab_size - 1} (vocab_size is {self.config.vocab_size}), "
                f"got values from {ids.min()} to {ids.max()}. Was the text encoded with another tokenizer?"
            ) from error
        if self.ngram_embedding is not None:
            x = x + self.ngram_embedding(ids)
        return self.position_embedding(x)


@torch.no_grad()
def initialise(model: DecoderLM, seed: int) -> None:
    """Sets a decoder's first weights: matrices random, gains one, biases zero.

    With `initial_std=None` a matrix gets the standard deviation 1/sqrt(inputs), which keeps the size of what flows
    through it; an embedding has one active input, so 1, unless it is also the output layer. Otherwise all get
    `initial_std`, and the layers that write into the stream get less, because their 2 x layers contributions add up.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners, section 2.3 (scaling by depth)
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
            parameter.normal_(0.0, config.initial_std * depth_scale, generator=generator)
        elif name == "token_embedding.weight" and not config.tied_embeddings:
            parameter.normal_(0.0, 1.0, generator=generator)
        else:
            parameter.normal_(0.0, 1 / math.sqrt(parameter.shape[1]), generator=generator)


def next_token_loss(
    logits: Float[Tensor, "batch position vocab"], targets: Int[Tensor, "batch position"]
) -> Float[Tensor, ""]:
    """Returns the mean of -log p(the token that came), in nats a token.

    Args:
        logits: The model's scores after each position.
        targets: The token that did come next, at each position.

    Source: Bengio et al., A Neural Probabilistic Language Model, section 2 (the penalised log-likelihood),
        https://www.jmlr.org/papers/v3/bengio03a.html

    >>> next_token_loss(torch.zeros(1, 1, 8), torch.tensor([[3]]))  # eight equal chances: ln 8
    tensor(2.0794)
    """
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
