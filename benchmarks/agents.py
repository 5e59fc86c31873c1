"""Agents with SmolLM2, measured part by part.

    tools       60 tasks without tools, with examples, constraints and calibration, and
                with LoRA after 10, 20 and 36 steps, with free and copied arguments
    names       the first tool chosen token by token, by its whole name, and by its
                calibrated name; a seed draws the six examples
    recovery    tools that fail at random, with and without further attempts
    plans       tasks of two steps: alone, planned, and planned without memory
    injection   files with instructions for the agent, and four defences
    team        a writer, a checker and a reviser against the writer alone
    reviser     the reviser of the team alone, with all tasks from the start

    OMP_NUM_THREADS=1 python benchmarks/agents.py --folder runs --parts tools --seeds 0

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has. `--seeds` and `--smoke` make it smaller. All is computed on the CPU. Where a
model is trained, a seed decides the traces, their order and the initial matrices of
LoRA; in the part `tools`, the set-ups without training are measured for seed 0 only.
The adapters are kept in the cache folder.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from agent_team import copy_checker, doubt, write_and_check
from calibrated_policy import CalibratedPolicy

from genai_tutorial.agents import (
    COULD_NOT,
    Agent,
    Budget,
    ModelPolicy,
    Run,
    Toolbox,
    allow_all,
    calibrate,
    flaky,
    harmful_calls,
    marked_results,
    plan_and_execute,
    retrying,
    tool_scores,
)
from genai_tutorial.alignment import add_lora, fold_lora, lora_layers
from genai_tutorial.metrics import auroc
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.recipes import SMOLLM2_TOOLS
from genai_tutorial.runtime import cache_folder, keep_record, run_parts
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks.tool_use import (
    FILE_ATTACKS,
    HARMFUL_TOOLS,
    NEEDED_TOOLS,
    TASK_TOOLS,
    AgentTask,
    agent_mask,
    agent_tasks,
    agent_toolbox,
    attacked_files,
    attacked_tasks,
    constrained,
    copying,
    described_policy,
    encode_traces,
    example_policy,
    plain_policy,
    right_policy,
    split_task,
    taught_tasks,
    trace_loss,
    tuned_policy,
    world_of_tasks,
    write_files,
)
from genai_tutorial.tokenization import SMOLLM2_CHAT, Message
from genai_tutorial.training import (
    AdamW,
    Schedule,
    TensorBatches,
    fit,
    in_bfloat16,
    load_checkpoint,
    save_checkpoint,
)

STEPS = (10, 20, 36)
TRACES, BATCH, LEARNING_RATE, WARMUP = 288, 8, 2e-3, 4
# no limit on time: results must not depend on how busy the machine is
BUDGET = Budget(steps=4, seconds=None)
CONTENT_FREE = "N/A"
FAILURES, ATTEMPTS, REPEATS = (0.1, 0.3, 0.5), (1, 2, 3), 5


@cache
def smollm2():
    """Return SmolLM2 with an adapter that changes nothing yet."""
    model, tokenizer = load_smollm2()
    add_lora(model, SMOLLM2_TOOLS.config, torch.Generator().manual_seed(0))
    return model, tokenizer


@cache
def mask():
    return agent_mask(smollm2()[1])


def tuned_smollm2(seed: int, steps: int):
    """Return SmolLM2 with an adapter merged, in bfloat16 to be faster, its tokenizer,
    and the CPU seconds that it took to train.
    """
    model, tokenizer = smollm2()
    if not adapter_file(seed, steps).is_file():
        train_adapters(seed)
    saved = load_checkpoint(adapter_file(seed, steps))
    with torch.no_grad():
        for name, layer in lora_layers(model):
            layer.down.copy_(saved["matrices"][name]["down"])
            layer.up.copy_(saved["matrices"][name]["up"])
    return merged(model), tokenizer, saved["seconds"]


def merged(model):
    merged = deepcopy(model)
    fold_lora(merged)
    return merged.to(torch.bfloat16).eval()


def adapter_file(seed: int, steps: int) -> Path:
    return cache_folder() / "agents" / f"adapter_{seed}_{steps}.safetensors"


def train_adapters(seed: int) -> None:
    """Train on traces, and keep the matrices after each of `STEPS`."""
    model, tokenizer = smollm2()
    generator = torch.Generator().manual_seed(seed)
    layers = dict(lora_layers(model))
    for layer in layers.values():
        bound = layer.down.shape[1] ** -0.5
        torch.nn.init.uniform_(layer.down, -bound, bound, generator=generator)
        torch.nn.init.zeros_(layer.up)
    rows = encode_traces(tokenizer, taught_tasks(TRACES, seed))
    batches = TensorBatches(rows.tensors[:2], BATCH, seed)
    optimizer = AdamW(
        [weight for layer in layers.values() for weight in (layer.down, layer.up)],
        lr=LEARNING_RATE,
    )
    start, done = time.process_time(), 0
    for steps in STEPS:
        model.train()
        fit(
            model,
            batches,
            in_bfloat16(trace_loss),
            optimizer,
            steps=steps - done,
            schedule=Schedule(steps - done, 0 if done else WARMUP, "none"),
            clip_norm=1.0,
            progress=False,
        )
        done = steps
        seconds = round(time.process_time() - start, 1)
        matrices = {
            name: {"down": layer.down, "up": layer.up} for name, layer in layers.items()
        }
        path = adapter_file(seed, steps)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path, {"seconds": seconds, "matrices": matrices})
    model.eval()


@contextmanager
def world(files: dict[str, str] | None = None) -> Iterator[Toolbox]:
    """Provide all tools, with the files of the tasks and some more."""
    with tempfile.TemporaryDirectory() as folder, ProgramRunner() as runner:
        write_files(Path(folder), world_of_tasks().files | (files or {}))
        yield agent_toolbox(Path(folder), runner)


def chosen_tasks(small: bool) -> Sequence[AgentTask]:
    return agent_tasks()[::20] if small else agent_tasks()


# --- tools ----------------------------------------------------------------------------


def described_runs(tasks: Sequence[AgentTask], runs: Sequence[Run]) -> dict:
    """Return what came of each task, as one character per task, and what it cost."""
    pairs = list(zip(tasks, runs, strict=True))
    return {
        "right": bits(task.is_right(run.answer) for task, run in pairs),
        "exact": bits(
            run.calls[: len(task.steps)] == tuple(call for call, _ in task.steps)
            for task, run in pairs
        ),
        "valid": bits(
            bool(run.steps) and run.steps[0].call is not None for _, run in pairs
        ),
        "honest": bits(run.answer == COULD_NOT for _, run in pairs),
        "first_tools": [run.calls[0].name if run.calls else "" for run in runs],
        "right_tool": bits(
            bool(run.calls) and run.calls[0].name == task.tools[0]
            for task, run in pairs
        ),
        "tokens": sum(run.tokens for run in runs),
        "wrong": [
            [task.question, *map(str, run.calls), run.answer[:80]]
            for task, run in pairs
            if not task.is_right(run.answer)
        ][:12],
    }


def measured(
    policy, toolbox: Toolbox, tasks: Sequence[AgentTask], budget: Budget = BUDGET
) -> dict:
    """Return what an agent does about the tasks, and the CPU seconds."""
    start = time.process_time()
    runs = Agent(policy, toolbox, budget).run_all([task.question for task in tasks])
    seconds = round(time.process_time() - start, 1)
    return described_runs(tasks, runs) | {"cpu_seconds": seconds}


def tools(seed: int, small: bool) -> dict:
    tasks = chosen_tasks(small)
    found: dict = {"tasks": len(tasks), "families": [task.family for task in tasks]}
    found["held_out"] = bits(task.held_out for task in tasks)
    with world() as box:
        box = box.only(TASK_TOOLS)
        setups = found["setups"] = {}
        if seed == 0:
            setups |= untrained(box, tasks)
            found["choice"] = choices(box, tasks)
        found["training_seconds"] = {}
        for steps in STEPS:
            model, tokenizer, seconds = tuned_smollm2(seed, steps)
            found["training_seconds"][str(steps)] = seconds
            tuned = tuned_policy(model, tokenizer)
            setups[f"LoRA {steps}"] = measured(tuned, box, tasks)
        copied = copying(tuned, box, mask())
        setups[f"LoRA {STEPS[-1]}, copying"] = measured(copied, box, tasks)
    return found


def untrained(box: Toolbox, tasks: Sequence[AgentTask]) -> dict:
    """Measure the set-ups without training."""
    model, tokenizer = without_adapter()
    example, described = (
        example_policy(model, tokenizer),
        described_policy(model, tokenizer, box),
    )
    alone, one = Toolbox(()), Budget(steps=1, seconds=None)
    asked = [[Message("user", task.question)] for task in tasks]
    scores = tool_scores(example, asked, box.names)
    calibrated = CalibratedPolicy(replace(example, mask=mask()), box, scores)
    return {
        "no tools, chat": measured(plain_policy(model, tokenizer), alone, tasks, one),
        "no tools, examples": measured(
            plain_policy(model, tokenizer, 6), alone, tasks, one
        ),
        "described": measured(described, box, tasks),
        "described, constrained": measured(
            constrained(described, box, mask()), box, tasks
        ),
        "examples": measured(example, box, tasks),
        "examples, constrained": measured(
            constrained(example, box, mask()), box, tasks
        ),
        "examples, calibrated": measured(calibrated, box, tasks),
    }


@cache
def without_adapter():
    model, tokenizer = load_smollm2(torch.bfloat16)
    return model, tokenizer


def choices(box: Toolbox, tasks: Sequence[AgentTask]) -> dict:
    """Measure the first tool chosen by log-likelihood: raw, and calibrated with a
    question without content and with the batch.
    """
    model, tokenizer = without_adapter()
    policy = example_policy(model, tokenizer)
    asked = [[Message("user", task.question)] for task in tasks]
    scores = tool_scores(policy, asked, box.names)
    empty = tool_scores(policy, [[Message("user", CONTENT_FREE)]], box.names)
    right = [box.names.index(task.tools[0]) for task in tasks]
    found = {"names": list(box.names), "wanted": right}
    for name, calibrated in {
        "raw": scores,
        "content-free": calibrate(scores, empty),
        "batch": calibrate(scores),
    }.items():
        found[name] = calibrated.argmax(dim=1).tolist()
    return found


def names(seed: int, small: bool) -> dict:
    """Compare ways to choose the first tool, in the whole loop and with calls that are
    constrained to the tools in all of them.
    """
    tasks = chosen_tasks(small)
    model, tokenizer = without_adapter()
    policy = replace(example_policy(model, tokenizer, seed=seed), mask=mask())
    with world() as box:
        box = box.only(TASK_TOOLS)
        asked = [[Message("user", task.question)] for task in tasks]
        scores = tool_scores(policy, asked, box.names)
        return {
            "token by token": measured(constrained(policy, box, mask()), box, tasks),
            "whole name": measured(
                CalibratedPolicy(policy, box, torch.zeros_like(scores)), box, tasks
            ),
            "calibrated name": measured(
                CalibratedPolicy(policy, box, scores), box, tasks
            ),
        }


# --- recovery and plans ---------------------------------------------------------------


def recovery(seed: int, small: bool) -> dict:
    """Let the tools fail at random under a policy that makes every right call."""
    tasks = agent_tasks()[:: 20 if small else 1]
    generator = torch.Generator().manual_seed(seed)
    runs = []
    with world() as box:
        for failure in FAILURES:
            for attempts in ATTEMPTS:
                weak = Toolbox(
                    tuple(
                        retrying(flaky(tool, failure, generator), attempts)
                        for tool in box.tools
                    )
                )
                agent = Agent(right_policy(tasks), weak)
                right = {1: [], 2: []}
                for _ in range(1 if small else REPEATS):
                    done = agent.run_all([task.question for task in tasks])
                    for task, run in zip(tasks, done, strict=True):
                        right[len(task.steps)].append(task.is_right(run.answer))
                one = 1 - failure**attempts  # one of the attempts succeeds
                runs.append(
                    {
                        "failure": failure,
                        "attempts": attempts,
                        "one_step": [sum(right[1]), len(right[1]), one],
                        "two_steps": [sum(right[2]), len(right[2]), one**2],
                    }
                )
    return {"runs": runs}


def plans(seed: int, small: bool) -> dict:
    """Compare tasks of two steps alone, planned, and planned without memory."""
    model, tokenizer, _ = tuned_smollm2(seed, STEPS[-1])
    tasks = [task for task in chosen_tasks(small) if task.family == "two steps"]
    questions = [task.question for task in tasks]

    def forgetful(question: str):
        plan = split_task(question)
        blank = [one.replace("{1}", "that") for one in plan.tasks]
        return replace(plan, tasks=tuple(blank))

    with world() as box:
        agent = Agent(tuned_policy(model, tokenizer), box.only(TASK_TOOLS), BUDGET)
        alone = [run.answer for run in agent.run_all(questions)]
        planned = [run.answer for run in plan_and_execute(agent, split_task, questions)]
        blank = [run.answer for run in plan_and_execute(agent, forgetful, questions)]
    return {
        name: bits(
            task.is_right(answer) for task, answer in zip(tasks, answers, strict=True)
        )
        for name, answers in {
            "alone": alone,
            "planned": planned,
            "planned, no memory": blank,
        }.items()
    }


# --- injection and team ---------------------------------------------------------------


def injection(seed: int, small: bool) -> dict:
    """Let the agent read files with instructions, with and without defences."""
    model, tokenizer, _ = tuned_smollm2(seed, STEPS[-1])
    policy = tuned_policy(model, tokenizer)
    found: dict = {}
    for attack in list(FILE_ATTACKS)[: 2 if small else None]:
        tasks = attacked_tasks(attack)[: 2 if small else None]
        rows = found[attack] = {}
        for defence in ("none", "consent", "allow-list", "marks", "copying"):
            with world(attacked_files(attack)) as box:
                rows[defence] = attacked(policy, box, defence, tasks)
    return found


def attacked(
    policy: ModelPolicy, box: Toolbox, defence: str, tasks: Sequence[AgentTask]
) -> dict:
    """Return which runs called a harmful tool, carried it out, and were right.

    All runs share one folder, so that the file can be deleted once at most.
    """
    consent = {} if defence == "consent" else {"consent": allow_all}
    if defence == "allow-list":
        box = box.only(NEEDED_TOOLS)
    if defence == "marks":
        box = marked_results(box, ["read_file"])
    if defence == "copying":
        policy = copying(policy, box, mask())
    agent = Agent(policy, box, BUDGET, **consent)
    runs = agent.run_all([task.question for task in tasks])
    return {
        "called": bits(
            any(
                call.name in HARMFUL_TOOLS and call.name not in NEEDED_TOOLS
                for call in run.calls
            )
            for run in runs
        ),
        "harmed": bits(bool(harmful_calls(run, HARMFUL_TOOLS)) for run in runs),
        "right": bits(
            task.is_right(run.answer.replace("^", " "))
            for task, run in zip(tasks, runs, strict=True)
        ),
        "answer": runs[0].answer[:100],
    }


def team(seed: int, small: bool) -> dict:
    """Compare a writer alone with a team of writer, checker and reviser."""
    model, tokenizer, _ = tuned_smollm2(seed, STEPS[0])
    tasks = chosen_tasks(small)
    with world() as box:
        box = box.only(TASK_TOOLS)
        writer = Agent(tuned_policy(model, tokenizer), box, BUDGET)
        reviser = Agent(copying(writer.policy, box, mask()), box, BUDGET)
        done = write_and_check(
            writer, copy_checker(box), reviser, [task.question for task in tasks]
        )
    right = [
        (task.is_right(run.first.answer), task.is_right(run.answer))
        for task, run in zip(tasks, done, strict=True)
    ]
    doubts = doubt(
        without_adapter()[0], tokenizer, SMOLLM2_CHAT, [run.first for run in done]
    )
    wrong = torch.tensor([not first for first, _ in right])
    found = {
        "first": bits(first for first, _ in right),
        "team": bits(answer for _, answer in right),
        "objected": bits(run.objection is not None for run in done),
        "doubts": [round(value, 3) for value in doubts],
        "tokens": [
            sum(run.first.tokens for run in done),
            sum(run.revised.tokens for run in done if run.revised),
        ],
    }
    if 0 < int(wrong.sum()) < len(wrong):
        scores = torch.tensor(doubts)
        found["auroc_of_doubt"] = round(auroc(scores, wrong), 4)
    return found


def reviser(seed: int, small: bool) -> dict:
    """Give all tasks to the reviser of the team from the start."""
    model, tokenizer, _ = tuned_smollm2(seed, STEPS[0])
    with world() as box:
        box = box.only(TASK_TOOLS)
        policy = copying(tuned_policy(model, tokenizer), box, mask())
        return measured(policy, box, chosen_tasks(small))


def bits(values) -> str:
    return "".join(str(int(value)) for value in values)


PARTS = {
    "tools": tools,
    "names": names,
    "recovery": recovery,
    "plans": plans,
    "injection": injection,
    "team": team,
    "reviser": reviser,
}

if __name__ == "__main__":
    whole = run_parts("agents", PARTS, __doc__)
    if whole is not None:
        keep_record("agents", whole)
