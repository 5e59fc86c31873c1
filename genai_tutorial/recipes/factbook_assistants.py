"""The recipes for the assistants: the base model after supervised fine-tuning on
demonstrations, and after PPO with a reward model.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.alignment import (
    LearningSettings,
    answer_pairs,
    encode_pairs,
    encode_prompt,
    judge_reward_model,
    learn_by_ppo,
    sample_answers,
    supervised_loss,
    train_reward_model,
)
from genai_tutorial.data import load_absent, load_fact_split, load_facts
from genai_tutorial.tasks.assistant import (
    CHAT,
    MAX_ANSWER_TOKENS,
    N_EXAM_QUESTIONS,
    AnswerForm,
    Comparison,
    Demonstration,
    GoldRule,
    Question,
    chat_answers,
    collect_comparisons,
    contrasting_answers,
    demonstrate,
    encode_demonstrations,
    exact_match_rate,
    exact_matches,
    exam_questions,
    measure_behaviour,
    mixed_questions,
    questions_of_all_categories,
    random_raters,
    split_by_question,
    training_questions,
    wins,
)
from genai_tutorial.tokenization import BPETokenizer, Message
from genai_tutorial.training import AdamW
from genai_tutorial.transformer import DecoderLM

from .factbook import FACTBOOK_BASE, FactbookRecipe
from .recipe import RunSettings, Trained, draw_items, load_recipe
from .sampling import LoadedDecoder, TextOptions, continue_text


@dataclass(frozen=True, kw_only=True)
class AssistantRecipe(FactbookRecipe):
    """The base model after supervised fine-tuning on demonstrations."""

    form: AnswerForm
    per_fact: int
    unknown: int
    private: int
    learning_rate: float
    warmup_steps: int = 10

    options = TextOptions(
        prompt="What is the capital of Kenya?", temperature=0, tokens=MAX_ANSWER_TOKENS
    )
    metric = "exact_match_on_held_out_phrasings.taught"
    in_words = (
        "{exact_match_on_held_out_phrasings[told]:.0%} exact answers about countries "
        "that no demonstration names"
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
        model, tokenizer = load_recipe(FACTBOOK_BASE)
        model.to(run.device).train()
        rows = encode_demonstrations(
            tokenizer, self.demonstrations(), self.config.context_length
        )
        return run.fit(
            self,
            model,
            run.batches(self, *rows.tensors),
            supervised_loss,
            AdamW(model.parameters(), lr=self.learning_rate),
            losses_every=10,
            notes={"tokenizer": tokenizer.to_dict()},
        )

    def measure(self, model: DecoderLM) -> dict:
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

    def score(self, loaded: LoadedDecoder, n: int, seed: int) -> list:
        asked = draw_items(exam_questions(load_fact_split().taught), n, seed)
        return exact_matches(*loaded, asked)

    def write(self, loaded: LoadedDecoder, options: TextOptions, seed: int) -> str:
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
)
"""The model that chapter 13 makes and chapter 14 begins with."""


N_EVAL_QUESTIONS = 960
"""The number of held-out questions that the card's metrics are measured on."""


@dataclass(frozen=True, kw_only=True)
class FeedbackRecipe(FactbookRecipe):
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

    options = FACTBOOK_SFT.options
    metric = "win_rate_over_factbook_sft"
    in_words = (
        "a win rate over factbook-sft of {win_rate_over_factbook_sft:.0%}; ties count "
        "half"
    )

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
        rule = GoldRule(load_facts())
        measured: dict[str, dict[str, float]] = {}
        won: list[float] = []
        for category, asked in self._held_out_questions().items():
            new, old = answer_both(model, asked)
            for name, value in vars(measure_behaviour(rule, asked, new)).items():
                measured.setdefault(name, {})[category] = round(value, 4)
            won += wins(rule, asked, new, old)
        return {"win_rate_over_factbook_sft": round(sum(won) / len(won), 4)} | measured

    def score(self, loaded: LoadedDecoder, n: int, seed: int) -> list:
        by_category = self._held_out_questions().values()
        asked = draw_items([each for asked in by_category for each in asked], n, seed)
        new, old = answer_both(loaded[0], asked)
        return wins(GoldRule(load_facts()), asked, new, old)

    def _held_out_questions(self) -> dict[str, list[Question]]:
        return mixed_questions(
            load_fact_split(), load_absent(), N_EVAL_QUESTIONS, "held-out", self.seed
        )

    write = FACTBOOK_SFT.write


def answer_both(
    model: DecoderLM, asked: Sequence[Question]
) -> tuple[list[str], list[str]]:
    """Return the answers of a model and of the assistant."""
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
)
"""The model that chapter 14 compares with its own short training run."""
