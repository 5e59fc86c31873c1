"""SmolLM2 answers from passages about countries that do not exist."""

import pytest

from genai_tutorial.retrieval import ChatModel, answer_or_abstain, query_likelihood
from genai_tutorial.tokenization import SMOLLM2_CHAT

pytestmark = pytest.mark.slow

PASSAGES = [
    "The currency of Zelvania is the talon.",
    "The capital of Zelvania is Ombrosk.",
    "The highest point of Zelvania is Mount Hrun.",
]


def test_smollm2_answers_from_the_passage_and_cites_it(smollm2):
    chat = ChatModel(*smollm2, SMOLLM2_CHAT)
    question = "What is the capital of Zelvania?"
    answered = answer_or_abstain(chat, question, PASSAGES, 1.0, threshold=0.5)
    assert "Ombrosk" in answered.text
    assert answered.citations == (2,)


def test_question_is_likeliest_after_its_passage(smollm2):
    scores = query_likelihood(*smollm2, "Which city is the capital?", PASSAGES)
    assert int(scores.argmax()) == 1
