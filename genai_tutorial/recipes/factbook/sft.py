"""The recipe of the assistant: the base model, taught by demonstrations to answer
questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from genai_tutorial.alignment import (
    Rows,
    encode_example,
    pack_examples,
    supervised_loss,
)
from genai_tutorial.data import load_absent, load_facts, split_facts
from genai_tutorial.data.factbook.facts import FactSplit
from genai_tutorial.data.source import Source
from genai_tutorial.recipes.decoder import DecoderRecipe, continue_text
from genai_tutorial.recipes.factbook.base import FACTBOOK_BASE
from genai_tutorial.recipes.factbook.corpus import SOURCE
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.tasks.assistant import chat_answers, exact_match
from genai_tutorial.tasks.assistant.demonstrations import (
    Demonstration,
    demonstrate,
    training_questions,
)
from genai_tutorial.tasks.assistant.questions import Question, ask_facts
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.training import AdamW, TensorBatches, fit, parallel, warmup_linear
from genai_tutorial.transformer import DecoderConfig, DecoderLM

CHAT = ChatTemplate()
"""How the assistant reads a conversation: ChatML, without a system turn."""

LONGEST_ANSWER = 32
"""How many tokens an answer may have."""

EXAMINED = 300
"""How many questions of each kind judge a model on its card."""


@dataclass(frozen=True)
class AssistantRecipe(DecoderRecipe):
    """How the base model becomes an assistant.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The decoder's settings: those of the base model.
        per_fact: See `training_questions`, as for the next two.
        unknown: How many questions of each category without an answer.
        private: How many requests that it should refuse.
        steps: The number of batches.
        batch_size: The number of rows in a batch, each of several examples.
        learning_rate: AdamW's, after the warm-up; from there it falls to zero in a
            straight line.
        warmup_steps: How many steps it rises for.
        seed: Decides the demonstrations and the batches.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: DecoderConfig
    per_fact: int
    unknown: int
    private: int
    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 10
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE

    def demonstrations(self) -> tuple[Demonstration, ...]:
        """Return what the assistant learns from."""
        asked = training_questions(
            load_split(),
            load_absent(),
            per_fact=self.per_fact,
            unknown=self.unknown,
            private=self.private,
            seed=self.seed,
        )
        return demonstrate(asked, self.seed)

    def fit(self, settings: RunSettings) -> Trained:
        """Fine-tunes the base model, or goes on with a run that was stopped."""
        model, tokenizer = load_recipe(FACTBOOK_BASE)
        model.to(settings.device).train()
        rank, world_size = settings.process.rank, settings.process.world_size
        history = fit(
            parallel(model),
            TensorBatches(
                encode_demonstrations(
                    tokenizer, self.demonstrations(), self.config.context_length
                ).tensors,
                self.batch_size,
                self.seed,
                rank=rank,
                world_size=world_size,
            ),
            supervised_loss,
            AdamW(model.parameters(), lr=self.learning_rate),
            steps=settings.steps,
            schedule=warmup_linear(self.steps, self.warmup_steps).over(settings.steps),
            checkpoint=settings.checkpoint,
            progress=settings.progress,
        )
        losses = [round(loss, 4) for loss in history.losses[::10]]
        return Trained(
            model, history.seconds, {"losses": losses, "tokenizer": tokenizer.to_dict()}
        )

    def measure(self, model: DecoderLM) -> dict:
        """Return the exact matches on questions in words that no demonstration has,
        for each part of the facts.
        """
        _, tokenizer = load_recipe(FACTBOOK_BASE)
        split = load_split()
        parts = ("taught", "told", "new_relations", "withheld")
        return {
            "exact_match_on_held_out_phrasings": {
                part: round(
                    exact_matches(model, tokenizer, examine(getattr(split, part))), 4
                )
                for part in parts
            },
            "questions_each": EXAMINED,
        }

    def headline(self, metrics: dict) -> str:
        """Return the exact matches on facts of countries that no demonstration names,
        in words.
        """
        told = metrics["exact_match_on_held_out_phrasings"]["told"]
        return f"{told:.0%} exact answers about countries that no demonstration names"

    def write(
        self, loaded: tuple[DecoderLM, BPETokenizer], wishes: Wishes, seed: int
    ) -> str:
        """Return the answer to the prompt: the likeliest one, or what is wished.

        Raises:
            ValueError: If the prompt is empty, or a number is out of range.
        """
        prompt = (
            "What is the capital of Kenya?" if wishes.prompt is None else wishes.prompt
        )
        if not prompt:
            raise ValueError("The prompt is empty: ask a question.")
        asked = CHAT.encode(loaded[1], [Message("user", prompt)])
        return continue_text(
            loaded, asked, wishes, seed, CHAT.end, tokens=LONGEST_ANSWER, temperature=0
        ).strip()


def load_split() -> FactSplit:
    """Return the split of the facts that the base model was made with."""
    return split_facts(load_facts())


def encode_demonstrations(
    tokenizer: BPETokenizer, shown: Sequence[Demonstration], row_length: int
) -> Rows:
    """Return demonstrations as tokens, several to a row.

    Answers begin with a space, as all words inside the texts of pre-training do:
    `Nairobi` without one is other tokens than ` Nairobi`, and the base model hardly
    knows them.
    """
    return pack_examples(
        [
            encode_example(
                CHAT, tokenizer, [Message("user", one.question.text)], f" {one.answer}"
            )
            for one in shown
        ],
        row_length,
    )


def examine(facts: Sequence, count: int = EXAMINED, seed: int = 0) -> list[Question]:
    """Draws questions about facts, each in one phrasing that no demonstration has."""
    asked = ask_facts(facts, "held-out", per_fact=1, seed=seed)
    order = torch.randperm(len(asked), generator=torch.Generator().manual_seed(seed))
    return [asked[place] for place in order[:count].tolist()]


def exact_matches(
    model: DecoderLM, tokenizer: BPETokenizer, asked: Sequence[Question]
) -> float:
    """Return the share of questions about facts whose likeliest answer is the right
    one and nothing more.
    """
    answers = chat_answers(
        model, tokenizer, CHAT, [question.text for question in asked], LONGEST_ANSWER
    )
    right = [
        exact_match(answer, question.answer or "")
        for answer, question in zip(answers, asked, strict=True)
    ]
    return sum(right) / len(right)


FACTBOOK_SFT = AssistantRecipe(
    name="factbook-sft",
    title=(
        "The base model after supervised fine-tuning: it answers questions about "
        "countries"
    ),
    config=FACTBOOK_BASE.config,
    per_fact=4,
    unknown=20,
    private=20,
    steps=400,
    batch_size=8,
    learning_rate=1e-3,
    published=True,
)
"""The model that chapter 13 makes and chapter 14 begins with."""
