"""The agent's tasks: solvable with the tools, and apart from the traces."""

import sys
from collections import Counter

import pytest

from genai_tutorial.agents import (
    Agent,
    ToolCall,
    call_pattern,
    copying_pattern,
    harmful_calls,
    write_call,
)
from genai_tutorial.generation import matches, parse_regex
from genai_tutorial.pretrained import load_smollm2_tokenizer
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks.tool_use import (
    FILE_ATTACKS,
    HARMFUL_TOOLS,
    TASK_TOOLS,
    VICTIM,
    AgentTask,
    agent_tasks,
    agent_toolbox,
    attacked_files,
    attacked_tasks,
    encode_traces,
    families,
    right_policy,
    split_task,
    taught_tasks,
    trace,
    world_of_tasks,
    write_files,
)
from genai_tutorial.tasks.tool_use.policies import AGENT_CHAT
from genai_tutorial.tasks.tool_use.tasks import FAMILIES, TAUGHT_FAMILIES
from genai_tutorial.tasks.tool_use.world import taught_world

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="programs are not run on Windows"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def toolbox(folder):
    write_files(folder, world_of_tasks().files)
    with ProgramRunner() as runner:
        yield agent_toolbox(folder, runner)


def test_agent_tasks_are_sixty_in_six_families():
    tasks = agent_tasks()
    assert Counter(task.family for task in tasks) == dict.fromkeys(FAMILIES, 10)
    assert len({task.question for task in tasks}) == 60
    assert sum(task.held_out for task in tasks) == 30
    assert all(len(task.steps) == 1 + (task.family == "two steps") for task in tasks)


def test_constant_answer_solves_few_tasks():
    """No answer is right for more than a tenth of the tasks, nor is echoing."""
    tasks = agent_tasks()
    answers = {task.answer for task in tasks}
    best = max(sum(task.is_right(answer) for task in tasks) for answer in answers)
    assert best <= 6
    assert sum(task.is_right(task.question) for task in tasks) <= 6


@posix
def test_right_calls_solve_all_tasks(toolbox):
    runs = Agent(right_policy(agent_tasks()), toolbox.only(TASK_TOOLS)).run_all(
        [task.question for task in agent_tasks()]
    )
    for task, run in zip(agent_tasks(), runs, strict=True):
        assert [step.result.text for step in run.steps[:-1]] == [
            result for _, result in task.steps
        ]
        assert task.is_right(run.answer)


@posix
@pytest.mark.slow
def test_right_calls_are_allowed_by_both_patterns(toolbox):
    """Constraints never forbid what the task needs: every fourth task."""
    schemas = toolbox.only(TASK_TOOLS).schemas
    valid = parse_regex(call_pattern(schemas))
    for task in agent_tasks()[1::4]:
        sources = [task.question]
        for call, result in task.steps:
            text = write_call(call).encode()
            assert matches(valid, text)
            assert matches(parse_regex(copying_pattern(schemas, sources)), text), text
            sources.append(result)


def test_traces_share_nothing_with_the_tasks():
    tested, taught = world_of_tasks(), taught_world()
    assert not {f.country for f in tested.facts} & {f.country for f in taught.facts}
    assert not set(tested.words) & set(taught.words)
    assert not set(tested.files) & set(taught.files)
    traces = taught_tasks(420)
    assert {task.family for task in traces} == set(TAUGHT_FAMILIES)
    assert not {task.question for task in agent_tasks()} & {t.question for t in traces}
    assert not any(task.held_out for task in traces)
    assert {c for t in traces for c in t.tools} == {*TASK_TOOLS, "write_file"}


def test_held_out_phrasings_are_in_no_trace():
    def shape(task):
        words = task.question.split()
        return " ".join(word for word in words if word.isalpha() and word.islower())

    taught = {shape(task) for task in taught_tasks(420) if task.family == "Factbook"}
    tested = [task for task in agent_tasks() if task.family == "Factbook"]
    assert not {shape(task) for task in tested if task.held_out} & taught


def test_taught_tasks_depend_on_the_seed():
    assert taught_tasks(20, 0) == taught_tasks(20, 0) != taught_tasks(20, 1)


@pytest.mark.parametrize(
    ("right", "answer", "is_right"),
    [
        ("731", "731", True),
        ("731", "796 minus 65 is 731.", True),
        ("731", "It is 731, not 700", False),
        ("1298", "The sum is 1,298.", True),
        ("-5", "-5", True),
        ("5", "-5", False),
        ("Riga", "the capital is riga.", True),
        ("Riga", "Rigamarole", False),
        (".lv", "It is .lv", True),
        ("Anna has the tickets.", "Anna has the tickets", True),
    ],
)
def test_is_right_is_lenient_about_form(right, answer, is_right):
    task = AgentTask("?", "words", ((ToolCall("f", {}), right),), False)
    assert task.is_right(answer) == is_right


@pytest.mark.slow
def test_encode_traces_marks_exactly_what_the_agent_writes():
    tokenizer = load_smollm2_tokenizer()
    tasks = taught_tasks(7)
    rows = encode_traces(tokenizer, tasks)
    for row, task in enumerate(tasks):
        written = rows.ids[row][rows.is_answer[row]].tolist()
        messages = [m.content for m in trace(task) if m.role == "assistant"]
        assert tokenizer.decode(written) == "".join(f"{m}<|im_end|>" for m in messages)
        ids = rows.ids[row, : int(rows.lengths[row])].tolist()
        asked = AGENT_CHAT.encode(tokenizer, trace(task)[:1])
        assert ids[: len(asked)] == asked


def test_families_counts_right_answers():
    right = [task.family == "files" for task in agent_tasks()]
    found = families(agent_tasks(), right)
    assert found == dict.fromkeys(FAMILIES, 0) | {"files": 10}


def test_split_task_finds_both_steps():
    for task in agent_tasks():
        plan = split_task(task.question)
        assert len(plan.tasks) == len(task.steps), task.question
        country = task.steps[0][0].arguments.get("country")
        if len(plan.tasks) == 2 and country:
            assert plan.tasks[0] == f"What is the capital of {country}?"


@posix
@pytest.mark.parametrize("attack", FILE_ATTACKS)
def test_attacked_files_hold_the_text_that_the_tasks_ask_for(toolbox, folder, attack):
    write_files(folder, attacked_files(attack))
    tasks = attacked_tasks(attack)
    agent = Agent(right_policy(tasks), toolbox)
    runs = agent.run_all([task.question for task in tasks])
    for task, run in zip(tasks, runs, strict=True):
        assert run.steps[0].result.text == task.answer
        assert not harmful_calls(run, HARMFUL_TOOLS)
    assert (folder / VICTIM).exists()


def test_attacked_files_needs_a_known_attack():
    with pytest.raises(ValueError, match="attack must be one of none, order"):
        attacked_files("loud")
