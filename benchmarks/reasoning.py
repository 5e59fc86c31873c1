"""Chapter 15's studies of reasoning, on several seeds: four ways to write an answer,
votes and best-of-n, and reinforcement learning from verifiable rewards. All of them are
about sums; `products` repeats two of the ways on products of two numbers, and rewards a
model that has half learned both ways at once. `filtered` compares GRPO with its
simplest opponent, fine-tuning on the answers that the verifier accepts.

    # everything, then one study only
    python benchmarks/reasoning.py --folder FOLDER --seeds 0 1 2 3 4
    python benchmarks/reasoning.py --folder FOLDER --seeds 0 1 2 3 4 --study products

Finished parts are kept in the folder, so a run that was stopped continues, and several
runs with different seeds can share it. With `--runs-only` nothing is recorded. A study
that is not run keeps its place in the record, which names the machine that it began on.

A seed decides the training questions, the initialization, the order of the examples and
everything that is sampled; all models answer the same held-out questions.
"""

import json
import math
import random
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from finished import command_line, kept
from torch import Tensor

from genai_tutorial.alignment import (
    DAPO,
    GRPO,
    RLOO,
    DrGRPO,
    ExactAnswer,
    Example,
    GroupMethod,
    GRPOSettings,
    Verifier,
    appears_anywhere,
    learn_by_grpo,
    pad_examples,
    supervised_loss,
)
from genai_tutorial.generation import (
    SampledAnswer,
    accuracy_per_tokens,
    best_of_samples,
    generate_rollouts,
    self_consistency,
    weighted_vote,
)
from genai_tutorial.recipes import ARITHMETIC_REASONER
from genai_tutorial.runtime import describe_machine, keep_record, record
from genai_tutorial.tasks.arithmetic import (
    ARITHMETIC_TOKENIZER,
    END_TOKEN,
    MAX_SUM_TOKENS,
    AnswerFormat,
    ArithmeticQuestion,
    answer_texts,
    backward_scratchpad,
    backwards,
    correct_answers,
    direct,
    encode_examples,
    encode_questions,
    random_products,
    random_sums,
    report_answers,
    sampled_answers,
    scratchpad,
)
from genai_tutorial.training import AdamW, Schedule, TensorBatches, build_optimizer, fit
from genai_tutorial.transformer import DecoderLM

FORMATS: dict[str, AnswerFormat] = {
    "direct": direct,
    "backwards": backwards,
    "scratchpad": scratchpad,
    "both": backward_scratchpad,
}
CONFIG, OPTIMIZER = ARITHMETIC_REASONER.config, ARITHMETIC_REASONER.optimizer
GRPO_RATE = 2e-4


class Budget:
    """The sizes of everything."""

    questions = 20_000
    steps = 340
    batch_size = 48
    terse_steps = 30
    terse_rate = 1e-4
    terse_worked = 0.25
    hedging_steps = 60
    hedging_rate = 2e-4
    grpo_steps = 20
    hack_steps = 20
    product_steps = 300
    product_batch_size = 64
    mixed_steps = 240
    judged = 200
    sampled = 60
    samples = 16


class Smoke(Budget):
    """The sizes of a quick try."""

    questions = 500
    steps = 12
    terse_steps = 2
    hedging_steps = 2
    grpo_steps = 2
    hack_steps = 2
    product_steps = 12
    mixed_steps = 12
    judged = 20
    sampled = 6


