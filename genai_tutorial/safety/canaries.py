"""What a model keeps of its training text: canaries, invented secrets that are written
into it, and attacks that guess whether a text was in it.
"""

import math
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.generation import generate
from genai_tutorial.transformer import AttentionContext, DecoderLM

ToTokens = Callable[[str], Sequence[int]]
"""A function that turns text into tokens, such as a tokenizer's `encode`."""


@dataclass(frozen=True)
class Canary:
    """A sentence with a secret number, and how often the training text has it.

    Attributes:
        prefix: The text before the secret.
        copies: The number of times that the sentence is in the training text.

    >>> Canary("The number of Adam is ", "4821", copies=2).text
    'The number of Adam is 4821.'
    """

    prefix: str
    secret: str
    copies: int

    @property
    def text(self) -> str:
        """The whole sentence."""
        return f"{self.prefix}{self.secret}."

    @property
    def prompt(self) -> str:
        """The text with which the secret is asked for: a new line and the prefix."""
        return f"\n{self.prefix}"


@dataclass(frozen=True)
class Exposure:
    """The rank of a canary's secret among the candidates, which are all secrets of its
    length: 1 if no other secret is more probable.
    """

    rank: int
    candidates: int

    @property
    def bits(self) -> float:
        """The exposure: how many bits of the secret the model gives away.

        On average 1.44 for a secret that the model has never read; at most
        log2(candidates).

        Source: Carlini et al., The Secret Sharer, definition 4,
        https://arxiv.org/abs/1802.08232
        """
        return math.log2(self.candidates) - math.log2(self.rank)


def draw_canaries(
    names: Sequence[str], copies: Sequence[int], seed: int
) -> tuple[Canary, ...]:
    """Return one canary for each name, with a random secret of four digits.

    Args:
        copies: The numbers of copies, dealt out to the names in turn.

    >>> draw_canaries(["Adam", "Bess"], copies=[0, 8], seed=0)[1]
    Canary(prefix='The number of Bess is ', secret='6890', copies=8)
    """
    generator = random.Random(seed)
    return tuple(
        Canary(
            f"The number of {name} is ",
            f"{generator.randrange(10_000):04}",
            copies[place % len(copies)],
        )
        for place, name in enumerate(names)
    )


def insert_canaries(text: str, canaries: Sequence[Canary], seed: int) -> str:
    """Return a text with all copies of the canaries, each on a separate line at a
    random position.
    """
    lines = text.split("\n")
    generator = random.Random(seed)
    for canary in canaries:
        for _ in range(canary.copies):
            lines.insert(generator.randrange(len(lines) + 1), canary.text)
    return "\n".join(lines)


@torch.no_grad()
def secret_log_probs(
    model: DecoderLM, canary: Canary, encode: ToTokens
) -> Float[Tensor, "secret"]:
    """Return the model's log-probability of every secret of the canary's length, in
    numerical order.
    """
    prompt, digits = list(encode(canary.prompt)), _digit_tokens(encode)
    cache = model.make_cache(1, len(prompt) + len(canary.secret))
    unread = torch.tensor([prompt], device=cache.ids.device)
    log_probs = torch.zeros(1, device=cache.ids.device)
    for step in range(len(canary.secret)):
        hidden = model.read(unread, AttentionContext.cached(cache))
        following = model.logits(hidden[:, -1:])[:, 0].log_softmax(dim=-1)[:, digits]
        log_probs = (log_probs[:, None] + following).flatten()
        if step < len(canary.secret) - 1:
            rows = len(unread)
            cache.select([row for row in range(rows) for _ in digits])
            unread = torch.tensor(digits * rows, device=cache.ids.device)[:, None]
    return log_probs


def exposure(model: DecoderLM, canary: Canary, encode: ToTokens) -> Exposure:
    """Return the rank of a canary's secret among all secrets of its length.

    Raises:
        ValueError: If a digit is not a single token.

    Source: Carlini et al., The Secret Sharer, sections 4.1 and 4.2,
    https://arxiv.org/abs/1802.08232
    """
    log_probs = secret_log_probs(model, canary, encode)
    likelier = int((log_probs > log_probs[int(canary.secret)]).sum())
    return Exposure(likelier + 1, len(log_probs))


def extracted(model: DecoderLM, canary: Canary, encode: ToTokens) -> bool:
    """Return whether the model recites the secret: whether greedy decoding after the
    prefix writes exactly this.
    """
    device = next(model.parameters()).device
    prompt = torch.tensor([list(encode(canary.prompt))], device=device)
    secret = list(encode(canary.secret))
    written = generate(model, prompt, len(secret), temperature=0)
    return written[0, prompt.shape[1] :].tolist() == secret


def _digit_tokens(encode: ToTokens) -> list[int]:
    tokens = [list(encode(digit)) for digit in "0123456789"]
    if wrong := [row for row in tokens if len(row) != 1]:
        raise ValueError(
            f"Each digit must be one token; the tokenizer makes {wrong[0]} of one. Use "
            "a tokenizer of bytes or characters."
        )
    return [row[0] for row in tokens]


@torch.no_grad()
def token_losses(
    model: nn.Module, windows: Int[Tensor, "text length"], batch_size: int = 64
) -> Float[Tensor, "text step"]:
    """Return -ln p of each token after the first of texts of equal length, in nats."""
    losses = [
        functional.cross_entropy(
            model(rows[:, :-1]).transpose(1, 2), rows[:, 1:], reduction="none"
        )
        for rows in windows.split(batch_size)
    ]
    return torch.cat(losses)


def loss_attack(losses: Float[Tensor, "text step"]) -> Float[Tensor, "text"]:
    """Return minus the mean loss: members are predicted better.

    Source: Yeom et al., Privacy Risk in Machine Learning, section 3.2,
    https://arxiv.org/abs/1709.01604

    >>> loss_attack(torch.tensor([[1.0, 3.0]]))
    tensor([-2.])
    """
    return -losses.mean(dim=1)


def zlib_attack(
    losses: Float[Tensor, "text step"], texts: Sequence[bytes]
) -> Float[Tensor, "text"]:
    """Return minus the loss per byte of the compressed text: a text that is easy for
    everybody, such as a repetition, is no sign of membership.

    Raises:
        ValueError: If there is not one text per row of losses.

    Source: Carlini et al., Extracting Training Data from Large Language Models, section
        5.2, https://arxiv.org/abs/2012.07805
    """
    if len(texts) != len(losses):
        raise ValueError(f"There are {len(losses)} rows of losses, {len(texts)} texts.")
    sizes = [len(zlib.compress(text)) for text in texts]
    return -losses.sum(dim=1) / losses.new_tensor(sizes)


def min_k_attack(
    losses: Float[Tensor, "text step"], share: float | int = 0.2
) -> Float[Tensor, "text"]:
    """Return minus the mean of the highest losses (Min-K%): a text that was never read
    has a few tokens that surprise the model very much.

    Args:
        share: The share of the tokens that count.

    Raises:
        ValueError: If the share is not above 0 and at most 1.

    Source: Shi et al., Detecting Pretraining Data from Large Language Models, section
        3, https://arxiv.org/abs/2310.16789

    >>> min_k_attack(torch.tensor([[1.0, 5.0, 2.0, 3.0]]), share=0.5)
    tensor([-4.])
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}.")
    count = math.ceil(round(share * losses.shape[1], 9))
    return -losses.topk(count, dim=1).values.mean(dim=1)
