"""The commands for models: their options, help texts and checks. Their implementations,
which load torch, are imported when a command runs.
"""

import json
import math
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .model_table import MODELS
from .user_errors import WRONG_USE, UserError

CHECKPOINTS = Path(__file__).parents[1] / "pretrained" / "checkpoints"
"""The folder of the book's models and their cards."""

LONGEST_TASK = 300
"""The largest number of characters in an agent's task."""

SMOLLM2_CONTEXT = 8192
"""The number of tokens that SmolLM2 sees at once."""

ENDINGS = {"images": ".png", "films": ".gif or .webp", "sounds": ".mp3 or .wav"}
NOUNS = {"images": "images", "films": "clips", "sounds": "sounds"}
"""The endings of the files of samples, and what a user calls them."""

ModelName = Annotated[
    str, typer.Argument(help="The model; `genai-tutorial models` lists them.")
]
Folder = Annotated[
    Path | None,
    typer.Option(help="Folder of your own run; by default the book's model."),
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same result.")
]


def models() -> None:
    """List the book's models: what each does, its size and chapter, what to type, and
    its options.

    Example: `genai-tutorial models`
    """
    print(f"{'Model':23} {'Size':>4}  Chapter  What it does, what to type, its options")
    for name, row in MODELS.items():
        print(f"{name:23} {row.size:>4}  {row.chapter:>7}  {row.purpose}")
        options = f"  # {' '.join(row.ranges)}" if row.options else ""
        print(f"    genai-tutorial {row.command}{options}")
    print("SmolLM2 and MiniLM are not ours: try genai-tutorial chat and serve.")


def train(
    name: ModelName,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Resume the interrupted run in this folder."),
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Number of steps; by default the recipe's."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda, cuda:1 or mps; by default CUDA if present."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints and the model.")
    ] = None,
) -> None:
    """Train one of the book's models from its recipe.

    The run saves checkpoints regularly. If it is interrupted, `--resume` continues it
    and ends with exactly the same model. Start several processes with torchrun.

    Examples to try:
    - `genai-tutorial train shakespeare` trains the model that chapter 4 loads
    - `genai-tutorial train shakespeare --steps 50 --folder try` trains for 50 steps
    - `genai-tutorial train shakespeare --resume` resumes an interrupted run
    """
    _check_name(name)
    from .models import train_model

    train_model(name, steps, resume, device, folder)


def sample(
    name: ModelName,
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="The model's own options, such as prompt=..., steps=50 or digit=7.",
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="How many; by default 1 for a prompt."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="PNG file for images, GIF or WebP for clips, MP3 or WAV for sounds; "
            "by default NAME.png, NAME.gif or NAME.mp3."
        ),
    ] = None,
    seed: Seed = 0,
    folder: Folder = None,
) -> None:
    """Generate text, images, clips or sounds with one of the book's models.

    Each model has its own options: `genai-tutorial models` lists them.

    Examples to try:
    - `genai-tutorial sample shakespeare prompt="JULIET:" temperature=0.5 tokens=300
      --seed 7`
    - `genai-tutorial sample arithmetic-reasoner prompt="58+67+91+12"`
    - `genai-tutorial sample mnist-diffusion digit=7 steps=50 guidance=2 --count 20
      --out sevens.png`
    - `genai-tutorial sample shapes-diffusion prompt="a small red circle above a blue
      square" --out scene.png`
    - `genai-tutorial sample shapes-video prompt="a small red circle moves left slowly"
      --count 4 --out clips.webp`
    - `genai-tutorial sample caption-voice prompt="a red circle at the top" voice=0.5`
    - `genai-tutorial sample paddle-world frames=100 --count 4 --out dreams.gif`
    """
    _check_name(name)
    check_sample(name, options or [], count, out)
    prompts = [one[7:] for one in options or [] if one.startswith("prompt=")]
    if told := _unknown_words(name, "".join(prompts), folder)[0]:
        print(f"{told}. Looking for words near it.", file=sys.stderr)
    from .models import sample_model

    sample_model(name, options or [], count, seed, folder, out)


def _check_name(name: str) -> None:
    if name not in MODELS:
        hint = f"{suggestion(name, MODELS)}; genai-tutorial models lists all."
        raise UserError(f"There is no model {name!r}{hint}", WRONG_USE)


