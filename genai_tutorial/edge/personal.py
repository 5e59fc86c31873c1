"""A model for one reader: texts from a folder, and an adapter trained on them."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from genai_tutorial.alignment import LoRAConfig, add_lora
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.training import AdamW, TokenBatches, fit, warmup_linear
from genai_tutorial.transformer import DecoderLM, language_model_loss

ENDINGS = (".txt", ".md", ".ipynb")


class OwnText(NamedTuple):
    """One file's name and its prose."""

    name: str
    text: str


def book_prose() -> Path:
    """Return a folder with prose of this book, an example that every reader has: copies
    of chapters 1, 2 and 13, one file each, under the book's licence, CC BY 4.0.
    """
    return Path(__file__).parent / "prose"


def read_own_texts(folder: Path | str) -> tuple[OwnText, ...]:
    """Return the prose in a folder's .txt, .md and .ipynb files, by name; empty files
    are left out.

    Code is not prose: fenced blocks are removed, and of a notebook only the Markdown
    cells are read. Nothing in a file is executed.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no text, a file is not UTF-8, or a notebook is not JSON.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    texts = []
    for path in sorted(folder.iterdir()):
        if path.suffix in ENDINGS and path.is_file():
            try:
                text = path.read_text("utf-8")
                text = _markdown(text) if path.suffix == ".ipynb" else text
            except (UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path.name} cannot be read: {error}") from error
            text = _without_code(text)
            if text:
                texts.append(OwnText(path.name, text))
    if not texts:
        raise ValueError(
            f"{folder} has no text in files that end in {', '.join(ENDINGS)}: put some "
            "of your own there, or name another folder."
        )
    return tuple(texts)


def _markdown(notebook: str) -> str:
    cells = json.loads(notebook)["cells"]
    return "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )


def _without_code(text: str) -> str:
    text = re.sub(r"^```.*?^```[^\n]*\n?", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


ALL_MATRICES = (
    "query",
    "key",
    "value",
    "attention.output",
    "gate",
    "widen",
    "feed_forward.output",
)
"""The seven matrices of a block with a gated feed-forward layer."""


@dataclass(frozen=True)
class PersonalSettings:
    """The settings of a fine-tuning on personal texts.

    Attributes:
        lora: The adapter; None to train all weights.
        batch_size: The number of windows per step.
        context_length: The number of tokens in a window.
        learning_rate: The highest learning rate of AdamW, after a warmup over a tenth
            of the steps; it falls to zero until the end.
        old_share: The share of windows from texts that the model knew before.

    Raises:
        ValueError: If the share is out of range.
    """

    lora: LoRAConfig | None = field(
        default_factory=lambda: LoRAConfig(8, 16, ALL_MATRICES)
    )
    steps: int = 80
    batch_size: int = 8
    context_length: int = 128
    learning_rate: float | int = 3e-3
    old_share: float | int = 0.0

    def __post_init__(self):
        if not 0 <= self.old_share < 1:
            raise ValueError(
                "old_share must be at least 0 and below 1, because the rest of each "
                f"batch is personal; got {self.old_share}."
            )


def rehearsal_batches(
    own: Int[Tensor, " own"],
    old: Int[Tensor, " old"],
    settings: PersonalSettings,
    seed: int,
) -> Iterator[tuple[Int[Tensor, "batch position"], Int[Tensor, "batch position"]]]:
    """Yield windows, and the same windows one token later; each is from the old texts
    with a fixed probability, and from the own ones otherwise.
    """
    sizes = settings.context_length, settings.batch_size
    sources = TokenBatches(own, *sizes, seed), TokenBatches(old, *sizes, seed + 1)
    generator = torch.Generator().manual_seed(seed + 2)
    while True:
        drawn = torch.rand(settings.batch_size, 1, generator=generator)
        is_old = (drawn < settings.old_share).to(own.device)
        pairs = zip(*map(next, sources), strict=True)
        inputs, targets = (torch.where(is_old, old, own) for own, old in pairs)
        yield inputs, targets


def personalize(
    model: DecoderLM,
    own: Int[Tensor, " own"],
    settings: PersonalSettings,
    *,
    old: Int[Tensor, " old"] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> DecoderLM:
    """Return a copy of a model that is fine-tuned on personal texts.

    With LoRA, the adapter is separate from the frozen weights; `fold_lora` merges it
    into them. The model itself is not changed.

    Args:
        model: The model to start from, without LoRA.
        old: A text that the model knew before; needed if `old_share` is above 0.
        seed: Seed of the adapter and of the batches.

    Raises:
        ValueError: If a text is too short, `old` is missing, or the adapter does not
            fit the model.

    Source: Hu et al., LoRA, https://arxiv.org/abs/2106.09685; Robins, Catastrophic
        Forgetting, Rehearsal and Pseudorehearsal,
        https://doi.org/10.1080/09540099550039318
    """
    if settings.old_share and old is None:
        raise ValueError(
            f"old_share is {settings.old_share}, so `old` must be a text that the "
            "model knew before."
        )
    copy = deepcopy(model)
    if settings.lora is None:
        copy.requires_grad_(True)
    else:
        add_lora(copy, settings.lora, torch.Generator().manual_seed(seed))
    batches = (
        rehearsal_batches(own, old, settings, seed)
        if settings.old_share
        else TokenBatches(own, settings.context_length, settings.batch_size, seed)
    )
    trained = [weight for weight in copy.parameters() if weight.requires_grad]
    fit(
        copy,
        batches,
        language_model_loss,
        AdamW(trained, lr=settings.learning_rate),
        steps=settings.steps,
        schedule=warmup_linear(settings.steps, settings.steps // 10),
        progress=progress,
    )
    return copy.eval()


class LossChange(NamedTuple):
    """A loss before and after a fine-tuning, in nats per token."""

    before: float
    after: float


def loss_change(
    before: nn.Module, after: nn.Module, text: Int[Tensor, " n"], context_length: int
) -> LossChange:
    """Return the loss of two models on a held-out text, read in windows of
    `context_length` tokens: what the second has learned if the text is of the new kind,
    and what it has forgotten if it is of the old kind.

    Raises:
        ValueError: If the text has fewer than two tokens.
    """
    losses = (
        evaluate_language_model(model, text, context_length).nats_per_token
        for model in (before, after)
    )
    return LossChange(*losses)
