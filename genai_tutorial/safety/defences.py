"""Defences: a filter for text that no person would write, marks that tell data from
instructions, and answers that must be quoted.
"""

import re
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.alignment import token_log_probs
from genai_tutorial.retrieval import ABSTENTION
from genai_tutorial.tokenization import PADDING, BPETokenizer
from genai_tutorial.transformer import DecoderLM

_WORD = re.compile(r"\w+", re.UNICODE)


@torch.no_grad()
def windowed_surprise(
    model: DecoderLM, tokenizer: BPETokenizer, texts: Sequence[str], window: int = 6
) -> Float[Tensor, "text"]:
    """Return the highest mean of -ln p(token) over any `window` neighbouring tokens of
    each text, in nats per token: the score of a perplexity filter. A shorter text has
    one window.

    Args:
        model: A language model of ordinary text.
        tokenizer: Its tokenizer.
        texts: The texts, of at least two tokens each; the first token has no
            probability.
        window: The number of tokens in a window.

    Raises:
        ValueError: If there are no texts, one is too short, or `window` is below 1.

    Source: Jain et al., Baseline Defenses for Adversarial Attacks Against Aligned
        Language Models, section 4.1 (windowed perplexity),
        https://arxiv.org/abs/2309.00614
    """
    rows = [tokenizer.encode(text, special_as_text=True) for text in texts]
    if not rows or min(map(len, rows)) < 2:
        raise ValueError("There must be texts, of at least two tokens each.")
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}.")
    ids = torch.full((len(rows), max(map(len, rows))), PADDING)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    nats = -token_log_probs(model, ids.to(model.token_embedding.weight.device))
    return torch.stack(
        [
            part.unfold(0, min(window, len(part)), 1).mean(dim=1).max()
            for part in (
                row[: len(tokens) - 1] for row, tokens in zip(nats, rows, strict=True)
            )
        ]
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


def only_quoted_spans(answer: str, passages: Sequence[str]) -> str:
    """Return the answer if its words occur in a row in one of the passages, and
    otherwise that it is not known. Case and punctuation do not count.

    Args:
        answer: The answer.
        passages: The passages that may be quoted: those that a filter has not taken for
            instructions.

    >>> only_quoted_spans("Lima.", ["Lima is in Peru."])
    'Lima.'
    >>> only_quoted_spans("BANANA", ["Lima is in Peru."])
    'I do not know.'
    """
    words = _spaced_words(answer)
    is_quoted = words != "  " and any(
        words in _spaced_words(passage) for passage in passages
    )
    return answer if is_quoted else ABSTENTION


def _spaced_words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "
