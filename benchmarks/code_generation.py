"""How often does a real model's program pass? SmolLM2-135M-Instruct on simple problems.

SmolLM2 continues signatures with docstrings, and the sandbox runs what it wrote. Greedy
decoding gets each prompt three times: as it is, with a newline behind it, and with a
newline and four spaces. Then the model draws many samples of each problem. The record
holds every distinct program, and how it ended with one, two, four and all eight tests.
The shortest prompts of HumanEval are answered by greedy decoding, each without and with
the newline that it ends with; `--hard 164` takes all.

    # about fifteen CPU minutes
    OMP_NUM_THREADS=1 python benchmarks/code_generation.py --folder runs

Finished parts are kept in the folder and not repeated. `--smoke` runs a small version
and keeps no record.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from finished import command_line, kept

from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.sandbox import ProgramLimits
from genai_tutorial.tasks.code import (
    SIMPLE_PROBLEMS,
    CodeProblem,
    complete_functions,
    load_human_eval,
    run_completions,
)

ENDINGS = {"nothing": "", "newline": "\n", "newline and spaces": "\n    "}
TESTS = (1, 2, 4, 8)
SEEDS, SAMPLES, TEMPERATURE = range(5), 8, 0.6
BATCH = 8
LIMITS = ProgramLimits(cpu_seconds=0.5)  # right programs need milliseconds


class Study:
    """SmolLM2 and a folder with what it wrote.

    Args:
        folder: Where finished parts are kept.
        smoke: Whether to run a small version.
        hard: The number of problems of HumanEval.
    """

    def __init__(self, folder: Path, smoke: bool, hard: int = 12):
        self.folder, self.smoke = folder, smoke
        self.model, self.tokenizer = load_smollm2()
        self.problems = SIMPLE_PROBLEMS[:3] if smoke else SIMPLE_PROBLEMS
        by_length = sorted(load_human_eval(), key=lambda problem: len(problem.prompt))
        self.human_eval = by_length[: 3 if smoke else hard]

    def greedy(
        self, problems: Sequence[CodeProblem], ending: str, tokens: int
    ) -> list[str]:
        """Return one completion of each prompt, in batches of similar lengths."""
        prompts = [problem.prompt.rstrip() + ending for problem in problems]
        order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
        written = [""] * len(prompts)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            answers = complete_functions(
                self.model, self.tokenizer, [prompts[n] for n in batch], tokens
            )
            for number, answer in zip(batch, answers, strict=True):
                written[number] = ending + answer
        return written

    def samples(self, seed: int) -> list[list[str]]:
        """Return several completions of each problem at one temperature."""
        return [
            complete_functions(
                self.model,
                self.tokenizer,
                [problem.prompt] * SAMPLES,
                temperature=TEMPERATURE,
                seed=1000 * seed + number,
            )
            for number, problem in enumerate(self.problems)
        ]


def judge(problems: Sequence[CodeProblem], written: Sequence[str]) -> list[str]:
    """Return how one completion of each problem ended."""
    bare = [
        CodeProblem(p.name, p.prompt.rstrip(), "\n" + p.reference.lstrip("\n"), p.tests)
        for p in problems
    ]
    outcomes = run_completions(bare, [[text] for text in written])
    return [str(outcome.kind) for (outcome,) in outcomes]


def distinct_programs(
    problems: Sequence[CodeProblem], samples: Sequence[Sequence[Sequence[str]]]
) -> list[dict]:
    """Return for each problem its distinct completions, how each ended with how many
    tests, and which of them each sample is.
    """
    distinct = [
        list(dict.fromkeys(text for seed in samples for text in seed[number]))
        for number in range(len(problems))
    ]
    ended = {
        tests: run_completions(problems, distinct, tests, LIMITS) for tests in TESTS
    }
    return [
        {
            "completions": texts,
            "outcomes": [str(outcome.kind) for outcome in ended[TESTS[-1]][number]],
            "passes": {
                str(tests): [outcome.passed for outcome in ended[tests][number]]
                for tests in TESTS
            },
            "samples": [[texts.index(t) for t in seed[number]] for seed in samples],
        }
        for number, texts in enumerate(distinct)
    ]


def main() -> None:
    """Run all parts that are not in the folder, and write the record."""
    parser = command_line(__doc__.splitlines()[0])
    parser.add_argument("--hard", type=int, default=12, help="problems of HumanEval")
    options = parser.parse_args()
    study = Study(options.folder, options.smoke, options.hard)
    names = [problem.name for problem in study.problems]
    greedy = {
        name: kept(
            study.folder / f"greedy-{name.replace(' ', '-')}.json",
            lambda ending=ending: study.greedy(study.problems, ending, 80),
        )
        for name, ending in ENDINGS.items()
    }
    samples = [
        kept(
            study.folder / f"samples-{seed}.json", lambda seed=seed: study.samples(seed)
        )
        for seed in SEEDS
    ]
    hard = {
        name: kept(
            study.folder / f"human-eval-{len(study.human_eval)}-{name}.json",
            lambda ending=ENDINGS[name]: study.greedy(study.human_eval, ending, 120),
        )
        for name in ("nothing", "newline")
    }
    result = {
        "model": "SmolLM2-135M-Instruct",
        "machine": describe_machine(),
        "problems": names,
        "temperature": TEMPERATURE,
        "seeds": list(SEEDS),
        "greedy": {
            name: {"completions": texts, "outcomes": judge(study.problems, texts)}
            for name, texts in greedy.items()
        },
        "sampled": distinct_programs(study.problems, samples),
        "human_eval": {
            name: judge(study.human_eval, texts) for name, texts in hard.items()
        },
    }
    if options.smoke:
        print(json.dumps(result, indent=1)[:6000])
    else:
        keep_record("code_generation", result)


if __name__ == "__main__":
    main()
