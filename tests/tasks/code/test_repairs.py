"""Repositories with a planted fault, and the agents that repair them."""

import sys

import pytest

from genai_tutorial.agents import (
    COULD_NOT,
    TESTS_FILE,
    Agent,
    Budget,
    FileJail,
    Toolbox,
    allow_all,
    editing_tools,
    file_tools,
    refuse_all,
    run_tests_tool,
)
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks.code import (
    CodeModel,
    RepairPolicy,
    draw_repositories,
    infilled,
    likeliest_first,
    resampled,
    reversed_mutations,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="programs are not run on Windows"
)


class Model(CodeModel):
    """Writes the same bodies always, and likes short ones."""

    def __init__(self, *bodies):
        object.__setattr__(self, "bodies", bodies)
        object.__setattr__(self, "prompts", [])

    def sample(self, prompts, samples):
        self.prompts.extend(prompts)
        return [list(self.bodies) for _ in prompts]

    def explain(self, programs):
        return ["Explained."] * len(programs)

    def log_likelihoods(self, prompt, bodies):
        self.prompts.append(prompt)
        return [-len(body) for body in bodies]


@pytest.fixture
def work(tmp_path):
    """Return a function that lets an agent work on files, and the jail."""
    jail = FileJail(tmp_path)

    def repair(files, policy, consent=allow_all):
        for path, text in files.items():
            jail.write(path, text)
        with ProgramRunner() as runner:
            tools = (
                *file_tools(jail),
                *editing_tools(jail),
                run_tests_tool(jail, runner),
            )
            agent = Agent(
                policy,
                Toolbox(tools),
                Budget(steps=100, seconds=None),
                consent,
                refuses_repeats=False,
            )
            return agent.run("Make all tests pass.")

    return repair, jail


FILES = {
    "a.py": "def f(x):\n    return x - 1\n\n\ndef g(x):\n    return x - 1\n",
    TESTS_FILE: "import a\nassert a.f(1) == 2\nassert a.g(1) == 0\n",
}


@pytest.mark.slow
def test_repositories_have_one_fault_that_the_tests_notice(work):
    repair, _jail = work
    with_text, without = (draw_repositories(3, 0, has) for has in (True, False))
    for one, bare in zip(with_text, without, strict=True):
        assert one.function == bare.function
        assert '"""' in one.files["amounts.py"]
        assert '"""' not in bare.files["amounts.py"]
        assert one.files[TESTS_FILE] == bare.files[TESTS_FILE]
        run = repair(bare.files, RepairPolicy(list))  # tries nothing
        assert run.answer == COULD_NOT
        assert f".{bare.function}(" in run.steps[0].result.text
        repaired = repair(bare.files, RepairPolicy(reversed_mutations))
        assert repaired.answer == "All 24 tests pass."
    assert with_text[0].files != with_text[1].files


def test_repair_edits_until_the_tests_pass(work):
    repair, jail = work
    tried = ["def f(x):\n    return x", "def f(x):\n    return x + 1", "def f(x): 1"]
    run = repair(FILES, RepairPolicy(lambda source: tried))
    names = [call.name for call in run.calls]
    assert names == ["run_tests", "read_file", *["edit_file", "run_tests"] * 2]
    assert run.answer == "All 2 tests pass."
    assert jail.read("a.py") == FILES["a.py"].replace("x - 1", "x + 1", 1)


def test_repair_that_fails_restores_the_file(work):
    repair, jail = work
    bad = ["def f(x):\n    return 7", "def f(x", "def f(x):\n    return 7"]
    for runs in (1, 20):
        run = repair(FILES, RepairPolicy(lambda source: bad, runs))
        assert run.answer == COULD_NOT
        assert [call.name for call in run.calls].count("run_tests") == 2
        assert jail.read("a.py") == FILES["a.py"]


def test_repair_stops_where_it_may_not_edit(work):
    repair, _jail = work
    policy = RepairPolicy(lambda source: ["def f(x):\n    return x + 1"])
    run = repair(FILES, policy, refuse_all)
    assert run.answer == COULD_NOT
    assert len(run.calls) == 3


def test_repair_gives_up_on_tests_that_it_cannot_read(work):
    repair, _jail = work
    for tests in ("assert False\n", "from a import f\nassert f(1) == 2\n"):
        run = repair({**FILES, TESTS_FILE: tests}, RepairPolicy(reversed_mutations))
        assert run.answer == COULD_NOT


def test_reversed_mutations_keep_quotes_and_docstrings():
    source = 'def f(x):\n    """Return "a"."""\n    return not "a".join(x)'
    assert source.replace("not ", "") in reversed_mutations(source)


def test_resampled_reads_the_head_alone():
    model = Model("\n    return 1", "\n    return 2")
    source = 'def f(x):\n    """Return it."""\n    return 3'
    assert resampled(model)(source) == [
        source.replace("3", "1"),
        source.replace("3", "2"),
    ]
    assert model.prompts == ['def f(x):\n    """Return it."""']


def test_likeliest_first_orders_by_the_model_and_explains_what_is_bare():
    versions = ["def f(x):\n    return x + 100", "def f(x):\n    return x"]
    model = Model()
    assert likeliest_first(model, lambda _: versions)(versions[0]) == versions[::-1]
    assert model.prompts == ['def f(x):\n    """Explained."""']
    assert likeliest_first(model, lambda _: [])(versions[0]) == []


def test_infilled_replaces_each_line_and_shows_no_explanation():
    source = "def f(x):\n    y = x\n    return y"
    found = infilled(Model("\n    return 1"))(source)
    assert found == [
        "def f(x):\n    y = x\n    return 1",
        "def f(x):\n    return 1\n    return y",
    ]
