"""What a small code model learns: bodies, gaps, tests, explanations and repair.

For each seed, a decoder is trained on generated exercises, as in chapter 16, and judged
on held-out combinations. The parts:

    writing    pass@k at several temperatures, one line with and without the suffix,
               tests, and choosing among samples by them
    mutation   would the written tests catch a wrong program?
    no-gaps    the same training without gaps: what filling costs the usual loss
    windows    the same documents cut anywhere, and special tokens not forbidden
    sources    library code, exercises, and both, at equal steps
    repair     a second try after a failing test, against a fresh sample

    # about five CPU minutes per seed
    OMP_NUM_THREADS=1 python benchmarks/code_model.py --folder runs --seeds 0 1 2 3 4

Finished parts are kept in the folder and not repeated. `--smoke` runs a small version
of everything; `--record` writes the record.
"""

import ast
import json
import random
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import torch
from finished import command_line, kept
from safetensors.torch import load_file, save_file
from written_tests import WrittenTest, choose_by_vote, encode_repairs, read_test

from genai_tutorial.alignment import Rows, supervised_loss
from genai_tutorial.corpus import docstring_gap, join_documents
from genai_tutorial.data import LibraryFunction, load_functions
from genai_tutorial.metrics import pass_at_k
from genai_tutorial.runtime import describe_machine, keep_record, record
from genai_tutorial.tasks.code import (
    END,
    SHORT_MIXTURE,
    WITHOUT_GAPS,
    CodeModel,
    Exercise,
    Failure,
    ask_samples,
    body_line_gaps,
    choose_by_codet,
    choose_by_tests,
    draw_exercises,
    encode_documents,
    exercise_documents,
    expected_answers,
    find_failure,
    mutants,
    solved,
    train_code_tokenizer,
)
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.training import (
    AdamW,
    OptimizerSettings,
    Schedule,
    TensorBatches,
    TokenBatches,
    build_optimizer,
    fit,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM, language_model_loss

OPTIMIZER = OptimizerSettings(
    matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9
)
TEMPERATURES = (0.2, 0.8, 1.2)
PARTS = ("writing", "mutation", "no-gaps", "windows", "repair", "sources")


@dataclass(frozen=True)
class Budget:
    """The amount of work.

    Attributes:
        exercises: The number of training documents.
        steps: The number of training steps of 12 rows.
        problems: The number of held-out exercises.
        samples: The number of samples for each.
        repair_exercises: The number of exercises whose failures are collected.
        repair_steps: The number of steps that learn from them.
        source_steps: The number of steps on library code, exercises, or both.
        few_problems: The number of held-out exercises where many models are judged.
    """

    exercises: int = 8_000
    steps: int = 150
    problems: int = 60
    samples: int = 10
    repair_exercises: int = 400
    repair_steps: int = 80
    source_steps: int = 100
    few_problems: int = 30


SMOKE = Budget(300, 12, 6, 3, 20, 6, 12, 4)
ROW, CONTEXT, VOCABULARY, BATCH = 160, 288, 512, 12


def train_rows(tokenizer: BPETokenizer, rows: Rows, steps: int, seed: int) -> CodeModel:
    """Train the chapter's decoder on packed documents."""
    model = new_model(tokenizer, seed)
    fit(
        model,
        TensorBatches((rows.ids, rows.is_text, rows.documents), BATCH, seed),
        supervised_loss,
        build_optimizer(model, OPTIMIZER),
        steps=steps,
        schedule=Schedule(steps, 10, "linear"),
        progress=False,
    )
    return CodeModel(model.eval(), tokenizer)


def new_model(tokenizer: BPETokenizer, seed: int) -> DecoderLM:
    """Return the chapter's untrained decoder."""
    config = DecoderConfig.fast(
        tokenizer.vocab_size, CONTEXT, 128, 3, 4, convolution_size=2
    )
    return DecoderLM(config, seed)


@torch.no_grad()
def nats_per_character(writer: CodeModel, documents: Sequence[str]) -> float:
    """Return the loss on whole documents, read from left to right."""
    rows = encode_documents(writer.tokenizer, documents, CONTEXT)
    total = 0.0
    for start in range(0, len(rows.ids), 16):
        ids, numbers = rows.ids[start : start + 16], rows.documents[start : start + 16]
        is_text = rows.is_text[start : start + 16]
        same = is_text[:, 1:] & (numbers[:, 1:] == numbers[:, :-1])
        loss = supervised_loss(writer.model, ids, is_text, numbers)
        total += float(loss) * int(same.sum())
    longest = [
        text
        for text in documents
        if len(writer.tokenizer.encode(text, special_as_text=True)) + 2 <= CONTEXT
    ]
    return total / sum(map(len, longest))


def share(values: Sequence[bool]) -> float:
    """Return the share of true values."""
    return round(sum(values) / len(values), 4)


def pass_rates(passed: Sequence[Sequence[bool]]) -> dict[str, float]:
    """Return pass@k for several k."""
    counts = [(len(row), sum(row)) for row in passed]
    return {
        str(k): round(sum(pass_at_k(n, c, k) for n, c in counts) / len(counts), 4)
        for k in (1, 2, 5, 10)
        if k <= len(passed[0])
    }


@dataclass
class Study:
    """One seed's training data and the models trained on it."""

    seed: int
    budget: Budget
    folder: Path

    def __post_init__(self):
        self.training = draw_exercises(self.budget.exercises, "train", self.seed)
        self.held_out = draw_exercises(self.budget.problems, "held-out", self.seed)
        self.prompts = [exercise.prompt for exercise in self.held_out]
        self.documents = exercise_documents(self.training, SHORT_MIXTURE, self.seed)
        self.tokenizer = train_code_tokenizer(self.documents[:1500], VOCABULARY)
        self._writer: CodeModel | None = None

    def rows(self, documents: Sequence[str]) -> Rows:
        """Pack documents."""
        return encode_documents(self.tokenizer, documents, ROW)

    @property
    def writer(self) -> CodeModel:
        """The chapter's model."""
        path = self.folder / f"model-{self.seed}.safetensors"
        if self._writer is None and path.exists():
            model = new_model(self.tokenizer, self.seed)
            model.load_state_dict(load_file(path))
            self._writer = CodeModel(model.eval(), self.tokenizer)
        elif self._writer is None:
            self._writer = train_rows(
                self.tokenizer, self.rows(self.documents), self.budget.steps, self.seed
            )
            save_file(self._writer.model.state_dict(), path)
        return self._writer

    def greedy(self, writer: CodeModel) -> float:
        """Return the share of held-out exercises solved greedily."""
        bodies = writer.complete(self.prompts, 0)
        return share([r for (r,) in solved(self.held_out, [[b] for b in bodies])])

    def lines(self, writer: CodeModel) -> dict[str, float]:
        """Return the share of lines written exactly, with and without the suffix."""
        gaps = body_line_gaps(self.held_out)
        filled = writer.fill(gaps)
        continued = writer.complete([gap.prefix for gap in gaps], 0)
        return {
            "with suffix": share(
                [text == gap.middle for text, gap in zip(filled, gaps, strict=True)]
            ),
            "from the left": share(
                [
                    "\n" + text[1:].partition("\n")[0] == gap.middle
                    for text, gap in zip(continued, gaps, strict=True)
                ]
            ),
        }

    # ------------------------------------------------------------------ the parts

    def writing(self) -> dict:
        """Measure what the chapter's model writes."""
        budget, writer = self.budget, self.writer
        by_temperature = {}
        for temperature in TEMPERATURES:
            bodies = writer.sample(self.prompts, budget.samples, temperature, self.seed)
            passed = solved(self.held_out, bodies)
            by_temperature[str(temperature)] = pass_rates(passed)
            if temperature == 0.8:
                at_08 = bodies
        return {
            "greedy": self.greedy(writer),
            "temperatures": by_temperature,
            "lines": self.lines(writer),
            "nats per character": round(self.loss(writer), 5),
            "number of tests": self.fewer_tests(at_08),
            "choosing": self.choosing(at_08),
        }

    def loss(self, writer: CodeModel) -> float:
        """Return the loss on programs with held-out combinations."""
        drawn = draw_exercises(300, "held-out", 1000 + self.seed)
        return nats_per_character(writer, [exercise.program for exercise in drawn])

    def fewer_tests(self, bodies: Sequence[Sequence[str]]) -> dict[str, float]:
        """Return the share of samples that pass the first tests, for several numbers
        of tests.
        """
        inputs = [exercise.inputs(32, self.seed) for exercise in self.held_out]
        answers = ask_samples(self.held_out, bodies, inputs)
        right = [
            [
                a == b
                for a, b in zip(given, expected_answers(exercise, asked), strict=True)
            ]
            for exercise, samples, asked in zip(
                self.held_out, answers, inputs, strict=True
            )
            for given in samples
        ]
        return {
            str(count): share([all(row[:count]) for row in right])
            for count in (1, 2, 4, 8, 16, 32)
        }

    def choosing(self, bodies: Sequence[Sequence[str]]) -> dict:
        """Choose one of the samples by tests that the model writes, and without."""
        draws = [
            self.writer.write_tests(self.prompts, 0.8, 100 * self.seed + draw)
            for draw in range(4)
        ]
        well_formed: list[bool] = []
        tests: list[list[WrittenTest]] = []
        for number, exercise in enumerate(self.held_out):
            lines = [line for written in draws for line in written[number]]
            read = [read_test(line, exercise.name) for line in lines]
            well_formed += [test is not None for test in read]
            tests.append([test for test in read if fits(test, exercise)])
        voted_on = [exercise.inputs(8, 99) for exercise in self.held_out]
        inputs = [
            [*(test.items for test in usable), *votes]
            for usable, votes in zip(tests, voted_on, strict=True)
        ]
        answers = ask_samples(self.held_out, bodies, inputs)
        verdicts = solved(self.held_out, bodies)
        chosen: dict[str, list[bool]] = {
            name: [] for name in ("first", "own tests", "CodeT", "vote", "any")
        }
        for usable, rows, verdict in zip(tests, answers, verdicts, strict=True):
            passed = torch.tensor(
                [
                    [a == test.expected for a, test in zip(row, usable, strict=False)]
                    for row in rows
                ]
            ).bool()
            votes = [row[len(usable) :] for row in rows]
            chosen["first"].append(verdict[0])
            chosen["any"].append(any(verdict))
            chosen["vote"].append(verdict[choose_by_vote(votes)])
            chosen["own tests"].append(
                verdict[choose_by_tests(passed) if usable else 0]
            )
            chosen["CodeT"].append(verdict[choose_by_codet(passed) if usable else 0])
        right = [
            [test for test in usable if is_right(test, exercise)]
            for usable, exercise in zip(tests, self.held_out, strict=True)
        ]
        return {
            "well-formed tests": share(well_formed),
            "right tests": round(
                sum(map(len, right)) / max(1, sum(map(len, tests))), 4
            ),
            "tests": sum(map(len, tests)),
            "right inputs": [[test.items for test in row] for row in right],
            "chosen": {name: share(values) for name, values in chosen.items()},
        }

    def mutation(self) -> dict:
        """Judge the right ones among the written tests by mutants of the references."""
        path = self.folder / f"writing-{self.seed}.json"
        written = json.loads(path.read_text("utf-8"))["choosing"]["right inputs"]
        random_inputs = [
            exercise.inputs(len(row) + 1, 7)[1:]
            for exercise, row in zip(self.held_out, written, strict=True)
        ]
        caught = self.catches(written)
        return {
            "mutants": len(caught),
            "caught by right written tests": share(caught),
            "caught by as many random inputs": share(self.catches(random_inputs)),
        }

    def catches(self, inputs: Sequence[list[list]]) -> list[bool]:
        """Return whether each mutant of each reference answers an input wrongly; those
        that answer 25 random inputs correctly are left out.
        """
        changed = [
            [
                text.removeprefix(exercise.prompt)
                for text in mutants(exercise.program)
                if text.startswith(exercise.prompt)
            ]
            for exercise in self.held_out
        ]
        asked = [
            [*exercise.inputs(25, 5), *lists]
            for exercise, lists in zip(self.held_out, inputs, strict=True)
        ]
        answers = ask_samples(self.held_out, changed, asked)
        caught = []
        for exercise, rows, lists in zip(self.held_out, answers, asked, strict=True):
            rights = expected_answers(exercise, lists)
            caught += [
                row[25:] != rights[25:] for row in rows if row[:25] != rights[:25]
            ]
        return caught

    def no_gaps(self) -> dict:
        """Train without gaps, at equal steps."""
        documents = exercise_documents(self.training, WITHOUT_GAPS, self.seed)
        writer = train_rows(
            self.tokenizer, self.rows(documents), self.budget.steps, self.seed
        )
        bodies = writer.sample(self.prompts, self.budget.samples, 0.8, self.seed)
        return {
            "greedy": self.greedy(writer),
            "pass": pass_rates(solved(self.held_out, bodies)),
            "from the left": self.lines(writer)["from the left"],
            "nats per character": round(self.loss(writer), 5),
        }

    def windows(self) -> dict:
        """Train on windows that cut documents anywhere, and do not forbid markers."""
        end = self.tokenizer.special_tokens[END]
        encoded = [
            self.tokenizer.encode(text, allowed_special="all")
            for text in self.documents
        ]
        model = new_model(self.tokenizer, self.seed)
        fit(
            model,
            TokenBatches(
                torch.from_numpy(join_documents(encoded, end)), ROW, BATCH, self.seed
            ),
            language_model_loss,
            build_optimizer(model, OPTIMIZER),
            steps=self.budget.steps,
            schedule=Schedule(self.budget.steps, 10, "linear"),
            progress=False,
        )
        few = self.held_out[: self.budget.few_problems]
        prompts = [exercise.prompt for exercise in few]
        found = {}
        for name, network in (("windows", model.eval()), ("whole", self.writer.model)):
            for forbids in (False, True):
                writer = CodeModel(network, self.tokenizer, forbids)
                bodies = writer.sample(prompts, self.budget.samples, 0.8, self.seed)
                leaks = ["<|" in body for row in bodies for body in row]
                found[f"{name}, {'forbidden' if forbids else 'allowed'}"] = {
                    "leaks": share(leaks),
                    "pass": pass_rates(solved(few, bodies)),
                }
        return found

    def repair(self) -> dict:
        """Learn to repair from the model's own failures; compare with a new sample."""
        budget, writer = self.budget, self.writer
        drawn = draw_exercises(budget.repair_exercises, "train", 5000 + self.seed)
        failures = [
            failure
            for row in self.failures(writer, drawn, 2, 1.0)
            for failure in row
            if failure is not None
        ]
        repairs = encode_repairs(self.tokenizer, failures, CONTEXT)
        programs = exercise_documents(drawn, {"program": 1.0}, self.seed)
        usual = encode_documents(self.tokenizer, programs, CONTEXT)
        rows = [
            torch.cat(pair)
            for pair in (
                (repairs.ids, usual.ids),
                (repairs.is_answer, usual.is_text),
                (repairs.documents, usual.documents),
            )
        ]
        model = new_model(self.tokenizer, self.seed)
        model.load_state_dict(writer.model.state_dict())
        fit(
            model,
            TensorBatches(rows, 8, self.seed),
            supervised_loss,
            AdamW(model.parameters(), lr=1e-3),
            steps=budget.repair_steps,
            schedule=Schedule(budget.repair_steps, 5, "linear"),
            progress=False,
        )
        learned = CodeModel(model.eval(), self.tokenizer)
        asked = draw_exercises(3 * budget.problems, "held-out", 2000 + self.seed)
        first = [row[0] for row in self.failures(learned, asked, 1, 0.8)]
        failed = [failure for failure in first if failure is not None]
        wrong = [failure.exercise for failure in failed]
        tries = {
            "repair": [failure.prompt for failure in failed],
            "misled": [misled(failure, 50 + self.seed) for failure in failed],
            "resample": [failure.exercise.prompt for failure in failed],
        }
        results = {
            name: [
                r
                for (r,) in solved(
                    wrong,
                    [[b] for b in learned.complete(prompts, 0.8, 7 + self.seed)],
                )
            ]
            for name, prompts in tries.items()
        }
        return {
            "failures learned from": len(failures),
            "problems": len(asked),
            "failed first": len(failed),
            **{name: [int(r) for r in values] for name, values in results.items()},
        }

    def failures(
        self,
        writer: CodeModel,
        exercises: Sequence[Exercise],
        samples: int,
        temperature: float,
    ) -> list[list[Failure | None]]:
        """Return the first failure of each sample."""
        bodies = writer.sample(
            [e.prompt for e in exercises], samples, temperature, self.seed
        )
        inputs = [exercise.inputs(12, 0) for exercise in exercises]
        answers = ask_samples(exercises, bodies, inputs)
        return [
            [
                find_failure(exercise, body, asked, given)
                for body, given in zip(written, rows, strict=True)
            ]
            for exercise, written, asked, rows in zip(
                exercises, bodies, inputs, answers, strict=True
            )
        ]

    def sources(self) -> dict:
        """Train on library code, on exercises and on both, with one tokenizer."""
        library = [f.source for f in load_functions("train")]
        unseen = list(load_functions("held-out"))
        random.Random(0).shuffle(unseen)
        size = sum(map(len, library))
        own = self.documents
        tokenizer = train_code_tokenizer([*library[::4], *own[:1500]], 1024)
        both = [*library, *_of_size(own, size)]
        few = self.held_out[: self.budget.few_problems]
        prompts = [exercise.prompt for exercise in few]
        found = {}
        for name, documents in (
            ("library", library),
            ("exercises", own),
            ("both", both),
        ):
            rows = encode_documents(tokenizer, documents, ROW)
            writer = train_rows(tokenizer, rows, self.budget.source_steps, self.seed)
            bodies = writer.sample(prompts, self.budget.samples, 0.8, self.seed)
            found[name] = {
                "pass": pass_rates(solved(few, bodies)),
                "nats per character of the library": round(
                    nats_per_character(writer, [f.source for f in unseen[:150]]), 4
                ),
                "nats per character of exercises": round(self.loss(writer), 4),
                "library bodies that parse": parses(writer, unseen, self.seed),
                "exercise bodies that parse": share(
                    [
                        is_program(exercise.prompt + body)
                        for exercise, row in zip(few, bodies, strict=True)
                        for body in row
                    ]
                ),
            }
        return found


def _of_size(documents: Sequence[str], characters: int) -> list[str]:
    taken, total = [], 0
    for document in documents:
        if total >= characters:
            break
        taken.append(document)
        total += len(document)
    return taken


def fits(test: WrittenTest | None, exercise: Exercise) -> bool:
    """Return whether a written test calls the function with items of the right kind."""
    kind = int if exercise.combination.takes == "number" else str
    return (
        test is not None
        and all(type(item) is kind for item in test.items)
        and "" not in test.items
    )


def misled(failure: Failure, seed: int) -> str:
    """Return the prompt of a repair with a false message: an input of the exercise with
    the right answers to two others.
    """
    exercise = failure.exercise
    first, second, third = exercise.inputs(4, seed)[1:]
    message = (
        f"\n# {exercise.name}({first}) gave {exercise.expected(second)!r}, "
        f"expected {exercise.expected(third)!r}"
    )
    return exercise.prompt + failure.body + message


def is_right(test: WrittenTest, exercise: Exercise) -> bool:
    """Return whether a written test expects the right answer."""
    return repr(exercise.expected(test.items)) == test.expected


def is_program(text: str) -> bool:
    """Return whether a text is valid Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def parses(writer: CodeModel, functions: Sequence[LibraryFunction], seed: int) -> float:
    """Return the share of valid programs among bodies for library functions."""
    prompts = []
    for function in functions:
        gap = docstring_gap(function.source) if '"""' in function.source else None
        if gap is None or not gap.prefix.startswith("def "):
            continue
        prompt = gap.prefix + gap.middle + '"""'
        ids = writer.tokenizer.encode(prompt, special_as_text=True)
        if len(ids) < CONTEXT - 100:
            prompts.append(prompt)
    prompts = prompts[:60]
    bodies = writer.complete(prompts, 0.8, seed)
    return share(
        [is_program(p + body) for p, body in zip(prompts, bodies, strict=True)]
    )


def for_record(path: Path) -> dict:
    """Read a result, without what only another part needs."""
    found = json.loads(path.read_text("utf-8"))
    found.get("choosing", {}).pop("right inputs", None)
    return found


def main() -> None:
    """Run the parts that are missing, and write the record."""
    parser = command_line(__doc__, [0])
    parser.add_argument("--parts", nargs="+", default=list(PARTS))
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    budget = SMOKE if given.smoke else Budget()
    study = lru_cache(1)(lambda seed: Study(seed, budget, given.folder))

    def run(part: str, seed: int) -> dict:
        measure = getattr(study(seed), part.replace("-", "_"))
        started = time.process_time()
        return measure() | {"cpu_seconds": round(time.process_time() - started, 1)}

    for seed in given.seeds:
        for part in given.parts:
            kept(given.folder / f"{part}-{seed}.json", partial(run, part, seed))
    if given.record and not given.smoke:
        runs = record("code_model")  # a part that the folder lacks keeps its place
        for part in PARTS:
            paths = sorted(given.folder.glob(f"{part}-*.json"))
            if paths:
                runs[part] = {
                    path.stem.rpartition("-")[2]: for_record(path) for path in paths
                }
        about = {"budget": vars(budget), "machine": describe_machine()}
        keep_record("code_model", runs | about)


if __name__ == "__main__":
    main()
