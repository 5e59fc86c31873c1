"""The harness of a coding agent, measured: repairs of small repositories, and facts
that compaction loses.

    repairs     20 repositories with a planted fault, with and without docstrings: how
                many each way to propose edits repairs, and with how many test runs
    compaction  a fact in the first result of a run: after how many steps a context of
                300 tokens has lost it, and what SmolLM2 answers from it

    OMP_NUM_THREADS=1 python benchmarks/agent_harness.py --folder runs

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. The default, five seeds, takes about
fifteen minutes of one CPU core.
"""

import math
import tempfile
from collections import Counter
from functools import cache

from context_compaction import measure_compaction

from genai_tutorial import recipes
from genai_tutorial.agents import (
    Agent,
    Budget,
    FileJail,
    Run,
    Toolbox,
    allow_all,
    editing_tools,
    file_tools,
    run_tests_tool,
)
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks.code import (
    CodeModel,
    Proposer,
    RepairPolicy,
    Repository,
    draw_exercises,
    draw_repositories,
    infilled,
    likeliest_first,
    resampled,
    reversed_mutations,
)

REPOSITORIES = 20
BUDGET = Budget(steps=100, seconds=None)  # the policy stops after its runs


@cache
def code_model() -> CodeModel:
    return CodeModel(*recipes.load("python-exercises"))


@cache
def counts() -> tuple[Counter, Counter]:
    """Return how often characters follow five others in the training programs."""
    longer, shorter = Counter(), Counter()
    for exercise in draw_exercises(8_000, "train", seed=0):
        text = f"{exercise.prompt.splitlines()[0]}{exercise.body}\0"
        for place in range(5, len(text)):
            longer[text[place - 5 : place + 1]] += 1
            shorter[text[place - 5 : place]] += 1
    return longer, shorter


def commonest_first(source: str) -> list[str]:
    """Propose each mutation backwards, ordered without a network: by counts of six
    characters in the training programs.
    """
    longer, shorter = counts()

    def score(version: str) -> float:
        lines = version.splitlines()
        has_docstring = lines[1].strip().startswith('"""')
        text = "\n".join([lines[0], *lines[1 + has_docstring :]]) + "\0"
        return sum(
            math.log(
                (longer[text[place - 5 : place + 1]] + 0.1)
                / (shorter[text[place - 5 : place]] + 10)
            )
            for place in range(5, len(text))
        )

    return sorted(reversed_mutations(source), key=score, reverse=True)


def ways() -> dict[str, Proposer]:
    """Return the proposers to compare."""
    model = code_model()
    return {
        "blind resampling": resampled(model),
        "filling lines": infilled(model),
        "mutations backwards": reversed_mutations,
        "backwards, by counts": commonest_first,
        "backwards, by the model": likeliest_first(model, reversed_mutations),
    }


def repair(repository: Repository, propose: Proposer, runner: ProgramRunner) -> Run:
    """Let an agent repair a repository in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        jail = FileJail(folder)
        for path, text in repository.files.items():
            jail.write(path, text)
        tools = (*file_tools(jail), *editing_tools(jail), run_tests_tool(jail, runner))
        agent = Agent(
            RepairPolicy(propose),
            Toolbox(tools),
            BUDGET,
            allow_all,
            refuses_repeats=False,  # the same tests run again after each edit
        )
        return agent.run("Make all tests pass.")


def measure_repairs(seed: int, small: bool) -> dict:
    """Return for each way the runs of the tests that each repository took, the first
    not counted, and 0 where it was not repaired in 20.
    """
    measured: dict = {}
    with ProgramRunner() as runner:
        for has_docstrings in (True, False):
            drawn = draw_repositories(
                3 if small else REPOSITORIES, seed, has_docstrings
            )
            group = "docstrings" if has_docstrings else "no docstrings"
            measured[group] = {}
            for name, propose in ways().items():
                runs = [repair(one, propose, runner) for one in drawn]
                tests = [
                    sum(call.name == "run_tests" for call in run.calls) - 1
                    for run in runs
                ]
                measured[group][name] = {
                    "repaired": [run.answer.startswith("All ") for run in runs],
                    "runs": tests,
                }
    return measured


if __name__ == "__main__":
    record = run_parts(
        "agent_harness",
        {"repairs": measure_repairs, "compaction": measure_compaction},
        __doc__,
    )
    if record is not None:
        keep_record("agent_harness", record)
