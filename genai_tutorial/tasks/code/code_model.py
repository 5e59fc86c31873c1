"""A code model at work: completing programs, filling gaps, explaining and writing
tests, all from one decoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.corpus import Gap, docstring_gap, infilling_prompt
from genai_tutorial.generation import (
    ForbiddenTokens,
    generate_rollouts,
    option_log_likelihoods,
)
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .exercises import END, ORDER, TESTS

BODY_TOKENS, TEST_TOKENS = 96, 128


@dataclass(frozen=True)
class CodeModel:
    """A decoder trained on exercises, with its tokenizer.

    Attributes:
        tokenizer: A tokenizer with the special tokens of a code model.
        forbids_markers: If true, the model may write no special token but the one that
            ends a document.
    """

    model: DecoderLM
    tokenizer: BPETokenizer
    forbids_markers: bool = True

    def complete(
        self, prompts: Sequence[str], temperature: float | int = 0.8, seed: int = 0
    ) -> list[str]:
        """Return the body that the model writes behind each prompt.

        Args:
            prompts: Signatures with docstrings, without a newline at the end.
        """
        return self._write(prompts, BODY_TOKENS, temperature, seed)

    def sample(
        self,
        prompts: Sequence[str],
        samples: int,
        temperature: float | int = 0.8,
        seed: int = 0,
    ) -> list[list[str]]:
        """Return several bodies for each prompt."""
        repeated = [prompt for prompt in prompts for _ in range(samples)]
        bodies = iter(self.complete(repeated, temperature, seed))
        return [[next(bodies) for _ in range(samples)] for _ in prompts]

    def fill(self, gaps: Sequence[Gap]) -> list[str]:
        """Return what the model writes into each gap; it does not see the middle."""
        prompts = [infilling_prompt(gap.prefix, gap.suffix, ORDER) for gap in gaps]
        return self._write(prompts, BODY_TOKENS, temperature=0, seed=0)

    def explain(self, programs: Sequence[str]) -> list[str]:
        """Return a docstring for each program, filled in where its own was."""
        return self.fill([docstring_gap(program) for program in programs])

    def write_tests(
        self, prompts: Sequence[str], temperature: float | int = 0.8, seed: int = 0
    ) -> list[list[str]]:
        """Return the lines of tests that the model writes behind each prompt, from the
        docstring alone.
        """
        written = self._write(
            [prompt + TESTS for prompt in prompts], TEST_TOKENS, temperature, seed
        )
        return [text.strip().splitlines() for text in written]

    def log_likelihoods(self, prompt: str, bodies: Sequence[str]) -> list[float]:
        """Return the log-probability of each body behind a prompt, its end included, in
        nats.
        """
        end = self.tokenizer.special_tokens[END]
        options = [[*self.tokenizer.encode(body), end] for body in bodies]
        start = [end, *self.tokenizer.encode(prompt)]
        return option_log_likelihoods(self.model, [start], options)[0].tolist()

    @torch.no_grad()
    def _write(
        self, prompts: Sequence[str], tokens: int, temperature: float | int, seed: int
    ) -> list[str]:
        special = self.tokenizer.special_tokens
        end = special[END]
        constraint = None
        if self.forbids_markers:
            markers = [token for token in special.values() if token != end]
            constraint = ForbiddenTokens(markers, self.tokenizer.vocab_size)
        encoded = (self.tokenizer.encode(one, allowed_special="all") for one in prompts)
        rollouts = generate_rollouts(
            self.model,
            [[end, *ids] for ids in encoded],
            tokens,
            end_token=end,
            temperature=temperature,
            constraint=constraint,
            generator=torch.Generator().manual_seed(seed),
        )
        return [self.tokenizer.decode(answer) for answer in rollouts.answers()]
