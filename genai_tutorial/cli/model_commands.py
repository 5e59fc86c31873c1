"""The commands for models: their options and help texts. Their implementations are
imported when a command runs.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

LONGEST_TASK = 300
"""The largest number of characters in an agent's task."""


def train(
    name: Annotated[
        str, typer.Argument(help="The model; `genai-tutorial doctor` lists them.")
    ],
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
    and ends with exactly the same model. To use several processes, start it with
    torchrun.

    Examples to try:
    - `genai-tutorial train shakespeare` trains the model that chapter 4 loads
    - `genai-tutorial train shakespeare --steps 50 --folder try` trains for 50 steps
      only
    - `genai-tutorial train shakespeare --resume` resumes an interrupted run
    """
    from genai_tutorial.cli.models import train_model

    train_model(name, steps, resume, device, folder)


def sample(
    name: Annotated[
        str, typer.Argument(help="The model; `genai-tutorial doctor` lists them.")
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="The model's own options, such as prompt=..., steps=50 or digit=7.",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Number of images or clips.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="PNG file for images, GIF or WebP for clips, MP3 or WAV for sounds; "
            "by default NAME.png, NAME.gif or NAME.mp3."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same sample."),
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of your own run; by default the book's model."),
    ] = None,
) -> None:
    """Generate text, images, clips or sounds with one of the book's models.

    Each model has its own options, and a wrong option prints the list of valid ones.
    Language models take `prompt`, `temperature`, `top_p` and `tokens`; digit models
    `digit`, `steps` and `guidance`; text-to-image models `prompt`, `steps` and
    `guidance`; text-to-video models the same; voices `prompt`, `voice` and `pace`.
    Images are written to a PNG file, clips to an animated GIF or WebP, sounds to an
    MP3 or WAV file.

    Examples to try:
    - `genai-tutorial sample shakespeare`
    - `genai-tutorial sample shakespeare prompt="JULIET:" temperature=0.5 tokens=300
      --seed 7`
    - `genai-tutorial sample arithmetic-reasoner prompt="58+67+91+12"`
    - `genai-tutorial sample python-exercises prompt="Return the longest of the words."`
    - `genai-tutorial sample mnist-diffusion digit=7 steps=50 guidance=2 --count 20
      --out sevens.png`
    - `genai-tutorial sample shapes-diffusion prompt="a small red circle above a blue
      square" --out scene.png`
    - `genai-tutorial sample shapes-video prompt="a small red circle moves left slowly"
      --count 4 --out clips.webp`
    - `genai-tutorial sample caption-voice prompt="a red circle at the top" voice=0.5
      --out between.mp3`
    - `genai-tutorial sample bach-chorales harmonize=1 --out chorale.mp3`
    - `genai-tutorial sample paddle-world frames=100 --count 4 --out dreams.gif`
    """
    from genai_tutorial.cli.models import sample_model

    sample_model(name, options or [], count, seed, folder, out)


def ask(
    image: Annotated[Path, typer.Argument(help="A square picture of shapes on white.")],
    question: Annotated[str, typer.Argument(help="The question, in quotation marks.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of your own run; by default the book's model."),
    ] = None,
) -> None:
    """Ask the vision-language model of chapter 19 about a picture.

    It knows pictures of one to three coloured shapes, and questions such as "what
    colour is the circle?", "what shape is the red thing?", "what size is the cross?",
    "how many shapes are there?", "is there a red circle?", "where is the square?" and
    "is the circle above the square?". "describe" asks for a caption.

    Examples to try:
    - `genai-tutorial sample shapes-diffusion prompt="a red circle above a blue square"
      --count 1 --out scene.png`
    - `genai-tutorial ask scene.png "what colour is the circle?"`
    - `genai-tutorial ask scene.png describe`
    """
    from genai_tutorial.cli.ask import ask_about

    ask_about(image, question, folder)


def agent(
    task: Annotated[str, typer.Argument(help="The task, in quotation marks.")],
    folder: Annotated[
        Path, typer.Option(help="The only folder whose files the agent may use.")
    ] = Path("."),
    steps: Annotated[
        int, typer.Option(min=1, max=20, help="Largest number of the agent's messages.")
    ] = 6,
) -> None:
    """Give a task to SmolLM2 with tools, and see what it calls.

    It has a calculator, the World Factbook, the files of one folder, a sandbox for
    Python, and a search. Before it writes or deletes a file it asks you. It is a small
    model: it does well what chapter 26 trains it for, and little else.

    Examples to try:
    - `genai-tutorial agent "What is 123 times 45?"`
    - `genai-tutorial agent "How many letters does the capital of Peru have?"`
    - `genai-tutorial agent "How many lines does the file README.md have?"`
    - `genai-tutorial agent "Write hello into the file greeting.txt." --folder try`
    """
    if not 0 < len(task.strip()) <= LONGEST_TASK:
        raise typer.BadParameter(
            f"A task has from 1 to {LONGEST_TASK} characters, got {len(task.strip())}."
        )
    from genai_tutorial.cli.agent import work_on

    work_on(task, folder, steps)


class Precision(StrEnum):
    """The number format of the weights."""

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    INT4 = "int4"


class ChatModel(StrEnum):
    """The available chat models."""

    SMOLLM2 = "smollm2"
    BASE = "base"
    SFT = "sft"
    PPO = "ppo"


def chat(
    model: Annotated[
        ChatModel,
        typer.Option(
            help=(
                "SmolLM2, or the book's own: the base model, after fine-tuning, after "
                "PPO."
            )
        ),
    ] = ChatModel.SMOLLM2,
    documents: Annotated[
        Path | None,
        typer.Option(help="Answer from the .txt and .md files in this folder."),
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
        typer.Option(
            min=0,
            max=1,
            help="Sample from the likeliest tokens with this total probability.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum tokens per answer; 512 for smollm2, fewer for the others.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**32 - 1,
            help="The same seed and the same questions give the same answers.",
        ),
    ] = 0,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help=(
                "Number format of smollm2's weights; by default int4, the format of "
                "its file."
            )
        ),
    ] = None,
) -> None:
    """Chat with SmolLM2, a small chat model, or with the model that chapters 12 to 14
    train.

    All of them run in the book's own Transformer. The book's model is available after
    each stage of training: base continues your text, sft answers questions about
    countries, and ppo answers them as its raters preferred.

    Ctrl-C stops an answer, Ctrl-D ends the conversation. When the context is full, the
    oldest turns are dropped. If the input is a file or a pipe, each line is one turn of
    yours; the answers go to standard output and everything else to standard error.

    With a folder of documents, smollm2 answers each question by itself from the
    passages that fit it best, and cites the file and the place. Where no passage is
    near enough, it says that it does not know. Answers are greedy.

    Examples to try:
    - `genai-tutorial chat`
    - `genai-tutorial chat --documents notes`
    - `genai-tutorial chat --system "You are a pirate." --temperature 0.7 --top-p 0.9`
    - `genai-tutorial chat --max-tokens 100 --seed 7 --precision fp32`
    - `genai-tutorial chat --model sft`
    """
    weights = None if precision is None else precision.value
    if documents is not None:
        from genai_tutorial.cli.document_chat import chat_about

        chat_about(documents, model.value, system, top_p, max_tokens, weights)
        return
    from genai_tutorial.cli.chat import chat

    chat(model.value, system, temperature, top_p, max_tokens, seed, weights)
