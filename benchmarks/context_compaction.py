"""Facts lost by compaction: an agent reads a fact in its first step and goes on
working, and its context is cut, summarized or noted down whenever it is full.
"""

import random
import tempfile
from collections.abc import Callable, Sequence
from functools import cache

import torch

from genai_tutorial.agents import (
    Agent,
    Budget,
    FileJail,
    Toolbox,
    allow_all,
    compacted,
    editing_tools,
    file_tools,
    last_results,
    result_message,
    run_tests_tool,
    shortened,
)
from genai_tutorial.generation import generate_all
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.retrieval import BM25Index
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks.code import (
    RepairPolicy,
    draw_repositories,
    reversed_mutations,
)
from genai_tutorial.tokenization import SMOLLM2_CHAT, Message

ROOM, SESSIONS, STEPS, ASKED_AT = 300, 6, 10, 6
SUMMARY_TOKENS, NOTE_TOKENS, ANSWER_TOKENS = 48, 48, 24
TASK = "Make all tests pass. Read README.md first."
FACTS = (
    ("Ask {} before every release.", "Who must be asked before every release?"),
    ("The main branch is called {}.", "What is the main branch called?"),
    ("Releases go to the server {}.", "To which server do releases go?"),
    ("Never change the file {}.", "Which file must never be changed?"),
    ("Each commit message begins with {}.", "With what do commit messages begin?"),
    ("Report problems to {}.", "To whom are problems reported?"),
)
NAMES = (
    "marlow",
    "kestrel",
    "juniper",
    "halden",
    "orchid",
    "tamsin",
    "vesper",
    "quill",
)
AROUND = (
    "This folder has two modules with three functions each.",
    "The tests are in tests.py and need no other package.",
    "The functions work on lists of numbers and on lists of words.",
)
SUMMARIZE = (
    "Summarize these notes of your work so far in at most three sentences. Keep every "
    "name and every rule.\n\n"
)
NOTE = "Write one short note of what is worth remembering in this text.\n\n"
"""Both prompts were written before anything was measured."""


@cache
def smollm2():
    return load_smollm2(torch.bfloat16)


def answers(prompts: Sequence[str], tokens: int) -> list[str]:
    """Return SmolLM2's greedy answer to each prompt."""
    model, tokenizer = smollm2()
    encoded = [
        SMOLLM2_CHAT.encode(tokenizer, [Message("user", prompt)]) for prompt in prompts
    ]
    end = tokenizer.special_tokens[SMOLLM2_CHAT.end]
    written = generate_all(model, encoded, tokens, end_tokens={end}, batch_size=16)
    return [tokenizer.decode(ids).strip() for ids in written]


@cache
def tokens_of(text: str) -> int:
    return len(smollm2()[1].encode(text))


def length(conversation: Sequence[Message]) -> int:
    """Return the length of a conversation in SmolLM2's tokens."""
    return sum(tokens_of(one.content) for one in conversation)


