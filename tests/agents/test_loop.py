"""The loop: calls are carried out, budgets end it, and consent is asked."""

import math
import threading
import time
from dataclasses import replace

import pytest

from genai_tutorial.agents import (
    COULD_NOT,
    Agent,
    Budget,
    Ending,
    Reply,
    ScriptedPolicy,
    Tool,
    Toolbox,
    ToolCall,
    ToolError,
    allow_all,
    show_run,
    write_call,
)
from genai_tutorial.agents.wrappers import limited


def double(n: int) -> int:
    """Double a number."""
    return 2 * n


class Safe:
    """A safe that can be opened once, for good."""

    def __init__(self):
        self.opened = 0

    def tool(self) -> Tool:
        def open_safe(code: str) -> str:
            """Open the safe."""
            self.opened += 1
            return "It is open."

        return Tool.from_function(open_safe, needs_consent=True)


def call(name, **arguments):
    return write_call(ToolCall(name, arguments))


def agent(*script, budget=None, tools=(), **settings):
    policy = ScriptedPolicy({"Task": script})
    box = Toolbox((Tool.from_function(double), *tools))
    return Agent(policy, box, budget or Budget(), **settings)


def test_agent_calls_tools_until_there_is_an_answer():
    run = agent(call("double", n=2), call("double", n=4), "It is 8.").run("Task")
    assert run.answer == "It is 8."
    assert run.ending is Ending.ANSWERED
    assert [step.result.text for step in run.steps[:-1]] == ["4", "8"]
    assert [one.arguments["n"] for one in run.calls] == [2, 4]


def test_agent_reads_errors_and_goes_on():
    run = agent(
        '{"name":"double"', call("triple", n=2), call("double", n="2"), "none"
    ).run("Task")
    assert [step.result.is_error for step in run.steps[:-1]] == [True] * 3
    assert run.steps[0].call is None
    assert "not valid JSON" in run.steps[0].result.text
    assert "no tool 'triple'" in run.steps[1].result.text
    assert run.answer == "none"


def test_agent_says_that_it_could_not_when_steps_run_out():
    script = [call("double", n=n) for n in range(9)]
    run = agent(*script, budget=Budget(steps=3)).run("Task")
    assert (run.answer, run.ending) == (COULD_NOT, Ending.OUT_OF_STEPS)
    assert len(run.steps) == 3


def test_agent_stops_when_tokens_or_time_run_out():
    class Wordy(ScriptedPolicy):
        def replies(self, conversations):
            return [Reply(one.text, 40) for one in super().replies(conversations)]

    script = {"Task": [call("double", n=n) for n in range(9)]}
    box = agent().toolbox
    run = Agent(Wordy(script), box, Budget(steps=9, tokens=100)).run("Task")
    assert (run.ending, run.tokens) == (Ending.OUT_OF_TOKENS, 120)
    run = Agent(Wordy(script), box, Budget(steps=9, seconds=1e-9)).run("Task")
    assert (run.ending, len(run.steps)) == (Ending.OUT_OF_TIME, 1)


def test_agent_that_repeats_a_call_is_refused_and_then_stopped():
    script = [call("double", n=2)]
    run = agent(*script, budget=Budget(steps=9)).run("Task")
    assert run.ending is Ending.STUCK
    assert run.answer == COULD_NOT
    assert [step.result.is_error for step in run.steps] == [False, True, True]
    loose = agent(*script, budget=Budget(steps=9), refuses_repeats=False)
    assert loose.run("Task").ending is Ending.OUT_OF_STEPS


def test_agent_may_recover_from_a_refused_repeat():
    first = call("double", n=2)
    run = agent(first, first, "4").run("Task")
    assert (run.ending, run.answer) == (Ending.ANSWERED, "4")


@pytest.mark.parametrize(("settings", "opened"), [({}, 0), ({"consent": allow_all}, 1)])
def test_agent_asks_for_consent_and_refuses_by_default(settings, opened):
    safe = Safe()
    script = (call("open_safe", code="1"), "done")
    run = agent(*script, tools=[safe.tool()], **settings).run("Task")
    assert safe.opened == opened
    assert run.steps[0].result.is_error == (not opened)


