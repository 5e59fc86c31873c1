"""The gold rule as a verifiable reward: a program scores rollouts."""

from collections.abc import Sequence

import torch

from genai_tutorial.alignment import encode_prompt
from genai_tutorial.generation import Rollouts, Score
from genai_tutorial.tasks.assistant.chat_format import CHAT
from genai_tutorial.tasks.assistant.gold_rule import GoldRule
from genai_tutorial.tasks.assistant.questions import Question
from genai_tutorial.tokenization import BPETokenizer


def gold_reward(
    rule: GoldRule, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> Score:
    """Return a function that gives rollouts their gold scores.

    Args:
        rule: The gold rule.
        tokenizer: The tokenizer of the policy.
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
