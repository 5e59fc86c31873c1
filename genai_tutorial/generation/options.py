"""Scoring given options instead of generating: the log-likelihood of each option after
a prompt.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.transformer import DecoderLM

from .prefix import copy_rows, read_prefix, read_rows, shared_length


@torch.no_grad()
def option_log_likelihoods(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
    batch_size: int = 64,
) -> Float[Tensor, "prompt option"]:
    r"""Return the log-likelihood of each option after each prompt, in nats.

    $$\log p(o \mid x) = \sum_i \log p(o_i \mid x, o_1, \ldots, o_{i-1})$$

    It is the sum over the option's tokens, so a longer option starts at a disadvantage.
    Options that differ in their last token only need one pass: that token is never
    read, only predicted.

    Args:
        options: The tokens of each option. A space between prompt and option belongs to
            the option, because in most vocabularies it is part of a word's first token.
        batch_size: Maximum number of rows in a batch.

    Raises:
        ValueError: If there is no prompt or no option, one is empty, a prompt with an
            option does not fit into the context window, or `batch_size` is below 1.

    Source: Brown et al., Language Models are Few-Shot Learners, section 2.4
        (completion likelihood), https://arxiv.org/abs/2005.14165
    """
    _check(model, prompts, options, batch_size)
    shared = shared_length(prompts)
    # for each text to read, the prompts and options that it serves
    served: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number, prompt in enumerate(prompts):
        for place, option in enumerate(options):
            text = (*prompt, *option[:-1])
            served.setdefault(text, []).append((number, place))
    texts = sorted(served, key=len)
    prefix = read_prefix(model, prompts[0][:shared], len(texts[-1]))
    scores = torch.zeros(len(prompts), len(options))
    for start in range(0, len(texts), batch_size):
        batch = texts[start : start + batch_size]
        cache = copy_rows(prefix, len(batch))
        hidden = read_rows(model, cache, [text[shared:] for text in batch])
        wanted = [
            (row, len(prompts[number]) - 1 - shared + step, token, number, place)
            for row, text in enumerate(batch)
            for number, place in served[text]
            for step, token in enumerate(options[place])
        ]
        rows, positions, tokens, numbers, places = torch.tensor(wanted).T
        log_probs = model.logits(hidden[rows, positions][:, None])[:, 0].log_softmax(-1)
        chosen = log_probs[torch.arange(len(tokens)), tokens].float().cpu()
        scores.index_put_((numbers, places), chosen, accumulate=True)
    return scores


def _check(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
    batch_size: int,
) -> None:
    if not (prompts and options and all(prompts) and all(options)):
        raise ValueError(
            "There must be at least one prompt and one option, of one token or more "
            f"each; got {len(prompts)} prompts and {len(options)} options."
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    longest = max(map(len, prompts)) + max(map(len, options))
    if longest > model.config.context_length:
        raise ValueError(
            f"The model sees at most {model.config.context_length} tokens at once; the "
            f"longest prompt with its longest option has {longest}. Use fewer "
            "demonstrations."
        )