def test_consent_is_asked_only_for_valid_calls():
    asked = []
    safe = Safe()
    settings = {"tools": [safe.tool()], "consent": lambda one: asked.append(one)}
    agent(call("open_safe", key="1"), "done", **settings).run("Task")
    assert asked == []
    agent(call("open_safe", code="1"), "done", **settings).run("Task")
    assert asked == [ToolCall("open_safe", {"code": "1"})]
    assert safe.opened == 0


@pytest.mark.parametrize("answer", ["no", "yes", 1, object(), [True]])
def test_consent_is_true_and_nothing_else(answer):
    safe = Safe()
    settings = {"tools": [safe.tool()], "consent": lambda one: answer}
    agent(call("open_safe", code="1"), "done", **settings).run("Task")
    assert safe.opened == 0


def test_run_all_equals_runs_of_each_task():
    scripts = {
        "short": ["4"],
        "long": [call("double", n=n) for n in range(4)] + ["6"],
        "broken": ["{", call("double", n=1), "2"],
    }
    one = Agent(ScriptedPolicy(scripts), agent().toolbox)
    assert one.run_all(list(scripts)) == [one.run(task) for task in scripts]
    assert one.run_all([]) == []


@pytest.mark.parametrize("field", ["steps", "tokens", "seconds"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_budget_must_be_positive_and_finite(field, value):
    with pytest.raises(ValueError, match="must be positive and finite"):
        replace(Budget(), **{field: value})


@pytest.fixture
def hanging():
    """A tool that does not return before the end of the test."""
    over = threading.Event()

    def wait(n: int) -> str:
        """Wait."""
        over.wait(60)
        return "at last"

    yield Tool.from_function(wait)
    over.set()


def test_budget_ends_a_call_that_hangs(hanging):
    start = time.monotonic()
    run = agent(call("wait", n=1), "done", tools=[hanging], budget=Budget(seconds=0.2))
    run = run.run("Task")
    assert time.monotonic() - start < 30
    assert (run.ending, run.answer) == (Ending.OUT_OF_TIME, COULD_NOT)
    assert "wait was given up after" in run.steps[0].result.text


def test_budget_does_not_end_a_call_without_limit_or_a_question():
    """A person may think for longer than the call may take."""
    here = []

    def where(n: int) -> int:
        """Note the thread."""
        here.append(threading.current_thread() is threading.main_thread())
        return n

    tool = Tool.from_function(where, needs_consent=True)
    script, asked = (call("where", n=1), "done"), []

    def consent(one):
        asked.append(threading.current_thread() is threading.main_thread())
        return True

    for seconds in (None, 60):
        budget = Budget(seconds=seconds)
        run = agent(*script, tools=[tool], budget=budget, consent=consent).run("Task")
        assert run.answer == "done"
    assert (here, asked) == ([True, False], [True, True])


def test_limited_call_raises_what_the_tool_raises():
    def fail(n: int) -> int:
        """Fail."""
        raise ToolError(f"{n} is odd.")

    box = limited(Toolbox((Tool.from_function(fail), Tool.from_function(double))), 60)
    assert box.call(ToolCall("fail", {"n": 3})).text == "Error: 3 is odd."
    assert box.call(ToolCall("double", {"n": 3})).text == "6"


def test_agent_shows_the_policy_the_conversation_and_the_watcher_each_turn():
    seen = []
    script = [call("double", n=1), "2"]

    class Watching(ScriptedPolicy):
        def replies(self, conversations):
            seen.extend([message.content for message in one] for one in conversations)
            return super().replies(conversations)

    policy = Watching({"Task": script})
    Agent(policy, agent().toolbox, watch=lambda s: seen.append(s.reply)).run("Task")
    whole = ["Task", script[0], "Result: 2"]
    assert seen == [["Task"], script[0], whole, script[1]]


def test_show_run_has_calls_results_and_answer():
    text = show_run(agent(call("double", n=2), "It is 4.").run("Task"))
    assert "double(n=2)" in text
    assert "result 4" in text
    assert text.endswith("Answer  It is 4.  (answered)")
