"""The recipe for the assistant: the base model after supervised fine-tuning on
demonstrations.
"""

from dataclasses import dataclass
from typing import ClassVar

from genai_tutorial.alignment import supervised_loss
from genai_tutorial.data import Source, load_absent, load_fact_split
from genai_tutorial.tasks.assistant import (
    CHAT,
    MAX_ANSWER_TOKENS,
    N_EXAM_QUESTIONS,
    AnswerForm,
    Demonstration,
    demonstrate,
    encode_demonstrations,
    exact_match_rate,
    exact_matches,
    exam_questions,
    training_questions,
)
from genai_tutorial.tokenization import BPETokenizer, Message
from genai_tutorial.training import AdamW, parallel
from genai_tutorial.transformer import DecoderLM

from ..decoder import DecoderRecipe, continue_text
from ..files import load_recipe
from ..options import TextOptions
from ..recipe import RunSettings, Trained
from ..spot_check import SpotCheck, draw_items
from .base import FACTBOOK_BASE
from .corpus import SOURCE, TOKENIZER_FILE


@dataclass(frozen=True, kw_only=True)
class AssistantRecipe(DecoderRecipe):
    """The base model after supervised fine-tuning on demonstrations."""

    form: AnswerForm
    per_fact: int
    unknown: int
    private: int
    learning_rate: float
    warmup_steps: int = 10

    source: ClassVar[Source] = SOURCE
    tokenizer_file: ClassVar[str] = TOKENIZER_FILE

    @property
    def options(self) -> TextOptions:
        """The most likely answer."""
        return TextOptions(
            prompt="What is the capital of Kenya?",
            temperature=0,
            tokens=MAX_ANSWER_TOKENS,
        )

    def demonstrations(self) -> tuple[Demonstration, ...]:
        """Return the demonstrations of the fine-tuning."""
        asked = training_questions(
            load_fact_split(),
            load_absent(),
            per_fact=self.per_fact,
            unknown=self.unknown,
            private=self.private,
            seed=self.seed,
        )
        return demonstrate(asked, self.seed, self.form)

    def fit(self, run: RunSettings) -> Trained:
        """Fine-tune the base model, or resume a run that was stopped."""
        model, tokenizer = load_recipe(FACTBOOK_BASE)
        model.to(run.device).train()
        rows = encode_demonstrations(
            tokenizer, self.demonstrations(), self.config.context_length
        )
        _, history = run.fit(
            parallel(model),
            run.batches(rows.tensors, self.batch_size, self.seed),
            supervised_loss,
            AdamW(model.parameters(), lr=self.learning_rate),
            schedule=self.schedule(),
        )
        losses = [round(loss, 4) for loss in history.losses[::10]]
        return Trained(
            model, history.seconds, {"losses": losses, "tokenizer": tokenizer.to_dict()}
        )

    def measure(self, model: DecoderLM) -> dict:
        """Return the share of exact matches in held-out phrasings, for each part of the
        facts.
        """
        _, tokenizer = load_recipe(FACTBOOK_BASE)
        split = load_fact_split()
        questions = {
            part: exam_questions(getattr(split, part))
            for part in ("taught", "told", "new_relations", "withheld")
        }
        return {
            "exact_match_on_held_out_phrasings": {
                part: round(exact_match_rate(model, tokenizer, asked), 4)
                for part, asked in questions.items()
            },
            "questions_each": N_EXAM_QUESTIONS,
        }

    def spot_check(
        self, loaded: tuple[DecoderLM, BPETokenizer], n: int, seed: int
    ) -> SpotCheck:
        """Measure the exact matches on taught facts."""
        asked = draw_items(exam_questions(load_fact_split().taught), n, seed)
        return SpotCheck(
            "exact_match_on_held_out_phrasings.taught", exact_matches(*loaded, asked)
        )

    def summary(self, metrics: dict) -> str:
        """Return a phrase with the share of exact matches on told facts."""
        told = metrics["exact_match_on_held_out_phrasings"]["told"]
        return f"{told:.0%} exact answers about countries that no demonstration names"

    def write(
        self, loaded: tuple[DecoderLM, BPETokenizer], options: TextOptions, seed: int
    ) -> str:
        """Return the answer to the prompt."""
        tokenizer = loaded[1]
        ids = CHAT.encode(tokenizer, [Message("user", options.prompt)])
        end = tokenizer.special_tokens[CHAT.end]
        return continue_text(loaded, ids, options, seed, [end]).strip()


FACTBOOK_SFT = AssistantRecipe(
    name="factbook-sft",
    title=(
        "The base model after supervised fine-tuning: it answers questions about "
        "countries"
    ),
    config=FACTBOOK_BASE.config,
    form="sentence",
    per_fact=4,
    unknown=60,
    private=40,
    steps=400,
    batch_size=8,
    learning_rate=1e-3,
    published=True,
)
"""The model that chapter 13 makes and chapter 14 begins with."""
