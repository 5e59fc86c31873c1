"""The command `doctor`: what works on this machine, and how to install the rest."""

import importlib.metadata
import platform
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from rich.console import Console

from genai_tutorial.cli.requirements import PACKAGE, lacks, requirements


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        works: Whether the component is present and works.
        what: Description of the component.
        remedy: What to do if it does not work.
    """

    works: bool
    what: str
    remedy: str = ""


def examine() -> bool:
    """Run all checks, print the results, and return whether the core works."""
    console = Console(highlight=False, soft_wrap=True)
    core = _show(console, "Core", examine_core)
    _show(console, "Extras (each brings what a theme's chapters need)", examine_extras)
    works = all(finding.works for finding in core)
    if works:  # what follows imports torch
        _show(
            console, "Data (comes with the extras, nothing is downloaded)", examine_data
        )
        _show(console, "Trained models", examine_models)
        _show(console, "A real chat model", examine_smollm2)
        _show(console, "Search", examine_retrieval)
        _show(console, "Running generated programs", examine_sandbox)
        _show(console, "Running a model in C", examine_compiler)
        _show(console, "The book", examine_book)
        console.print("\nThe core works.")
    else:
        console.print("\nThe core does not work yet: see above.")
    return works


def _show(
    console: Console, title: str, look: Callable[[], Iterable[Finding]]
) -> list[Finding]:
    console.print(f"\n{title}", style="bold")
    findings = []
    for finding in look():
        # Words instead of symbols: screen readers can read them, and they need neither
        # colour nor Unicode.
        mark = "[green]ok     [/]" if finding.works else "[yellow]missing[/]"
        console.print(f"  {mark}  {finding.what}", end="")
        console.print(f": {finding.remedy}" if finding.remedy else "", markup=False)
        findings.append(finding)
    return findings


def examine_core() -> Iterator[Finding]:
    """Check Python, the packages that every chapter needs, and a matrix product on the
    device.
    """
    metadata = importlib.metadata.metadata(PACKAGE)
    wanted = metadata["Requires-Python"]
    version = platform.python_version()
    fits = SpecifierSet(wanted).contains(version, prereleases=True)
    python = f"Python {version} on {platform.system()} {platform.machine()}"
    yield Finding(fits, python, "" if fits else f"the book needs Python {wanted}")
    needed = requirements("")
    lacking = [
        (requirement, problem)
        for requirement in needed
        if (problem := lacks(requirement))
    ]
    for requirement, problem in lacking:
        yield Finding(
            False, problem, f'pip install "{requirement.name}{requirement.specifier}"'
        )
    if not lacking:
        yield Finding(
            True,
            (
                f"genai_tutorial {metadata['Version']} and the {len(needed)} packages "
                "that it needs"
            ),
        )
    try:
        import torch

        from genai_tutorial.runtime import choose_device

        device = choose_device()
        name = (
            torch.cuda.get_device_name(device)
            if device.type == "cuda"
            else f"threads: {torch.get_num_threads()}"
        )
        exact = bool(
            (torch.eye(64, device=device) @ torch.ones(64, 64, device=device)).sum()
            == 64 * 64
        )
        yield Finding(
            exact, f"torch {torch.__version__} computes on {device.type} ({name})"
        )
        # a broken installation can fail in any way, and doctor has to report it
    except Exception as error:
        yield Finding(False, "torch", f"{type(error).__name__}: {error}")


def examine_extras() -> Iterator[Finding]:
    """Check each extra, with the command that installs it."""
    for extra in importlib.metadata.metadata(PACKAGE).get_all("Provides-Extra") or []:
        if extra == "all":  # the union of the others
            continue
        lacking = [
            problem
            for requirement in requirements(extra)
            if (problem := lacks(requirement))
        ]
        names = ", ".join(lacking)
        yield Finding(
            not lacking,
            extra,
            f'pip install "genai_tutorial[{extra}]" brings {names}' if lacking else "",
        )


def examine_data() -> Iterator[Finding]:
    """Check each data set by loading it."""
    from genai_tutorial import data
    from genai_tutorial.runtime import cache_folder

    for source in data.SOURCES:
        try:
            getattr(data, source.loader)()
            yield Finding(True, f"{source.name} ({source.package})")
            # a fault in one data set must not hide the state of the others
        except Exception as error:
            yield Finding(False, source.name, str(error))
    yield Finding(True, f"what takes seconds to read is kept in {cache_folder()}")


def examine_models() -> Iterator[Finding]:
    """Check each published or locally trained model by loading it."""
    from genai_tutorial import recipes

    yield Finding(
        True, f"recipes for genai-tutorial train: {', '.join(recipes.names())}"
    )
    mine = recipes.trained_folder()
    for name in recipes.names():
        for folder, origin in (
            (None, "comes with the package"),
            (mine, f"trained here, in {mine}"),
        ):
            expected = (
                recipes.recipe(name).published
                if folder is None
                else (mine / f"{name}.json").exists()
            )
            if not expected:
                continue
            try:
                recipes.load(name, folder)
                measured = recipes.recipe(name).summary(
                    recipes.card(name, folder)["metrics"]
                )
                yield Finding(True, f"{name} ({origin}): {measured}")
            except Exception as error:  # a damaged file can fail in any way
                yield Finding(False, f"{name} ({origin})", str(error))


def examine_smollm2() -> Iterator[Finding]:
    """Check the file of SmolLM2, or the user's own file in its place, without unpacking
    the weights.
    """
    from genai_tutorial.pretrained import SMOLLM2_FILE, find_smollm2, open_smollm2
    from genai_tutorial.runtime import require

    try:
        path = find_smollm2()
        if SMOLLM2_FILE.is_user_supplied:
            layers = open_smollm2(path).config.layers
            yield Finding(True, f"SmolLM2 (your own: {path}, {layers} layers)")
        else:
            SMOLLM2_FILE.check(path)
            require("gguf", extra="models")
            yield Finding(True, f"SmolLM2 ({path})")
    except Exception as error:  # a damaged file can fail in any way
        yield Finding(False, "SmolLM2", str(error))


def examine_retrieval() -> Iterator[Finding]:
    """Check the files of MiniLM, the sentence encoder, and the full-text search of
    Python's SQLite, which the store of passages needs.
    """
    from genai_tutorial.pretrained import (
        MINILM_FILE,
        find_minilm,
        load_minilm_tokenizer,
    )
    from genai_tutorial.retrieval import has_full_text_search

    try:
        folder = find_minilm()
        load_minilm_tokenizer()  # checks the vocabulary
        if MINILM_FILE.is_user_supplied:
            yield Finding(True, f"MiniLM (your own: {folder})")
        else:
            MINILM_FILE.check(MINILM_FILE.find())
            yield Finding(True, f"MiniLM ({folder})")
    except Exception as error:  # a damaged file can fail in any way
        yield Finding(False, "MiniLM", str(error))
    works = has_full_text_search()
    yield Finding(
        works,
        f"full-text search in SQLite {sqlite3.sqlite_version}",
        "" if works else "use the Python from python.org, conda or your system",
    )


def examine_sandbox() -> Iterator[Finding]:
    """Check that generated programs can be run, and what they are kept from doing."""
    from genai_tutorial.sandbox import ProgramRunner, SandboxError

    try:
        with warnings.catch_warnings():  # each protection gets a line of its own
            warnings.simplefilter("ignore", UserWarning)
            with ProgramRunner() as runner:
                protections = runner.protections
    except SandboxError as error:
        yield Finding(False, "a sandbox for programs", str(error))
        return
    yield Finding(True, "a right program passes, and a wrong one fails")
    for protection in protections:
        yield Finding(
            protection.enforced,
            str(protection),
            "" if protection.enforced else "run only programs that you have read",
        )


def examine_compiler() -> Iterator[Finding]:
    """Check for a C compiler; without one, PyTorch's 4-bit kernel runs instead."""
    from genai_tutorial.efficiency import find_compiler

    compiler = find_compiler()
    yield Finding(
        compiler is not None,
        f"a C compiler{f' at {compiler}' if compiler else ''}, for chapter 24",
        "" if compiler else "apt install gcc, or Xcode's command line tools",
    )


def examine_book() -> Iterator[Finding]:
    """Check for the notebooks, and for the browser that prints and tests the pages."""
    from genai_tutorial.notebook import chapters, find_repository

    try:
        repository = find_repository()
        yield Finding(
            True, f"{len(chapters(repository))} chapters in {repository / 'notebooks'}"
        )
    except (FileNotFoundError, ValueError) as error:
        yield Finding(False, "the notebooks", str(error))
    browsers = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    browser = next(filter(None, map(shutil.which, browsers)), None)
    yield Finding(
        browser is not None,
        f"Chromium{f' at {browser}' if browser else ''}, for make pdf and the browser tests",  # noqa: E501
        "" if browser else "apt install chromium, or any Chrome",
    )
