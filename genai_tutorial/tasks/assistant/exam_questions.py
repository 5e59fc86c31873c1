"""The questions that test the assistant: about facts in held-out phrasings, and mixed
from all categories.
"""

from collections.abc import Sequence

import torch

from genai_tutorial.data import Fact, load_absent, load_fact_split
from genai_tutorial.tasks.assistant.chat_format import CHAT, MAX_ANSWER_TOKENS
from genai_tutorial.tasks.assistant.exams import chat_answers
from genai_tutorial.tasks.assistant.gold_rule import exact_match
from genai_tutorial.tasks.assistant.mixed_questions import mixed_questions
from genai_tutorial.tasks.assistant.questions import Question, ask_facts
from genai_tutorial.tasks.assistant.wordings import Phrasing
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

N_EXAM_QUESTIONS = 300
"""The number of questions of each kind that are on a card."""


def exam_questions(
    facts: Sequence[Fact], count: int = N_EXAM_QUESTIONS, seed: int = 0
) -> list[Question]:
    """Draw questions about facts, each in one phrasing that no demonstration has."""
    asked = ask_facts(facts, "held-out", per_fact=1, seed=seed)
    order = torch.randperm(len(asked), generator=torch.Generator().manual_seed(seed))
    return [asked[place] for place in order[:count].tolist()]


def exact_match_rate(
    model: DecoderLM, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> float:
    """Return the share of questions about facts whose likeliest answer is the right one
    and nothing more.
    """
    matches = exact_matches(model, tokenizer, questions)
    return sum(matches) / len(matches)


def exact_matches(
    model: DecoderLM, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> list[bool]:
    """Say of each question about facts whether the likeliest answer is the right one
    and nothing more.
    """
    texts = [question.text for question in questions]
    answers = chat_answers(model, tokenizer, CHAT, texts, MAX_ANSWER_TOKENS)
    return [
        exact_match(answer, question.answer or "")
        for answer, question in zip(answers, questions, strict=True)
    ]


def questions_of_all_categories(
    count: int, phrasing: Phrasing, seed: int
) -> list[Question]:
    """Return questions of every category, one category after the other; see
    `mixed_questions`.
    """
    drawn = mixed_questions(load_fact_split(), load_absent(), count, phrasing, seed)
    return [question for questions in drawn.values() for question in questions]
