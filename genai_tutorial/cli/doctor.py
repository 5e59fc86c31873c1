"""The command `doctor`: what works on this machine, and how to install the rest."""

import importlib.metadata
import platform
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.console import Console

PACKAGE = "genai_tutorial"


@dataclass(frozen=True)
class Finding:
    """The result of one check, and what to do if something does not work."""

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
        _show(console, "Data (comes with the extras)", examine_data)
        _show(console, "Trained models", examine_models)
        _show(console, "A real chat model", examine_smollm2)
        _show(console, "Search", examine_retrieval)
        _show(console, "Running generated programs", examine_sandbox)
        _show(console, "Running a model in C", examine_compiler)
        _show(console, "The book", examine_book)
    end = "works." if works else "does not work yet: see above."
    console.print(f"\nThe core {end}")
    return works


def _show(
    console: Console, title: str, look: Callable[[], Iterable[Finding]]
) -> list[Finding]:
    console.print(f"\n{title}", style="bold")
    findings = []
    for finding in look():
        # words instead of symbols, for screen readers
        mark = "[green]ok     [/]" if finding.works else "[yellow]missing[/]"
        console.print(f"  {mark}  {finding.what}", end="")
        console.print(f": {finding.remedy}" if finding.remedy else "", markup=False)
        findings.append(finding)
    return findings


def examine_core() -> Iterator[Finding]:
    """Check Python, the packages that every chapter needs, and a matrix product."""
    metadata = importlib.metadata.metadata(PACKAGE)
    wanted = metadata["Requires-Python"]
    version = platform.python_version()
    fits = SpecifierSet(wanted).contains(version, prereleases=True)
    python = f"Python {version} on {platform.system()} {platform.machine()}"
    yield Finding(fits, python, "" if fits else f"the book needs Python {wanted}")
    needed = _requirements("")
    lacking = {needs: problem for needs in needed if (problem := lacks(needs))}
    for needs, problem in lacking.items():
        yield Finding(False, problem, f'pip install "{needs.name}{needs.specifier}"')
    if not lacking:
        count = f"the {len(needed)} packages that it needs"
        yield Finding(True, f"genai_tutorial {metadata['Version']} and {count}")
    try:
        import torch

        from genai_tutorial.runtime import choose_device

        device = choose_device()
        name = f"threads: {torch.get_num_threads()}"
        if device.type == "cuda":
            name = torch.cuda.get_device_name(device)
        product = torch.eye(64, device=device) @ torch.ones(64, 64, device=device)
        what = f"torch {torch.__version__} computes on {device.type} ({name})"
        yield Finding(bool(product.sum() == 64 * 64), what)
    # a broken installation can fail in any way, and doctor has to report it
    except Exception as error:
        yield Finding(False, "torch", f"{type(error).__name__}: {error}")


def examine_extras() -> Iterator[Finding]:
    """Check each extra, with the command that installs it."""
    for extra in importlib.metadata.metadata(PACKAGE).get_all("Provides-Extra") or []:
        if extra == "all":  # the union of the others
            continue
        lacking = ", ".join(filter(None, map(lacks, _requirements(extra))))
        command = f'pip install "genai_tutorial[{extra}]" brings {lacking}'
        yield Finding(not lacking, extra, command if lacking else "")


def _requirements(extra: str) -> list[Requirement]:
    """Return the requirements of an extra on this system; the core's for ""."""
    return [
        needs
        for needs in map(Requirement, importlib.metadata.requires(PACKAGE) or [])
        if (needs.marker.evaluate({"extra": extra}) if needs.marker else not extra)
    ]


def lacks(requirement: Requirement) -> str:
    """Return the requirement and what is wrong with it, or an empty string.

    >>> lacks(Requirement("a-package-that-nobody-has>=3"))
    'a-package-that-nobody-has'
    """
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return requirement.name
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return f"{requirement.name}{requirement.specifier} (here is {version})"


def examine_data() -> Iterator[Finding]:
    """Check that the package of each data set is installed; it is not read."""
    from genai_tutorial import data
    from genai_tutorial.runtime import cache_folder

    for source in data.SOURCES:
        lacking = lacks(Requirement(source.package))
        remedy = source.install if lacking else ""
        yield Finding(not lacking, f"{source.name} ({source.package})", remedy)
    yield Finding(True, f"what takes seconds to read is kept in {cache_folder()}")


def examine_models() -> Iterator[Finding]:
    """Check the files of each published or locally trained model against its card."""
    from genai_tutorial import recipes
    from genai_tutorial.pretrained import read_tokenizer, read_weights

    yield Finding(True, "genai-tutorial models lists what can be trained and sampled")
    mine = recipes.trained_folder()
    for recipe in map(recipes.recipe, recipes.names()):
        found = {None: "comes with the package"} if recipe.published else {}
        if (mine / f"{recipe.name}.json").exists():
            found[mine] = f"trained here, in {mine}"
        for folder, origin in found.items():
            try:
                card = recipes.card(recipe.name, folder)
                read_weights(card, folder)
                read_tokenizer(card, folder)
                measured = recipe.summary(card["metrics"])
                yield Finding(True, f"{recipe.name} ({origin}): {measured}")
            except Exception as error:  # a damaged file can fail in any way
                yield Finding(False, f"{recipe.name} ({origin})", str(error))


def examine_smollm2() -> Iterator[Finding]:
    """Check SmolLM2's file, or the user's own instead of it, without its weights."""
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
    """Check the files of MiniLM, and SQLite's search in full texts."""
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
    remedy = "" if works else "use the Python from python.org, conda or your system"
    yield Finding(works, f"full-text search in SQLite {sqlite3.sqlite_version}", remedy)


def examine_sandbox() -> Iterator[Finding]:
    """Check that generated programs can be run, and what they are kept from doing."""
    from genai_tutorial.sandbox import ProgramRunner, SandboxError

    try:
        with warnings.catch_warnings():  # one line per protection
            warnings.simplefilter("ignore", UserWarning)
            with ProgramRunner() as runner:
                protections = runner.protections
    except SandboxError as error:
        yield Finding(False, "a sandbox for programs", str(error))
        return
    yield Finding(True, "a correct program passes, and a wrong one fails")
    for protection in protections:
        remedy = "" if protection.enforced else "run only programs that you have read"
        yield Finding(protection.enforced, str(protection), remedy)


def examine_compiler() -> Iterator[Finding]:
    """Check for a C compiler; without one, PyTorch's 4-bit kernel runs instead."""
    from genai_tutorial.efficiency import find_compiler

    compiler = find_compiler()
    place = f" at {compiler}" if compiler else ""
    remedy = "" if compiler else "apt install gcc, or Xcode's command line tools"
    what = f"a C compiler{place}, for chapter 24"
    yield Finding(compiler is not None, what, remedy)


def examine_book() -> Iterator[Finding]:
    """Check for the notebooks, and for the browser that prints and tests the pages."""
    from genai_tutorial.notebook import chapters, find_repository

    try:
        repository = find_repository()
        count = len(chapters(repository))
        yield Finding(True, f"{count} chapters in {repository / 'notebooks'}")
    except (FileNotFoundError, ValueError) as error:
        yield Finding(False, "the notebooks", str(error))
    browsers = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    browser = next(filter(None, map(shutil.which, browsers)), None)
    place = f" at {browser}" if browser else ""
    remedy = "" if browser else "apt install chromium, or any Chrome"
    what = f"Chromium{place}, for make pdf and the browser tests"
    yield Finding(browser is not None, what, remedy)
