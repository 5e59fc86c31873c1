"""The gold rule as a verifiable reward: a program scores rollouts."""

from collections.abc import Sequence

import torch

from genai_tutorial.alignment import encode_prompt
from genai_tutorial.generation import Rollouts, Score
from genai_tutorial.tokenization import BPETokenizer

from .chat_format import CHAT
from .gold_rule import GoldRule
from .questions import Question


def gold_reward(
    rule: GoldRule, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> Score:
    """Return a function that gives rollouts their gold scores.

    Args:
        questions: All questions that the policy may be asked.
    """
    asked = {
        tuple(encode_prompt(CHAT, tokenizer, question.text)): question
        for question in questions
    }

    def score(rollouts: Rollouts) -> torch.Tensor:
        prompts = [
            asked[tuple(row[:length])]
            for row, length in zip(
                rollouts.ids.tolist(), rollouts.prompt_lengths.tolist(), strict=True
            )
        ]
        texts = [tokenizer.decode(answer).strip() for answer in rollouts.answers()]
        return torch.tensor(
            [
                rule.score(question, text)
                for question, text in zip(prompts, texts, strict=True)
            ]
        )

    return score
