"""Tests of a language model's knowledge: facts that it completes, and questions that it
answers, drawn in held-out phrasings or mixed from all categories.
"""

from collections.abc import Iterable, Sequence

from genai_tutorial.data import Fact, load_absent, load_fact_split
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

from .demonstrations import CHAT, MAX_ANSWER_TOKENS
from .gold_rule import exact_match, normalize_answer
from .questions import (
    WORDINGS,
    Phrasing,
    Question,
    answer_sentence,
    ask_facts,
    draw_questions,
    fill_wording,
)
from .unanswerable import mixed_questions

BATCH_SIZE = 256  # prompts answered at once, grouped by length


def likeliest_texts(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    end_token: int,
) -> list[str]:
    """Continue each prompt by greedy decoding, until the end token or the limit.

    Returns:
        The texts in the order of the prompts, without the token that ends them.
    """
    by_length = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    texts = [""] * len(prompts)
    for start in range(0, len(by_length), BATCH_SIZE):
        places = by_length[start : start + BATCH_SIZE]
        batch = [prompts[place] for place in places]
        rollouts = generate_rollouts(
            model, batch, max_new_tokens, end_token=end_token, temperature=0
        )
        for place, answer in zip(places, rollouts.answers(), strict=True):
            texts[place] = tokenizer.decode(answer)
    return texts


def complete_facts(
    model: DecoderLM, tokenizer: BPETokenizer, facts: Iterable[Fact], end_token: int
) -> list[bool]:
    """Return for each fact whether the model completes its plainest sentence, "The
    capital of Kenya is", with the answer.

    The answer must come at once, and nothing may follow that turns it into a longer
    name. A special token ends the sentence like a full stop, because a fine-tuned model
    ends its turn there.
    """
    facts = list(facts)
    begun = [
        tokenizer.encode(
            fill_wording(WORDINGS[fact.relation].noun + " is", fact.country)
        )
        for fact in facts
    ]
    longest = 2 + max(len(tokenizer.encode(f" {fact.phrase}")) for fact in facts)
    texts = likeliest_texts(model, tokenizer, begun, longest, end_token)
    return [
        normalize_answer(text.partition("<|")[0].partition(". ")[0])
        == normalize_answer(fact.phrase)
        for fact, text in zip(facts, texts, strict=True)
    ]


def chat_answers(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    template: ChatTemplate,
    questions: Sequence[str],
    max_new_tokens: int = 24,
) -> list[str]:
    """Ask a chat model each question separately and return its most probable answers,
    cut off after `max_new_tokens` and without surrounding spaces.
    """
    prompts = [
        template.encode(tokenizer, [Message("user", question)])
        for question in questions
    ]
    end = tokenizer.special_tokens[template.end]
    return [
        text.strip()
        for text in likeliest_texts(model, tokenizer, prompts, max_new_tokens, end)
    ]


N_EXAM_QUESTIONS = 300
"""The number of questions of each kind that are on a card."""


def exam_questions(
    facts: Sequence[Fact], count: int = N_EXAM_QUESTIONS, seed: int = 0
) -> list[Question]:
    """Draw questions about facts, each in one phrasing that no demonstration uses."""
    asked = ask_facts(facts, "held-out", per_fact=1, seed=seed)
    return draw_questions(asked, count, seed)


def exact_match_rate(
    model: DecoderLM, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> float:
    """Return the share of questions about facts that `exact_matches` counts."""
    matches = exact_matches(model, tokenizer, questions)
    return sum(matches) / len(matches)


def exact_matches(
    model: DecoderLM, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> list[bool]:
    """Return for each question about a fact whether the most likely answer is exact;
    see `is_exact`.
    """
    texts = [question.text for question in questions]
    answers = chat_answers(model, tokenizer, CHAT, texts, MAX_ANSWER_TOKENS)
    return list(map(is_exact, questions, answers))


def is_exact(question: Question, answer: str) -> bool:
    """Return whether an answer to a question about a fact is the right one and nothing
    more: bare, or in the plainest sentence that states it.

    >>> asked = Question("Kenya's domain?", "known", "Kenya", "domain", ".ke")
    >>> is_exact(asked, ".ke."), is_exact(asked, "The internet domain of Kenya is .ke.")
    (True, True)
    >>> is_exact(asked, "It is .ke, I think."), is_exact(asked, "Its domain is .ke.")
    (False, False)
    """
    if question.answer is None:
        return False
    return exact_match(answer, question.answer) or exact_match(
        answer, answer_sentence(question)
    )


def questions_of_all_categories(
    count: int, phrasing: Phrasing, seed: int
) -> list[Question]:
    """Return questions of every category, one category after the other; see
    `mixed_questions`.
    """
    drawn = mixed_questions(load_fact_split(), load_absent(), count, phrasing, seed)
    return [question for questions in drawn.values() for question in questions]
