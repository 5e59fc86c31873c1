"""The gold rule as a reward: each rollout gets the gold score of its text."""

import pytest
import torch

from genai_tutorial import recipes
from genai_tutorial.alignment import encode_prompt
from genai_tutorial.data import load_facts
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tasks.assistant import (
    CHAT,
    GoldRule,
    gold_reward,
    questions_of_all_categories,
)

RULE = GoldRule(load_facts())


@pytest.mark.slow
def test_gold_reward_is_the_gold_score_of_each_answer():
    model, tokenizer = recipes.load("factbook-sft")
    asked = questions_of_all_categories(24, "trained", seed=0)
    rollouts = generate_rollouts(
        model,
        [encode_prompt(CHAT, tokenizer, question.text) for question in asked[::-1]],
        12,
        end_token=tokenizer.special_tokens[CHAT.end],
        generator=torch.Generator().manual_seed(0),
    )
    texts = [tokenizer.decode(answer) for answer in rollouts.answers()]
    expected = [
        RULE.score(question, text.strip())
        for question, text in zip(asked[::-1], texts, strict=True)
    ]
    rewards = gold_reward(RULE, tokenizer, asked)(rollouts)
    assert rewards.tolist() == pytest.approx(expected)
    assert len(set(expected)) > 1
