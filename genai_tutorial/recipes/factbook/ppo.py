"""The recipe for the assistant trained on preferences: a reward model and PPO."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from genai_tutorial.alignment import (
    LearningSettings,
    answer_pairs,
    encode_pairs,
    encode_prompt,
    judge_reward_model,
    learn_by_ppo,
    sample_answers,
    train_reward_model,
)
from genai_tutorial.data import Source, load_absent, load_fact_split, load_facts
from genai_tutorial.tasks.assistant import (
    CHAT,
    MAX_ANSWER_TOKENS,
    Comparison,
    GoldRule,
    Question,
    chat_answers,
    collect_comparisons,
    contrasting_answers,
    measure_behaviour,
    mixed_questions,
    questions_of_all_categories,
    random_raters,
    split_by_question,
    wins,
)
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from ..decoder import DecoderRecipe
from ..files import load_recipe
from ..options import TextOptions
from ..recipe import RunSettings, Trained
from ..spot_check import SpotCheck, draw_items
from .corpus import SOURCE, TOKENIZER_FILE
from .sft import FACTBOOK_SFT

N_EVAL_QUESTIONS = 960
"""The number of held-out questions that the card's metrics are measured on."""


@dataclass(frozen=True, kw_only=True)
class FeedbackRecipe(DecoderRecipe):
    """The assistant after PPO with a reward model."""

    questions: int
    answers: int
    pairs: int
    raters: int
    budget: int
    held_out: float
    reward_steps: int
    learning_rate: float
    kl_weight: float
    kl_target: float | None

    source: ClassVar[Source] = SOURCE
    tokenizer_file: ClassVar[str] = TOKENIZER_FILE

    @property
    def options(self) -> TextOptions:
        """Those of the assistant."""
        return FACTBOOK_SFT.options

    def compare(
        self, assistant: DecoderLM, tokenizer: BPETokenizer
    ) -> tuple[Comparison, ...]:
        """Return comparisons of the assistant's own answers and contrasting answers to
        training questions.
        """
        asked = questions_of_all_categories(self.questions, "trained", self.seed)
        generator = torch.Generator().manual_seed(self.seed)
        written = sample_answers(
            assistant,
            tokenizer,
            CHAT,
            [question.text for question in asked],
            self.answers,
            MAX_ANSWER_TOKENS,
            generator,
        )
        others = contrasting_answers(asked, load_facts(), self.seed)
        candidates = [own + more for own, more in zip(written, others, strict=True)]
        raters = random_raters(self.raters, GoldRule(load_facts()), self.seed)
        return collect_comparisons(
            answer_pairs(asked, candidates, self.pairs, generator),
            raters,
            self.budget,
            self.seed,
        )

    def fit(self, run: RunSettings) -> Trained:
        """Train a reward model and then the policy."""
        started = time.perf_counter()
        assistant, tokenizer = load_recipe(FACTBOOK_SFT)
        comparisons = self.compare(assistant, tokenizer)
        training, held_out = (
            encode_pairs(CHAT, tokenizer, [comparison.pair for comparison in part])
            for part in split_by_question(comparisons, self.held_out, self.seed)
        )
        assistant.to(run.device)
        reward_model = train_reward_model(
            assistant,
            training,
            self.reward_steps,
            seed=self.seed,
            progress=run.progress,
        )
        report = judge_reward_model(reward_model, held_out)
        asked = questions_of_all_categories(self.questions, "trained", self.seed + 1)
        policy, history = learn_by_ppo(
            assistant,
            reward_model,
            [encode_prompt(CHAT, tokenizer, question.text) for question in asked],
            lambda rollouts: reward_model.score(
                rollouts.ids, rollouts.lengths
            ).detach(),
            LearningSettings(
                run.steps,
                self.batch_size,
                MAX_ANSWER_TOKENS,
                self.learning_rate,
                kl_weight=self.kl_weight,
                kl_target=self.kl_target,
            ),
            end_token=tokenizer.special_tokens[CHAT.end],
            seed=self.seed,
            progress=run.progress,
        )
        notes = {
            "reward_model": {
                "accuracy": round(report.accuracy, 4),
                "calibration_error": round(report.calibration_error, 4),
            },
            "scores": [round(step.score, 4) for step in history],
            "kl": [round(step.kl, 4) for step in history],
            "tokenizer": tokenizer.to_dict(),
        }
        return Trained(policy, time.perf_counter() - started, notes)

    def measure(self, model: DecoderLM) -> dict:
        """Return the model's behaviour on held-out questions of each category, and its
        win rate over the assistant.
        """
        rule = GoldRule(load_facts())
        measured: dict[str, dict[str, float]] = {}
        won: list[float] = []
        for category, asked in self._held_out_questions().items():
            new, old = answer_both(model, asked)
            for name, value in vars(measure_behaviour(rule, asked, new)).items():
                measured.setdefault(name, {})[category] = round(value, 4)
            won += wins(rule, asked, new, old)
        return {"win_rate_over_factbook_sft": round(sum(won) / len(won), 4)} | measured

    def spot_check(
        self, loaded: tuple[DecoderLM, BPETokenizer], n: int, seed: int
    ) -> SpotCheck:
        """Measure the win rate over the assistant."""
        by_category = self._held_out_questions().values()
        asked = draw_items([each for asked in by_category for each in asked], n, seed)
        new, old = answer_both(loaded[0], asked)
        return SpotCheck(
            "win_rate_over_factbook_sft", wins(GoldRule(load_facts()), asked, new, old)
        )

    def _held_out_questions(self) -> dict[str, list[Question]]:
        return mixed_questions(
            load_fact_split(), load_absent(), N_EVAL_QUESTIONS, "held-out", self.seed
        )

    def summary(self, metrics: dict) -> str:
        """Return the win rate as a phrase."""
        rate = metrics["win_rate_over_factbook_sft"]
        return f"a win rate over factbook-sft of {rate:.0%}; ties count half"

    def write(
        self, loaded: tuple[DecoderLM, BPETokenizer], options: TextOptions, seed: int
    ) -> str:
        """Return the answer to the prompt, as the assistant's recipe does."""
        return FACTBOOK_SFT.write(loaded, options, seed)


def answer_both(
    model: DecoderLM, asked: Sequence[Question]
) -> tuple[list[str], list[str]]:
    """Return the answers of a model and those of the assistant."""
    assistant, tokenizer = load_recipe(FACTBOOK_SFT)
    texts = [question.text for question in asked]
    new, old = (
        chat_answers(chat_model, tokenizer, CHAT, texts, MAX_ANSWER_TOKENS)
        for chat_model in (model, assistant)
    )
    return new, old


FACTBOOK_PPO = FeedbackRecipe(
    name="factbook-ppo",
    title="The assistant after PPO with a reward model of simulated raters",
    config=FACTBOOK_SFT.config,
    questions=1200,
    answers=4,
    pairs=4,
    raters=5,
    budget=4500,
    held_out=0.1,
    reward_steps=240,
    steps=48,
    batch_size=64,
    learning_rate=2e-4,
    kl_weight=0.1,
    kl_target=None,
    published=True,
)
"""The model that chapter 14 compares with its own short training run."""
