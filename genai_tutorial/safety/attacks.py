"""Two attacks on a chat model, a prefilled answer and a suffix found by gradients; and
two defences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.alignment import answer_log_probs, token_log_probs
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.retrieval import ChatModel
from genai_tutorial.tokenization import PADDING, BPETokenizer
from genai_tutorial.transformer import AttentionContext, DecoderLM


def prefilled_answers(
    chat: ChatModel, requests: Sequence[str], beginning: str
) -> list[str]:
    """Return the most probable answers, of up to 24 tokens more, that begin with given
    words, such as `" The answer is"`.

    Raises:
        ValueError: If the beginning is empty.

    Source: Andriushchenko et al., Jailbreaking Leading Safety-Aligned LLMs with Simple
        Adaptive Attacks, section 4.2 (prefilling), https://arxiv.org/abs/2404.02151
    """
    given = chat.tokenizer.encode(beginning, special_as_text=True)
    if not given:
        raise ValueError("The beginning must have at least one token, got none.")
    rollouts = generate_rollouts(
        chat.model,
        [[*chat.encode(request), *given] for request in requests],
        24,
        end_token=chat.tokenizer.special_tokens[chat.template.end],
        temperature=0,
    )
    return [
        chat.tokenizer.decode([*given, *answer]).strip()
        for answer in rollouts.answers()
    ]


_SUFFIX_LENGTH = 6  # tokens
_MOST_PROMISING = 32  # tokens per position


@dataclass(frozen=True)
class AdversarialSuffix:
    """A suffix that makes a model begin its answer as the attacker wants.

    Attributes:
        text: The suffix, to be put directly after a request.
        losses: The loss before the first step and after each: minus the log-probability
            of the target, in nats, averaged over the requests.
        texts: The suffix at the same moments.
    """

    text: str
    losses: tuple[float, ...]
    texts: tuple[str, ...]


def greedy_coordinate_gradient(
    chat: ChatModel,
    requests: Sequence[str],
    target: str,
    *,
    steps: int = 14,
    candidates: int = 24,
    seed: int = 0,
) -> AdversarialSuffix:
    """Search for a suffix of six tokens after which a model gives the target's answer
    to all requests.

    Each step takes the gradient with respect to the suffix's tokens as if they were
    continuous, draws candidates that exchange one token for one of the 32 most
    promising, and keeps the best if it lowers the loss. Only candidates count whose
    text is encoded as the same tokens again.

    Args:
        target: The beginning of the answer that the attacker wants.
        candidates: The number of candidates per step.

    Raises:
        ValueError: If there are no requests, or the target is empty.

    Source: Zou et al., Universal and Transferable Adversarial Attacks on Aligned
        Language Models, algorithms 1 and 2, https://arxiv.org/abs/2307.15043
    """
    if not requests or not target:
        raise ValueError("There must be at least one request and a target.")
    generator = torch.Generator().manual_seed(seed)
    rows = _Rows.of(chat, requests, target)
    allowed = _plain_tokens(chat)
    start = chat.tokenizer.encode(" ,")[-1:] * _SUFFIX_LENGTH
    suffix = torch.tensor(start)
    loss = float(rows.losses(chat, suffix[None]))
    losses, texts = [loss], [chat.tokenizer.decode(suffix.tolist())]
    for _ in range(steps):
        gradient = rows.gradient(chat, suffix)[:, allowed]
        count = min(_MOST_PROMISING, len(allowed))
        best = gradient.topk(count, largest=False).indices
        tried: dict[tuple[int, ...], None] = {}
        for _ in range(20 * candidates):
            place = int(torch.randint(_SUFFIX_LENGTH, (), generator=generator))
            pick = int(torch.randint(best.shape[1], (), generator=generator))
            changed = suffix.clone()
            changed[place] = allowed[best[place, pick]]
            if _survives(chat, requests[0], changed):
                tried[tuple(changed.tolist())] = None
            if len(tried) == candidates:
                break
        if tried:
            batch = torch.tensor(list(tried))
            found = rows.losses(chat, batch)
            if float(found.min()) < loss:
                suffix, loss = batch[int(found.argmin())], float(found.min())
        losses.append(loss)
        texts.append(chat.tokenizer.decode(suffix.tolist()))
    return AdversarialSuffix(texts[-1], tuple(losses), tuple(texts))


@dataclass(frozen=True)
class _Rows:
    """Requests with the target as answer, and where the suffix goes in each."""

    before: list[list[int]]
    after: list[list[int]]
    target: list[int]

    @classmethod
    def of(cls, chat: ChatModel, requests: Sequence[str], target: str) -> "_Rows":
        before, after = zip(
            *(_around_suffix(chat, request) for request in requests), strict=True
        )
        return cls(list(before), list(after), chat.tokenizer.encode(target))

    def ids(
        self, suffixes: Int[Tensor, "suffix token"]
    ) -> tuple[Int[Tensor, "row position"], Tensor]:
        """Return one row for each suffix and request, and the marks of the target."""
        rows = [
            torch.tensor([*before, *suffix, *after, *self.target])
            for suffix in suffixes.tolist()
            for before, after in zip(self.before, self.after, strict=True)
        ]
        ids = pad_sequence(rows, batch_first=True, padding_value=PADDING)
        marks = torch.zeros_like(ids, dtype=torch.bool)
        for place, row in enumerate(rows):
            marks[place, len(row) - len(self.target) : len(row)] = True
        return ids, marks

    @torch.no_grad()
    def losses(
        self, chat: ChatModel, suffixes: Int[Tensor, "suffix token"]
    ) -> Float[Tensor, "suffix"]:
        log_probs = answer_log_probs(chat.model, *self.ids(suffixes))
        return -log_probs.view(len(suffixes), len(self.before)).mean(dim=1)

    def gradient(
        self, chat: ChatModel, suffix: Int[Tensor, "token"]
    ) -> Float[Tensor, "token vocab"]:
        """Return the gradient of the loss with respect to the one-hot vectors of the
        suffix's tokens.
        """
        model, (ids, marks) = chat.model, self.ids(suffix[None])
        x = model.embed(ids, AttentionContext()).detach().requires_grad_()
        logits = model.logits(model.read_vectors(x))[:, :-1]
        log_probs = logits.log_softmax(dim=-1).gather(2, ids[:, 1:, None])[..., 0]
        loss = -(log_probs * marks[:, 1:]).sum() / len(ids)
        (by_vector,) = torch.autograd.grad(loss, x)
        at_suffix = [
            row[len(before) : len(before) + len(suffix)]
            for row, before in zip(by_vector, self.before, strict=True)
        ]
        embeddings = model.token_embedding.weight.detach()
        return torch.stack(at_suffix).sum(dim=0) @ embeddings.T


def _around_suffix(chat: ChatModel, request: str) -> tuple[list[int], list[int]]:
    ids = chat.encode(request)
    end = chat.tokenizer.special_tokens[chat.template.end]
    place = len(ids) - 1 - ids[::-1].index(end)
    return ids[:place], ids[place:]


def _survives(chat: ChatModel, request: str, suffix: Int[Tensor, "token"]) -> bool:
    before, after = _around_suffix(chat, request)
    text = chat.tokenizer.decode(suffix.tolist())
    return chat.encode(request + text) == [*before, *suffix.tolist(), *after]


def _plain_tokens(chat: ChatModel) -> Int[Tensor, "allowed"]:
    size = min(chat.model.config.vocab_size, chat.tokenizer.vocab_size)
    special = set(chat.tokenizer.special_tokens.values())
    texts = {n: chat.tokenizer.decode([n]) for n in range(size) if n not in special}
    return torch.tensor(
        [n for n, text in texts.items() if text.isascii() and text.isprintable()]
    )


@torch.no_grad()
def windowed_surprise(
    model: DecoderLM, tokenizer: BPETokenizer, texts: Sequence[str], window: int = 6
) -> Float[Tensor, "text"]:
    """Return the highest mean of -ln p(token) over any `window` neighbouring tokens of
    each text, in nats per token: the score of a perplexity filter. A shorter text has
    one window.

    Raises:
        ValueError: If there are no texts, or one has fewer than two tokens, of which
            the first has no probability.

    Source: Jain et al., Baseline Defenses for Adversarial Attacks Against Aligned
        Language Models, section 4.1 (windowed perplexity),
        https://arxiv.org/abs/2309.00614
    """
    rows = [tokenizer.encode(text, special_as_text=True) for text in texts]
    if not rows or min(map(len, rows)) < 2:
        raise ValueError("There must be texts, of at least two tokens each.")
    ids = pad_sequence([*map(torch.tensor, rows)], True, PADDING)
    nats = -token_log_probs(model, ids.to(model.token_embedding.weight.device))
    parts = (row[: len(ids) - 1] for row, ids in zip(nats, rows, strict=True))
    return torch.stack(
        [part.unfold(0, min(window, len(part)), 1).mean(dim=1).max() for part in parts]
    )


def datamark(text: str, mark: str = "^") -> str:
    """Replace the spaces of a text by a mark, so that the prompt can say which words
    are data.

    Source: Hines et al., Defending Against Indirect Prompt Injection Attacks With
        Spotlighting, section 3.2, https://arxiv.org/abs/2403.14720

    >>> datamark("Lima is in Peru.")
    'Lima^is^in^Peru.'
    """
    return mark.join(text.split())
