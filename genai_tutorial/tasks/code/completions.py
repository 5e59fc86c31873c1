"""From what a model wrote behind a prompt to a program: where does the function end?"""

import re
from collections.abc import Sequence

import torch

from genai_tutorial.generation import Decoder, generate_rollouts
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

_TRIPLE_QUOTE = re.compile("\"\"\"|'''")


def cut_completion(completion: str) -> str:
    r"""Cut a completion where the function ends: at the first line that is not
    indented.
    """
    kept: list[str] = []
    quote = None
    for number, line in enumerate(completion.split("\n")):
        if quote is None and number > 0 and line and not line[0].isspace():
            break
        kept.append(line)
        for mark in re.findall(_TRIPLE_QUOTE, line):
            if quote is None:
                quote = mark
            elif mark == quote:
                quote = None
    return "\n".join(kept).rstrip()


class StopAfterFunction:
    """Stops a row when a line behind the function has begun: a `Stop` for
    generation.
    """

    def __init__(self, tokenizer: Decoder):
        self.tokenizer = tokenizer

    def __call__(self, drawn: Sequence[int]) -> bool:
        """Return whether something would be cut off."""
        text = self.tokenizer.decode(list(drawn))
        return len(cut_completion(text)) < len(text.rstrip())


def complete_functions(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompts: Sequence[str],
    max_new_tokens: int = 80,
    temperature: float | int = 0,
    seed: int = 0,
) -> list[str]:
    """Continue prompts until each function ends, all in one batch, and cut them there.

    Args:
        model: A language model that has read code.
        prompts: Signatures with docstrings; the beginning that all of them share is
            read once.
        max_new_tokens: The number of tokens after which a function is cut off.
        temperature: 0 is greedy decoding.
    """
    stop = StopAfterFunction(tokenizer)
    special = set(tokenizer.special_tokens.values())
    rollouts = generate_rollouts(
        model,
        [tokenizer.encode(prompt) for prompt in prompts],
        max_new_tokens,
        end_token=max(special),  # any special token ends the text
        temperature=temperature,
        stop=lambda drawn: drawn[-1] in special or stop(drawn),
        share_prefix=len(prompts) > 1,
        generator=torch.Generator().manual_seed(seed),
    )
    return [
        cut_completion(tokenizer.decode([t for t in answer if t not in special]))
        for answer in rollouts.answers()
    ]
