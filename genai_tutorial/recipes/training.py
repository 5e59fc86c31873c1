"""Train one of the book's models by its recipe."""

from dataclasses import asdict
from pathlib import Path

import platformdirs

from genai_tutorial.pretrained import write_pretrained
from genai_tutorial.runtime import choose_device, describe_machine, seed_everything
from genai_tutorial.training import Checkpoint, process_group

from .catalogue import recipe
from .files import build_rounded
from .recipe import RunSettings

SAVE_EVERY = 50
"""Number of steps between two saves of a run."""


def trained_folder() -> Path:
    """Return the default folder of `train`, among the user's data on this system."""
    return platformdirs.user_data_path("genai_tutorial") / "trained"


def train(
    name: str,
    steps: int | None = None,
    resume: bool = False,
    device: str | None = None,
    folder: Path | str | None = None,
    progress: bool = True,
) -> Path:
    """Train a model by its recipe and write it with its card.

    The run is saved regularly in `NAME.run.safetensors`; if it is stopped, even killed,
    call again with `resume=True`, and it ends at the same weights. Under torchrun, the
    processes share each batch. The random generators of Python, NumPy and torch are
    seeded with the recipe's seed.

    Args:
        steps: Number of steps, for a shorter run with the schedule compressed; None for
            the recipe's.
        resume: Whether to resume a stopped run, if there is one.
        device: The device, see `choose_device`.
        folder: The folder to write to; None for `trained_folder()`.

    Returns:
        The file with the weights.

    Raises:
        ValueError: If there is no such recipe or device, or the stopped run has other
            settings.
        ImportError: If the package with the data is not installed.
    """
    chosen = recipe(name)
    steps = chosen.steps if steps is None else steps
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    folder = trained_folder() if folder is None else Path(folder)
    where = choose_device(device)
    # for layers that draw from torch's global generator, such as dropout
    seed_everything(chosen.seed)
    with process_group(where) as process:
        checkpoint = Checkpoint(
            folder / f"{name}.run.safetensors", every=SAVE_EVERY, resume=resume
        )
        trained = chosen.fit(RunSettings(steps, where, process, checkpoint, progress))
        if process.is_first:
            card = {
                "name": name,
                "title": chosen.title,
                "command": f"genai-tutorial train {name}"
                + ("" if steps == chosen.steps else f" --steps {steps}"),
                "recipe": asdict(chosen),
                "parameters": sum(
                    parameter.numel() for parameter in trained.model.parameters()
                ),
                "seed": chosen.seed,
                "steps": steps,
                "seconds": round(trained.seconds),
                "machine": describe_machine(where),
            }
            # the card describes the rounded weights of the file
            rounded = build_rounded(chosen, card, trained.model)
            card |= {
                "metrics": chosen.measure(rounded),
                **trained.notes,
                "data": {
                    "name": chosen.source.name,
                    "package": chosen.source.package,
                    "licence": chosen.source.licence,
                    "attribution": chosen.source.attribution,
                },
                "licence": "MIT",
            }
            if chosen.tokenizer_file is not None:
                card["tokenizer_file"] = chosen.tokenizer_file
            write_pretrained(rounded, card, folder)
    return folder / f"{name}.safetensors"