def draw_session(seed: str, steps: int) -> dict:
    """Return a conversation of so many steps, with a fact in the result of the first,
    and the question about it. The other steps are an agent's real ones, which repairs
    one repository after another.
    """
    draws = random.Random(seed)
    sentence, question = draws.choice(FACTS)
    value = f"{draws.choice(NAMES)}-{draws.randint(10, 99)}"
    lines = draws.sample(AROUND, 2)
    lines.insert(draws.randint(0, 2), sentence.format(value))
    turns = [
        Message("assistant", '{"name":"read_file","arguments":{"path":"README.md"}}'),
        result_message("\n".join(lines)),
    ]
    repositories = draw_repositories(1 + steps // 4, draws.randrange(10**6), False)
    with ProgramRunner() as runner:
        while len(turns) < 2 * steps:
            turns += working_turns(repositories.pop(), runner)
    return {
        "conversation": [Message("user", TASK), *turns[: 2 * steps]],
        "value": value,
        "question": question,
    }


def working_turns(repository, runner) -> list[Message]:
    """Return the calls and results of a repair."""
    with tempfile.TemporaryDirectory() as folder:
        jail = FileJail(folder)
        for path, text in repository.files.items():
            jail.write(path, text)
        tools = (*file_tools(jail), *editing_tools(jail), run_tests_tool(jail, runner))
        run = Agent(
            RepairPolicy(reversed_mutations),
            Toolbox(tools),
            Budget(steps=100, seconds=None),
            allow_all,
            refuses_repeats=False,
        ).run(TASK)
    turns = []
    for step in run.steps:
        if step.result is not None:
            turns += [
                Message("assistant", step.reply),
                result_message(step.result.text),
            ]
    return turns


def truncated(conversation: Sequence[Message]) -> list[Message]:
    """Leave out the oldest calls and results, as few as possible."""
    return shortened(conversation, length, ROOM, lambda results: "(left out)")


def pinned(conversation: Sequence[Message]) -> list[Message]:
    """Keep the task with the first call and result, and truncate the rest."""
    first, rest = conversation[1:3], [conversation[0], *conversation[3:]]
    room = ROOM - length(first)
    task, *kept = shortened(rest, length, room, lambda results: "(left out)")
    return [task, *first, *kept]


def searched(conversation: Sequence[Message], question: str) -> list[Message]:
    """Truncate, and add the two lines of all results so far that share the most words
    with the question: everything is noted, and nothing is chosen.
    """
    lines = [line for text in last_results(conversation) for line in text.splitlines()]
    lines = list(dict.fromkeys(line for line in lines if line.strip()))
    found = [lines[place] for place in BM25Index(lines).search(question, k=2)]
    return [*truncated(conversation), Message("user", "Notes: " + " ".join(found))]


def text_of(conversation: Sequence[Message]) -> str:
    return "\n".join(message.content for message in conversation)


def steps_until_lost(
    session: dict, compact: Callable[[Sequence[Message]], list[Message]]
) -> int:
    """Return after how many steps a context of `ROOM` tokens has lost the fact; one
    more than there are if it never does.
    """
    conversation = session["conversation"]
    for step in range(1, len(conversation) // 2 + 1):
        if session["value"] not in text_of(compact(conversation[: 1 + 2 * step])):
            return step
    return len(conversation) // 2 + 1


def summarize_sessions(sessions: Sequence[dict], steps: int) -> dict:
    """Return when SmolLM2's summaries of summaries have lost the fact, how many there
    were until then, and the contexts at step `ASKED_AT`.
    """
    contexts = [session["conversation"][:1] for session in sessions]
    lost, summaries = [steps + 1] * len(sessions), [0] * len(sessions)
    asked: list[str] = [""] * len(sessions)
    for step in range(1, steps + 1):
        waiting = {}
        for place, session in enumerate(sessions):
            if lost[place] <= steps and step > ASKED_AT:
                continue
            turns = session["conversation"][2 * step - 1 : 2 * step + 1]
            contexts[place] = [*contexts[place], *turns]
            if length(contexts[place]) > ROOM:
                waiting[place] = last_results(contexts[place][:-2])
        prompts = [SUMMARIZE + "\n".join(results) for results in waiting.values()]
        written = answers(prompts, SUMMARY_TOKENS) if prompts else []
        for place, text in zip(waiting, written, strict=True):
            summary = lambda results, text=text: text  # noqa: E731
            contexts[place] = compacted(contexts[place], length, ROOM, summary)
            summaries[place] += lost[place] > steps
        for place, session in enumerate(sessions):
            text = text_of(contexts[place])
            if lost[place] > steps and session["value"] not in text:
                lost[place] = step
            if step == ASKED_AT:
                asked[place] = text
    return {"lost": lost, "summaries": summaries, "contexts": asked}


def measure_compaction(seed: int, small: bool) -> dict:
    """Return after how many steps each session has lost its fact, for each way to keep
    the context short, and whether SmolLM2 answers from what is left after six steps.
    """
    steps = ASKED_AT if small else STEPS
    count = 2 if small else SESSIONS
    sessions = [draw_session(f"{seed} {number}", steps) for number in range(count)]
    summarized = summarize_sessions(sessions, steps)
    notes = answers(
        [NOTE + text_of(s["conversation"][2:3]) for s in sessions], NOTE_TOKENS
    )
    kept = [s["value"] in note for s, note in zip(sessions, notes, strict=True)]
    lost = {
        "truncation": [steps_until_lost(s, truncated) for s in sessions],
        "summaries by SmolLM2": summarized["lost"],
        "first result kept": [steps_until_lost(s, pinned) for s in sessions],
        "every line noted and searched": [
            steps_until_lost(s, lambda c, s=s: searched(c, s["question"]))
            for s in sessions
        ],
    }
    at = [s["conversation"][: 1 + 2 * ASKED_AT] for s in sessions]
    contexts = {
        "truncation": [text_of(truncated(one)) for one in at],
        "summaries by SmolLM2": summarized["contexts"],
        "first result kept": [text_of(pinned(one)) for one in at],
        "every line noted and searched": [
            text_of(searched(one, s["question"]))
            for one, s in zip(at, sessions, strict=True)
        ],
    }
    answered = {}
    for name, texts in contexts.items():
        prompts = [
            f"{text}\n\n{s['question']} Answer with the name only."
            for text, s in zip(texts, sessions, strict=True)
        ]
        said = answers(prompts, ANSWER_TOKENS)
        answered[name] = [
            s["value"] in one for s, one in zip(sessions, said, strict=True)
        ]
    return {
        "lost": lost,
        "summaries": summarized["summaries"],
        "note has the fact": kept,
        "notes": notes[:3],
        "tokens when asked": [length(one) for one in at],
        "answered": answered,
        "steps": steps,
        "room": ROOM,
    }
