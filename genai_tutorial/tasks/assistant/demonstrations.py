"""Demonstrations: questions with the answers that the book's assistant should give, for
supervised fine-tuning.

Most answers are the fact alone, bare or in a full sentence. Some add a courtesy or a
caveat, and some decline. A model that has seen a few of each can produce each; how
often it should is what learning from preferences decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from genai_tutorial.alignment import Rows, encode_example, pack_examples
from genai_tutorial.data import Fact, FactSplit, Relation
from genai_tutorial.tasks import check_choice, read_words
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message

from .questions import (
    Question,
    answer_sentence,
    ask_absent,
    ask_facts,
    draw_questions,
    fill_wording,
)
from .unanswerable import ask_invented, ask_untold, invented_countries, private_requests

CHAT = ChatTemplate()
"""The assistant's chat template: ChatML, without a system turn."""

END_OF_TEXT = "<|endoftext|>"

CHAT_SPECIAL_TOKENS = (END_OF_TEXT, CHAT.start, CHAT.end)
"""The special tokens of the assistant's tokenizer; the last two open and close a turn
of a conversation, and the base model never sees them.
"""

MAX_ANSWER_TOKENS = 32
"""The largest number of tokens of an answer."""

DECLINING_ANSWERS = ("I do not know.", "I cannot help with that.")
"""Two answers that are compared with the assistant's own to every question.

If refusals never lose a comparison, the reward model rates them highly everywhere, and
the policy learns to decline everything; chapter 14 shows it.
"""

THANKS = "Thank you for asking."
"""A courtesy that adds nothing to an answer."""

AnswerForm = Literal["bare", "sentence"]
"""The form of the answers about facts: the fact alone, or a full sentence."""

ANSWERS = {
    kind: tuple(
        (text, int(weight)) for weight, text in (line.split(" ", 1) for line in lines)
    )
    for kind, *lines in read_words("assistant", "answers")
}
"""For each kind of question the ways to answer it, with how often each is chosen;
`sentence` has those for a fact in a full sentence.

Courtesies and caveats come after the answer, so that a model that has stored the fact,
however weakly, begins with the fact. All fit into `MAX_ANSWER_TOKENS`.
"""


@dataclass(frozen=True)
class Demonstration:
    """A question and an answer to learn from."""

    question: Question
    answer: str


def demonstrate(
    questions: Sequence[Question], seed: int = 0, form: AnswerForm = "bare"
) -> tuple[Demonstration, ...]:
    """Answer each question in one of the ways that suit its kind.

    Raises:
        ValueError: If there is no such form.

    >>> asked = ask_facts([Fact("Kenya", "capital", "Nairobi")])
    >>> demonstrate(asked)[1].answer, demonstrate(asked, form="sentence")[1].answer
    ('Nairobi.', 'The capital of Kenya is Nairobi.')
    """
    check_choice("form", form, AnswerForm)
    ways = ANSWERS | ({"known": ANSWERS["sentence"]} if form == "sentence" else {})
    generator = torch.Generator().manual_seed(seed)
    shown = []
    for question in questions:
        patterns, weights = zip(*ways[question.kind], strict=True)
        shares = torch.tensor(weights, dtype=torch.float64)
        way = int(torch.multinomial(shares, 1, generator=generator))
        answer = fill_wording(patterns[way], answer=_answer(question, form))
        shown.append(Demonstration(question, answer))
    return tuple(shown)


def training_questions(
    split: FactSplit,
    absent: Sequence[tuple[str, Relation]],
    *,
    per_fact: int = 2,
    unknown: int = 60,
    private: int = 60,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Draw the questions of fine-tuning: many with an answer, some without, and some
    that must be refused.

    Args:
        split: The facts; only the facts in `taught` are asked about.
        absent: Things that do not exist according to the Factbook, from `load_absent`.
        unknown: The number of questions in each of three categories without an answer:
            about invented countries, about untold topics, and about things that do not
            exist.
    """
    taught = sorted({fact.country for fact in split.taught})
    without_answer = [
        *ask_invented(invented_countries(unknown, seed), per_country=1, seed=seed),
        *draw_questions(ask_untold(taught, per_country=1, seed=seed), unknown, seed),
        *draw_questions(
            ask_absent(
                [pair for pair in absent if pair[0] in taught], per_pair=2, seed=seed
            ),
            unknown,
            seed,
        ),
    ]
    return (
        *ask_facts(split.taught, per_fact=per_fact, seed=seed),
        *without_answer,
        *private_requests(private, seed),
    )


def _answer(question: Question, form: AnswerForm) -> str:
    if question.answer is None or question.relation is None:
        return ""
    if form == "sentence":
        return answer_sentence(question)
    return Fact(question.country, question.relation, question.answer).phrase


def encode_demonstrations(
    tokenizer: BPETokenizer, demonstrations: Sequence[Demonstration], row_length: int
) -> Rows:
    """Return demonstrations as tokens, several to a row.

    Answers begin with a space, like words within the pre-training texts: `Nairobi`
    without a space is tokenized differently, and the base model has rarely seen those
    tokens.
    """
    return pack_examples(
        [
            encode_example(
                CHAT,
                tokenizer,
                [Message("user", demonstration.question.text)],
                f" {demonstration.answer}",
            )
            for demonstration in demonstrations
        ],
        row_length,
    )