def suggestion(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _wrong_value(option: str, value: str, limits: str) -> str:
    """Return what is wrong with a number, or an empty text."""
    if not limits:
        return ""
    kind = float if "." in limits else int
    low, high = (limit.strip(".") for limit in limits.split(","))
    try:
        is_right = float(low or "-inf") <= kind(value) <= float(high or "inf")
    except ValueError:
        is_right = False
    noun = "a number" if kind is float else "an integer"
    bounds = f" from {low} to {high}" if high else f" of at least {low}" if low else ""
    return "" if is_right else f"{option} must be {noun}{bounds}, got {value!r}"


def _unknown_words(name: str, text: str, folder: Path | None) -> tuple[str, list[str]]:
    """Return the words of a text that the model's card does not know, in a sentence,
    and all that it knows; both are empty if all are known or the card has no words.
    """
    card = (folder or CHECKPOINTS) / f"{name}.json"
    if not card.is_file():
        return "", []
    try:
        words = json.loads(card.read_text("utf8")).get("tokenizer", {}).get("words", [])
    except (ValueError, AttributeError):  # loading the model says more
        return "", []
    unknown = [word for word in text.lower().split() if word not in words]
    if not words or not unknown:
        return "", []
    told = [f"{word!r}{suggestion(word, words)}" for word in unknown]
    return f"{name} has never seen {' or '.join(told)}", words


def check_sample(
    name: str, assignments: list[str], count: int | None, out: Path | None
) -> None:
    makes, ranges = MODELS[name].makes, MODELS[name].ranges
    theirs = f"its options are {', '.join(ranges)}"
    if len(ranges) < 2:
        theirs = f"its only option is {''.join(ranges)}" if ranges else "it has none"
    for assignment in assignments if makes else ():
        option, equals, value = assignment.partition("=")
        if not equals:
            wrong = f"Options are written key=value, got {assignment!r}"
        elif option not in ranges:
            wrong = f"{name} has no option {option}{suggestion(option, ranges)}"
        else:
            wrong = _wrong_value(option, value, ranges[option])
        if wrong:
            raise UserError(f"{wrong}; {theirs}.", WRONG_USE)
    for option, value in (("--count", count), ("--out", out)):
        if makes == "text" and value is not None:
            wrong = f"{name} writes text, so it has no option {option}"
            raise UserError(f"{wrong}; redirect its output to keep it.", WRONG_USE)
    if makes and out is not None:
        endings = ENDINGS[makes]
        if out.suffix.lower() not in endings.split(" or "):
            wrong = f"--out must end in {endings}, got {out.name}"
            raise UserError(f"{NOUNS[makes].title()} go to a file: {wrong}.", WRONG_USE)


def ask(
    image: Annotated[Path, typer.Argument(help="A picture of shapes on white.")],
    question: Annotated[str, typer.Argument(help="The question, in quotation marks.")],
    folder: Folder = None,
) -> None:
    """Ask the vision-language model of chapter 19 about a picture.

    It knows pictures of one to three coloured shapes, and questions such as "what
    shape is the red thing?", "what size is the cross?", "how many shapes are there?",
    "where is the square?" and "is the circle above the square?".

    Examples to try:
    - `genai-tutorial sample shapes-diffusion prompt="a red circle above a blue square"
      --out scene.png`
    - `genai-tutorial ask scene.png "what colour is the circle?"`
    - `genai-tutorial ask scene.png describe` asks for a caption
    """
    if not image.is_file():
        raise UserError(f"There is no picture {image}.", WRONG_USE)
    told, words = _unknown_words("shapes-vlm", question.rstrip(" ?:."), folder)
    if told:
        known = " ".join(filter(str.isalnum, words))
        raise UserError(f"{told}; it knows: {known}.", WRONG_USE)
    from .pictures import read_square

    picture = read_square(image)
    from .models import ask_about

    ask_about(picture, question, folder)


def agent(
    task: Annotated[str, typer.Argument(help="The task, in quotation marks.")],
    folder: Annotated[
        Path, typer.Option(help="The only folder whose files the agent may use.")
    ] = Path("."),
    steps: Annotated[
        int, typer.Option(min=1, max=20, help="Largest number of the agent's messages.")
    ] = 6,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Let the code model repair a folder's functions until its tests.py "
            "passes; an empty folder gets an example first.",
        ),
    ] = False,
) -> None:
    """Give a task to SmolLM2 with tools, and see what it calls.

    It has a calculator, the World Factbook, the files of one folder, a sandbox for
    Python, and a search. Before it changes or deletes a file it asks you. It is a small
    model: it does well what chapter 26 trains it for, and little else.

    Examples to try:
    - `genai-tutorial agent "What is 123 times 45?"`
    - `genai-tutorial agent "How many letters does the capital of Peru have?"`
    - `genai-tutorial agent "How many lines does the file README.md have?"`
    - `genai-tutorial agent "Write hello into the file greeting.txt." --folder try`
    - `genai-tutorial agent "Make the tests pass." --folder empty --repair --steps 20`
    """
    length = len(task.strip())
    if not 0 < length <= LONGEST_TASK:
        message = f"A task has from 1 to {LONGEST_TASK} characters, got {length}."
        raise UserError(message, WRONG_USE)
    from .agent import work_on

    work_on(task, folder, steps, repair)


