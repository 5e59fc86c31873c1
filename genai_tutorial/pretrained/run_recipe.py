"""Making a model of the book from its recipe."""

from pathlib import Path

import platformdirs
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data import load_shakespeare
from genai_tutorial.data.shakespeare import SOURCE
from genai_tutorial.evaluation import evaluate_language_model
from genai_tutorial.pretrained.checkpoints import write_pretrained
from genai_tutorial.pretrained.machine import describe_machine
from genai_tutorial.pretrained.recipes import recipe
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import (
    Checkpoint,
    TokenBatches,
    build_optimizer,
    choose_device,
    fit,
    parallel,
    process_group,
)
from genai_tutorial.transformer import DecoderLM, next_token_loss

GLANCE = 32_768
"""How many held-out characters are scored during a run; the whole text is scored at the end."""


SAVE_EVERY = 50
"""After how many steps a run saves itself."""


def trained_folder() -> Path:
    """Returns the folder that `train` writes into when you name none: one for this package among your own data."""
    return platformdirs.user_data_path("genai_tutorial") / "trained"


def train(
    name: str,
    steps: int | None = None,
    resume: bool = False,
    device: str | None = None,
    folder: Path | str | None = None,
    progress: bool = True,
) -> Path:
    """Trains a model by its recipe and writes it with its card.

    The run saves itself now and then in `NAME.run.safetensors`; if it is stopped, even killed, call again with
    `resume=True` and it ends at the same weights. Under torchrun, the processes share each batch.

    Args:
        name: The name of a recipe.
        steps: How many steps, for a shorter run with the same course of learning rates; None for the recipe's.
        resume: Whether to go on from where a stopped run saved itself, if there is one.
        device: Where to compute, see `choose_device`.
        folder: Where to write; None for `trained_folder()`.
        progress: Whether to show a progress bar.

    Returns:
        The file with the weights.

    Raises:
        ValueError: If there is no such recipe or device, or the stopped run was another one.
        ImportError: If the package with the plays is not installed.
    """
    chosen = recipe(name)
    steps = chosen.steps if steps is None else steps
    folder = trained_folder() if folder is None else Path(folder)
    where = choose_device(device)
    plays = load_shakespeare()
    tokenizer = CharacterTokenizer.from_text(plays.train)
    text, held_out = (torch.tensor(tokenizer.encode(part)) for part in (plays.train, plays.validation))

    with process_group(where) as process:
        model = DecoderLM(chosen.config, chosen.seed).to(where)
        optimizer = build_optimizer(model, chosen.optimizer)
        history = fit(
            parallel(model),
            TokenBatches(
                text,
                chosen.config.context_length,
                chosen.batch_size,
                chosen.seed,
                rank=process.rank,
                world_size=process.world_size,
            ),
            language_model_loss,
            optimizer,
            steps=steps,
            schedule=chosen.schedule(steps),
            clip_norm=chosen.clip_norm,
            evaluate=lambda model: held_out_loss(model, held_out[:GLANCE]),
            evaluate_every=200,
            checkpoint=Checkpoint(folder / f"{name}.run.safetensors", every=SAVE_EVERY, resume=resume),
            progress=progress,
        )
        if process.is_first:
            rounded = DecoderLM(chosen.config)  # what the file will hold is what the card must describe
            rounded.load_state_dict({key: weight.half().float().cpu() for key, weight in model.state_dict().items()})
            about = {
                "name": name,
                "title": chosen.title,
                "command": f"genai-tutorial train {name}" + ("" if steps == chosen.steps else f" --steps {steps}"),
                "recipe": chosen.to_dict(),
                "parameters": model.parameter_count(),
                "seed": chosen.seed,
                "steps": steps,
                "seconds": round(history.seconds),
                "machine": describe_machine(where),
                "metrics": _metrics(rounded, held_out, plays.validation_titles),
                "held_out_while_training": [[point.step, round(point.value, 4)] for point in history.evaluations],
                "tokenizer": tokenizer.to_dict(),
                "data": {
                    "name": SOURCE.name,
                    "package": SOURCE.package,
                    "licence": SOURCE.licence,
                    "attribution": SOURCE.attribution,
                },
                "licence": "MIT",
            }
            write_pretrained(model, about, folder)
    return folder / f"{name}.safetensors"


def language_model_loss(
    model: nn.Module, inputs: Int[Tensor, "batch position"], targets: Int[Tensor, "batch position"]
) -> Float[Tensor, ""]:
    """Returns the loss of a language model on a batch of windows, as `fit` wants it."""
    return next_token_loss(model(inputs), targets)


def held_out_loss(model: DecoderLM, tokens: Int[Tensor, " length"]) -> float:
    """Returns the nats a token that a decoder needs for a text, read in windows of its context that do not overlap."""
    return evaluate_language_model(model, tokens, model.config.context_length).nats_per_token


def _metrics(model: DecoderLM, held_out: Int[Tensor, " length"], titles: tuple[str, ...]) -> dict:
    return {
        "held_out_nats_per_character": round(held_out_loss(model, held_out), 4),
        "held_out_characters": len(held_out),
        "held_out_plays": list(titles),
        "windows": f"of {model.config.context_length} characters, without overlap",
    }