def train(
    questions: Sequence[ArithmeticQuestion],
    ways: Sequence[AnswerFormat],
    steps: int,
    batch_size: int,
    seed: int,
    judge: Callable[[DecoderLM], float],
) -> tuple[DecoderLM, list]:
    """Train a model on one way to write an answer, or on several by turns, judged at
    five places.
    """
    model, parts = DecoderLM(CONFIG, seed), len(ways)
    rows = pad_examples(
        [
            example
            for part, write in enumerate(ways)
            for example in encode_examples(questions[part::parts], write)
        ]
    )
    history = fit(
        model,
        TensorBatches(rows.tensors[:2], batch_size, seed),
        supervised_loss,
        build_optimizer(model, OPTIMIZER),
        steps=steps,
        schedule=Schedule(steps, warmup_steps=10, decay="linear"),
        evaluate=judge,
        evaluate_every=max(1, steps // 5),
        progress=False,
    )
    points = [[point.step, round(point.value, 4)] for point in history.evaluations]
    return model.eval(), points


def hedged(question: ArithmeticQuestion) -> str:
    """Write two to four guesses near the answer: a habit that says much and commits to
    nothing.
    """
    source = random.Random(question.text)
    near = range(max(0, question.answer - 30), question.answer + 31)
    return ",".join(map(str, source.sample(near, source.randint(2, 4))))


def fine_tune(
    model: DecoderLM,
    seed: int,
    budget: type[Budget],
    common: AnswerFormat,
    rare: AnswerFormat,
    rare_share: float,
    steps: int,
    rate: float,
) -> DecoderLM:
    """Teach a copy of a model to answer in one way often and in another rarely."""
    policy = DecoderLM(CONFIG, seed)
    policy.load_state_dict(model.state_dict())
    size = steps * budget.batch_size
    questions = random_sums(size, seed + 100)
    cut = round(rare_share * size)
    examples = [
        *encode_examples(questions[:cut], rare),
        *encode_examples(questions[cut:], common),
    ]
    fit(
        policy,
        TensorBatches(pad_examples(examples).tensors[:2], budget.batch_size, seed),
        supervised_loss,
        AdamW(policy.parameters(), lr=rate),
        steps=steps,
        progress=False,
    )
    return policy.eval()


class Accepted:
    """Rejection sampling: the likelihood of the accepted answers of each step, without
    a baseline, a ratio or a clip.
    """

    def advantages(self, scores: Tensor) -> Tensor:
        """Return the scores: 1 for an accepted answer, 0 for any other."""
        return scores

    def loss(
        self, log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, mask: Tensor
    ) -> Tensor:
        """Return the mean loss of the accepted answers' tokens."""
        kept = advantages[:, None] * mask
        return -(log_probs * kept).sum() / kept.sum().clamp(min=1)


class Study:
    """All parts of one seed, for sums."""

    draw = staticmethod(random_sums)
    prefix = ""

    def __init__(self, budget: type[Budget], folder: Path, seed: int):
        self.budget, self.folder, self.seed = budget, folder, seed
        self.judged = self.draw(budget.judged, 1000, held_out=True)
        self.asked = self.judged[: budget.sampled]
        self.learning = self.draw(2000, seed + 200)
        self.models: dict[str, DecoderLM] = {}

    def train(self, ways: Sequence[AnswerFormat]) -> tuple[DecoderLM, list]:
        """Train a model, judged by the last way."""
        questions = self.draw(self.budget.questions, self.seed)
        steps, batch_size = self.budget.steps, self.budget.batch_size
        return train(
            questions,
            ways,
            steps,
            batch_size,
            self.seed,
            lambda model: self.greedy(model, ways[-1]),
        )

    def greedy(self, model: DecoderLM, write: AnswerFormat) -> float:
        """Return the share of right greedy answers to the held-out questions."""
        rollouts = generate_rollouts(
            model,
            encode_questions(self.judged),
            MAX_SUM_TOKENS,
            end_token=END_TOKEN,
            temperature=0,
        )
        is_backward = write in (backwards, backward_scratchpad)
        right = correct_answers(
            self.judged, answer_texts(rollouts), backwards=is_backward
        )
        return sum(right) / len(right)

    def model(self, name: str) -> DecoderLM:
        """Return a trained model; its part is kept, its weights are in the folder."""
        if name not in self.models:
            path = self.folder / f"{self.prefix}{name}-{self.seed}.pt"
            if path.exists():
                model = DecoderLM(CONFIG, None)
                model.load_state_dict(torch.load(path, weights_only=True))
            else:
                since = time.process_time()
                model, points = self.train([FORMATS[name]])
                part = {
                    "format": name,
                    "seed": self.seed,
                    "points": points,
                    "cpu_seconds": round(time.process_time() - since, 1),
                    "tokens": self.mean_tokens(model),
                }
                self.keep(f"{self.prefix}format-{name}", part)
                torch.save(model.state_dict(), path)
            self.models[name] = model.eval()
        return self.models[name]

    def keep(self, name: str, part: dict) -> None:
        """Write one part, and show it."""
        path = self.folder / f"{name}-{self.seed}.json"
        path.write_text(json.dumps(part), encoding="utf-8")
        print(path.stem, part, flush=True)

    def mean_tokens(self, model: DecoderLM) -> float:
        """Return the mean length of a greedy answer, its end included."""
        rollouts = generate_rollouts(
            model,
            encode_questions(self.judged),
            MAX_SUM_TOKENS,
            end_token=END_TOKEN,
            temperature=0,
        )
        return round(rollouts.mask.sum(dim=1).float().mean().item(), 2)

    def samples(self, model: DecoderLM, is_backward: bool) -> list[list[SampledAnswer]]:
        """Return several sampled answers to each question."""
        return sampled_answers(
            model,
            self.asked,
            self.budget.samples,
            backwards=is_backward,
            seed=self.seed,
        )

    def measure(self, model: DecoderLM, write: AnswerFormat) -> dict:
        """Return accuracy, habits and pass@k of a policy on held-out questions."""
        samples = self.samples(model, write in (backwards, backward_scratchpad))
        report = report_answers(samples, self.asked)
        texts = [sample.text for row in samples for sample in row]
        listed = sum("," in text and ";" not in text for text in texts) / len(texts)
        return {
            "greedy": round(self.greedy(model, write), 4),
            "sampled": round(report.sampled, 4),
            "vote": round(report.vote, 4),
            "worked": round(report.worked, 4),
            "listed": round(listed, 4),
            "tokens": round(report.tokens, 2),
            "pass_at": {k: round(share, 4) for k, share in report.pass_at.items()},
            "texts": texts[:6],
        }

    def votes(self) -> dict:
        """Return accuracy against tokens of every way to choose."""
        model = self.model("both")
        samples = self.samples(model, is_backward=True)
        truths = [question.answer for question in self.asked]
        counts = [1, 2, 4, 8, 16][: self.budget.samples.bit_length()]

        def by_log_prob(row):
            return best_of_samples(row, lambda sample: sample.log_prob)

        def by_probability(row):
            return weighted_vote(row, lambda sample: math.exp(sample.log_prob))

        ways = {
            "vote": self_consistency,
            "weighted vote": by_probability,
            "best by log-probability": by_log_prob,
        }
        curves = {
            name: [
                [point.n, round(point.accuracy, 4), round(point.tokens, 1)]
                for point in accuracy_per_tokens(samples, truths, choose, counts)
            ]
            for name, choose in ways.items()
        }
        report = report_answers(samples, self.asked)
        curves["best by verifier"] = [
            [k, round(report.pass_at[k], 4), round(k * report.tokens, 1)]
            for k in counts
        ]
        return {"curves": curves, "greedy": self.measure(model, backward_scratchpad)}

    @cached_property
    def terse(self) -> DecoderLM:
        """The model of `both`, with the habit of answering without working."""
        return fine_tune(
            self.model("both"),
            self.seed,
            self.budget,
            backwards,
            backward_scratchpad,
            self.budget.terse_worked,
            self.budget.terse_steps,
            self.budget.terse_rate,
        )

    @cached_property
    def hedging(self) -> DecoderLM:
        """The model of `direct`, with the habit of listing guesses in half of its
        answers.
        """
        return fine_tune(
            self.model("direct"),
            self.seed,
            self.budget,
            direct,
            hedged,
            0.5,
            self.budget.hedging_steps,
            self.budget.hedging_rate,
        )

    def learn(
        self,
        reference: DecoderLM,
        write: AnswerFormat,
        verifier: Verifier,
        *,
        method: GroupMethod | None = None,
        steps: int | None = None,
        rounds: int = 1,
        rate: float = GRPO_RATE,
    ) -> tuple[DecoderLM, dict]:
        """Train a policy; return it with its history and its measures."""
        truth = direct if write is direct else backwards
        since = time.process_time()
        policy, history = learn_by_grpo(
            reference,
            encode_questions(self.learning),
            [truth(question) for question in self.learning],
            verifier,
            GRPOSettings(
                steps or self.budget.grpo_steps,
                max_new_tokens=MAX_SUM_TOKENS,
                learning_rate=rate,
                sampling_rounds=rounds,
            ),
            decode=ARITHMETIC_TOKENIZER.decode,
            end_token=END_TOKEN,
            method=method or GRPO(),
            seed=self.seed,
            progress=False,
        )
        seconds = round(time.process_time() - since, 1)
        columns = ("reward", "tokens", "all_right", "dead", "answers")
        return policy, {
            "cpu_seconds": seconds,
            "history": {
                name: [round(getattr(step, name), 4) for step in history]
                for name in columns
            },
            "after": self.measure(policy, write),
        }

    def reinforcement(self) -> dict:
        """Run GRPO and its variants from the terse model."""
        exact, write = ExactAnswer(), backward_scratchpad
        ways = {
            "GRPO": (GRPO(), 1),
            "Dr. GRPO": (DrGRPO(MAX_SUM_TOKENS), 1),
            "DAPO": (DAPO(), 3),
            "RLOO": (RLOO(), 1),
        }
        return {
            "before": self.measure(self.terse, write),
            "runs": {
                name: self.learn(
                    self.terse, write, exact, method=method, rounds=rounds
                )[1]
                for name, (method, rounds) in ways.items()
            },
        }

    def control(self) -> dict:
        """Run GRPO from the model that already works everything out."""
        model, write = self.model("both"), backward_scratchpad
        return {
            "before": self.measure(model, write),
            "runs": {"GRPO": self.learn(model, write, ExactAnswer())[1]},
        }

    def accepted(self) -> list[Example]:
        """Return the accepted ones of as many answers as GRPO judges, all sampled from
        the terse model.
        """
        settings = GRPOSettings(self.budget.grpo_steps)
        asked = self.learning[: settings.steps * settings.batch_size]
        samples = sampled_answers(
            self.terse, asked, settings.group_size, backwards=True, seed=self.seed
        )
        exact = ExactAnswer()
        return [
            example
            for question, row in zip(asked, samples, strict=True)
            for sample in row
            if exact(sample.text, backwards(question))
            for example in encode_examples([question], lambda _, s=sample: s.text)
        ]

    def imitate(self, examples: Sequence[Example]) -> DecoderLM:
        """Fine-tune the terse model on answers, with as many updates as GRPO."""
        policy = DecoderLM(CONFIG, self.seed)
        policy.load_state_dict(self.terse.state_dict())
        settings = GRPOSettings(self.budget.grpo_steps)
        size = min(settings.batch_size * settings.group_size, len(examples))
        fit(
            policy,
            TensorBatches(pad_examples(examples).tensors[:2], size, self.seed),
            supervised_loss,
            AdamW(policy.parameters(), lr=GRPO_RATE),
            steps=settings.steps,
            progress=False,
        )
        return policy.eval()

    def filtered(self) -> dict:
        """Run GRPO, and fine-tune on the accepted ones of as many answers: of the
        policy's, in every step, and of the terse model's, all at once. The first two
        have two learning rates, because their gradients differ in size.
        """
        exact, write, examples = ExactAnswer(), backward_scratchpad, self.accepted()
        runs = {
            f"{name}, rate {rate}": self.learn(
                self.terse, write, exact, method=method, rate=rate
            )[1]["after"]
            for name, method in (("GRPO", GRPO()), ("in every step", Accepted()))
            for rate in (GRPO_RATE, 2 * GRPO_RATE)
        }
        if examples:
            runs["all at once"] = self.measure(self.imitate(examples), write)
        before = self.measure(self.terse, write)
        return {"before": before, "accepted": len(examples), "runs": runs}

    def hack(self) -> dict:
        """Run GRPO with a weak verifier and with an exact one from the same model, and
        with the exact one where the weak one ended.
        """
        steps = self.budget.hack_steps
        hacked, weak = self.learn(self.hedging, direct, appears_anywhere, steps=steps)
        _, exact = self.learn(self.hedging, direct, ExactAnswer(), steps=steps)
        _, late = self.learn(hacked, direct, ExactAnswer(), steps=steps)
        before = self.measure(self.hedging, direct)
        return {"before": before, "weak": weak, "exact": exact, "late": late}

    def run(self) -> None:
        """Run all parts that are not kept yet."""
        for name in ("both", "direct", "scratchpad", "backwards"):
            self.model(name)
        for part in (self.votes, self.reinforcement, self.control, self.hack):
            if not (self.folder / f"{part.__name__}-{self.seed}.json").exists():
                self.keep(part.__name__, {"seed": self.seed} | part())


class Products(Study):
    """All parts of one seed, for products of two numbers."""

    draw = staticmethod(random_products)
    prefix = "product-"

    def train(self, ways: Sequence[AnswerFormat]) -> tuple[DecoderLM, list]:
        """Train a model, judged by the last way; on two ways for a shorter time."""
        budget = self.budget
        return train(
            self.draw(budget.questions, self.seed),
            ways,
            budget.product_steps if len(ways) == 1 else budget.mixed_steps,
            budget.product_batch_size,
            self.seed,
            lambda model: self.greedy(model, ways[-1]),
        )

    def mixed(self) -> dict:
        """Train on both ways at once, stop early, and reward right answers."""
        write = backward_scratchpad
        model, points = self.train([backwards, write])
        return {
            "seed": self.seed,
            "points": points,
            "before": self.measure(model.eval(), write),
            "GRPO": self.learn(model, write, ExactAnswer())[1],
        }

    def run(self) -> None:
        """Run all parts that are not kept yet."""
        for name in ("both", "direct"):
            self.model(name)
        if not (self.folder / f"product-mixed-{self.seed}.json").exists():
            self.keep("product-mixed", self.mixed())


def main() -> None:
    parser = command_line(__doc__, [0])
    parser.add_argument("--runs-only", action="store_true", help="record nothing")
    studies = ("sums", "products", "filtered")
    parser.add_argument("--study", choices=studies, help="only this one")
    settings = parser.parse_args()
    folder = settings.folder
    budget = Smoke if settings.smoke else Budget
    for seed in settings.seeds:
        if settings.study in (None, "sums"):
            Study(budget, folder, seed).run()
        if settings.study in (None, "products"):
            Products(budget, folder, seed).run()
        if settings.study in (None, "filtered"):
            study = Study(budget, folder, seed)
            kept(
                folder / f"filtered-{seed}.json",
                lambda study=study, seed=seed: {"seed": seed} | study.filtered(),
            )
    if settings.smoke or settings.runs_only:
        return

    def parts(name: str) -> list[dict]:
        return [
            json.loads((folder / f"{name}-{seed}.json").read_text("utf-8"))
            for seed in settings.seeds
        ]

    found = {
        "machine": describe_machine(),
        "seconds": "CPU seconds of one thread",
        "parameters": DecoderLM(CONFIG).parameter_count(),
        "budget": {
            name: value
            for name, value in vars(Budget).items()
            if not name.startswith("_")
        },
    }
    if settings.study is not None:
        found |= record("reasoning")
    if settings.study in (None, "sums"):
        found["formats"] = [
            part for name in FORMATS for part in parts(f"format-{name}")
        ]
        for name in ("votes", "reinforcement", "control", "hack"):
            found[name] = parts(name)
    if settings.study in (None, "filtered"):
        found["filtered"] = parts("filtered")
    if settings.study in (None, "products"):
        found["products"] = {
            name: parts(f"product-{part}")
            for name, part in (
                ("direct", "format-direct"),
                ("both", "format-both"),
                ("mixed", "mixed"),
            )
        }
    keep_record("reasoning", found)


if __name__ == "__main__":
    main()
