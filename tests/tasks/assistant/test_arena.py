"""The table of preferences against the raters' own probabilities, and votes from it."""

import pytest
import torch

from genai_tutorial.data import Fact
from genai_tutorial.tasks.assistant import (
    CHAT,
    CHAT_SPECIAL_TOKENS,
    FILLER,
    GoldRule,
    arena_systems,
    ask_facts,
    draw_votes,
    preference_table,
    random_raters,
)
from genai_tutorial.tokenization import train_bpe
from genai_tutorial.transformer import DecoderConfig, DecoderLM

FACTS = [Fact("Kenya", "capital", "Nairobi"), Fact("Peru", "capital", "Lima")]
QUESTIONS = ask_facts(FACTS, "held-out", per_fact=1)
RULE = GoldRule(FACTS)
SYSTEMS = {
    "knows": ["Nairobi.", "Lima."],
    "thanks": ["Nairobi. Thank you for asking.", "Lima. Thank you for asking."],
    "abstains": ["I do not know.", "I do not know."],
}
TABLE = preference_table(random_raters(3, RULE, seed=1), QUESTIONS, SYSTEMS)


def test_preference_table_has_each_raters_probabilities():
    raters, answers = random_raters(3, RULE, seed=1), list(SYSTEMS.values())
    assert TABLE.shape == (3, 3, 3, 2)
    for number, rater in enumerate(raters):
        for a in range(3):
            for b in range(3):
                for place, question in enumerate(QUESTIONS):
                    assert float(TABLE[number, a, b, place]) == pytest.approx(
                        rater.probability(
                            question, answers[a][place], answers[b][place]
                        )
                    )


def test_votes_are_between_two_systems_and_follow_the_table():
    votes = draw_votes(TABLE, 20_000, torch.Generator().manual_seed(0))
    assert (votes.first != votes.second).all()
    for part, count in ((votes.first, 3), (votes.second, 3), (votes.question, 2)):
        assert set(part.tolist()) == set(range(count))
    chosen = (votes.first == 0) & (votes.second == 2)
    rate = float(votes.won[chosen].mean())
    assert rate == pytest.approx(float(TABLE[:, 0, 2].mean()), abs=0.03)


@pytest.mark.slow
def test_arena_has_twelve_systems_that_follow_their_names():
    tokenizer = train_bpe(
        [question.text for question in QUESTIONS],
        300,
        special_tokens=CHAT_SPECIAL_TOKENS,
    )
    config = DecoderConfig.fast(tokenizer.vocab_size, 96, width=16, layers=1, heads=2)
    models = {
        name: DecoderLM(config, seed).eval()
        for seed, name in enumerate(("base", "sft", "ppo"))
    }
    systems = arena_systems(models, tokenizer, QUESTIONS, seed=0)
    assert len(systems) == 12
    assert all(len(answers) == len(QUESTIONS) for answers in systems.values())
    assert systems["sft + filler"] == [a + FILLER for a in systems["sft"]]
    assert systems["sft, temperature 1.0"] != systems["sft"]
    again = arena_systems(models, tokenizer, QUESTIONS, seed=0)
    assert again == systems, "the seed decides the samples"
    assert CHAT.end in tokenizer.special_tokens