Precision = StrEnum("Precision", ["fp32", "bf16", "int8", "int4"])
ChatChoice = StrEnum("ChatModel", ["smollm2", "base", "sft", "ppo"])


def chat(
    model: Annotated[
        ChatChoice,
        typer.Option(help="SmolLM2, or the book's own after a stage of training."),
    ] = ChatChoice.smollm2,
    documents: Annotated[
        Path | None,
        typer.Option(help="Answer from the .txt and .md files in this folder."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Least cosine of a passage that answers; by default 0.45."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System message for the model.")
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(min=0, help="Below 1 is safer, above 1 more varied, 0 is greedy."),
    ] = 0.2,
    top_p: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Total probability of the tokens to sample."),
    ] = None,
    repetition_penalty: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=2,
            help="Against loops; by default 1.1 for smollm2, else 1 (none). With 1, "
            "14 of 24 likeliest answers of smollm2 repeated a sentence three times, "
            "with 1.1 one did.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Per answer; 512 for smollm2, fewer for the others."),
    ] = None,
    seed: Seed = 0,
    precision: Annotated[
        Precision | None,
        typer.Option(help="Format of smollm2's weights; by default its file's, int4."),
    ] = None,
) -> None:
    """Chat with SmolLM2, or with the model that chapters 12 to 14 train.

    Of the book's model, base continues your text, sft answers questions about
    countries, and ppo answers them as its raters preferred.

    Ctrl-C stops an answer, Ctrl-D ends the conversation. When the context is full, the
    oldest turns are dropped. If the input is a file or a pipe, each line is one turn of
    yours; the answers go to standard output and everything else to standard error.

    With documents, smollm2 answers each question separately from the passages that fit
    it best, and cites the place, or says that it does not know. Answers are greedy.

    Examples to try:
    - `genai-tutorial chat`
    - `genai-tutorial chat --documents notes`
    - `genai-tutorial chat --system "You are a pirate." --temperature 0.7 --seed 7`
    - `genai-tutorial chat --model sft`
    """
    is_own = model is not ChatChoice.smollm2
    is_varied = top_p is not None or system is not None
    context = SMOLLM2_CONTEXT
    if is_own:
        card = json.loads((CHECKPOINTS / f"factbook-{model}.json").read_text("utf8"))
        context = card["recipe"]["config"]["context_length"]
    for is_wrong, message in (
        (not math.isfinite(temperature), "--temperature must be a finite number"),
        (top_p is not None and not top_p > 0, "--top-p must be above 0"),
        (
            is_own and system is not None,
            f"--system is for smollm2: {model} was not taught to listen to it",
        ),
        (
            is_own and precision is not None,
            f"--precision is for smollm2: {model} is small enough to stay as it is",
        ),
        (
            documents is not None and (is_own or is_varied),
            "--documents is for smollm2 and its likeliest answers: leave out --model, "
            "--system and --top-p",
        ),
        (
            documents is not None and not documents.is_dir(),
            f"{documents} is not a folder: --documents takes one of .txt or .md files",
        ),
        (
            max_tokens is not None and max_tokens >= context,
            f"{model} sees {context} tokens at once, so --max-tokens must be below "
            f"that, got {max_tokens}",
        ),
        (documents is None and threshold is not None, "--threshold is for --documents"),
    ):
        if is_wrong:
            raise UserError(f"{message}.", WRONG_USE)
    weights = None if precision is None else precision.value
    if documents is not None:
        from .documents import chat_about

        chat_about(documents, threshold, max_tokens, weights)
        return
    from .chat import chat

    sampling = {"system": system, "temperature": temperature, "top_p": top_p}
    sampling |= {"penalty": repetition_penalty, "seed": seed}
    chat(model.value, weights, max_tokens, **sampling)
