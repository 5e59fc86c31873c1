"""A language model of molecules: rows for training, sampling, and property tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.alignment import Example, Rows, pack_examples, supervised_loss
from genai_tutorial.generation import (
    Rollouts,
    draw,
    generate_rollouts,
    next_token_probabilities,
)
from genai_tutorial.transformer import AttentionContext, DecoderLM

from .smiles import SmilesTokenizer

QED_EDGES = (0.5, 0.6, 0.7, 0.8)
"""The limits between five bins of drug-likeness with about as many molecules each."""

QED_LABELS = tuple(f"<qed-{number}>" for number in range(len(QED_EDGES) + 1))
"""The property tokens, from the least to the most drug-like bin."""


BATCH = 250
"""The number of molecules that `sample` draws side by side."""


@dataclass(frozen=True)
class MoleculeModel:
    """A decoder with the tokenizer of its molecules."""

    decoder: DecoderLM
    tokenizer: SmilesTokenizer

    def rollouts(
        self,
        count: int,
        *,
        label: int | None = None,
        temperature: float | int = 1.0,
        generator: torch.Generator | None = None,
    ) -> Rollouts:
        """Sample token rows of `count` molecules; see `generate_rollouts`.

        Args:
            label: Number of a label to begin with; None for `<start>`, any molecule.
            temperature: Below 1 favours likely tokens, above 1 unlikely ones.
            generator: Random generator of the draws; None for torch's global one.

        Raises:
            ValueError: If `count` is less than 1, or there is no such label.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}.")
        return generate_rollouts(
            self.decoder,
            [[self.first_token(label)]] * count,
            self.decoder.config.context_length - 1,
            end_token=self.tokenizer.end,
            temperature=temperature,
            generator=generator,
        )

    def sample(
        self,
        count: int,
        *,
        label: int | None = None,
        temperature: float | int = 1.0,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """Sample molecules as SMILES strings, which may be invalid; the arguments and
        errors are as for `rollouts`.
        """
        samples: list[str] = []
        while not samples or len(samples) < count:
            drawn = self.rollouts(
                min(count - len(samples), BATCH),
                label=label,
                temperature=temperature,
                generator=generator,
            )
            samples += self.strings(drawn)
        return samples

    def strings(self, drawn: Rollouts) -> list[str]:
        """Return the SMILES strings of rollouts. One without an end token was cut
        off; it becomes an empty string, which is invalid.
        """
        rows = zip(drawn.answers(), drawn.finished.tolist(), strict=True)
        return [self.tokenizer.decode(row) if ended else "" for row, ended in rows]

    def first_token(self, label: int | None = None) -> int:
        """Return the token that begins a molecule with this label.

        Raises:
            ValueError: If there is no such label.
        """
        if label is None:
            return self.tokenizer.start
        ids = self.tokenizer.label_ids
        if not 0 <= label < len(ids):
            raise ValueError(
                f"label must be from 0 to {len(ids) - 1} or None, got {label}."
            )
        return ids[label]


def property_bins(values: Sequence[float]) -> list[int]:
    """Return the number of each value's bin: how many `QED_EDGES` it reaches.

    >>> property_bins([0.3, 0.5, 0.95])
    [0, 1, 4]
    """
    return [sum(value >= edge for edge in QED_EDGES) for value in values]


def molecule_rows(
    tokenizer: SmilesTokenizer,
    molecules: Sequence[str],
    length: int,
    labels: Sequence[int] | None = None,
) -> Rows:
    """Pack molecules into rows for `supervised_loss`, each with its first token and
    `<end>`.

    Args:
        molecules: SMILES strings; longer ones than a row are left out.
        length: The number of tokens in a row.
        labels: The number of each molecule's label, its first token; None for
            `<start>`.

    Raises:
        ValueError: If no molecule fits into a row, or the numbers of molecules and
            labels differ.
    """
    if labels is None:
        firsts = [tokenizer.start] * len(molecules)
    else:
        firsts = [tokenizer.label_ids[label] for label in labels]
    examples = [
        Example((first,), (*tokenizer.encode(smiles), tokenizer.end))
        for first, smiles in zip(firsts, molecules, strict=True)
    ]
    return pack_examples([e for e in examples if len(e) <= length], length)


def label_dropout_loss(
    tokenizer: SmilesTokenizer, dropout: float, generator: torch.Generator
) -> Callable[..., Float[Tensor, ""]]:
    """Return a loss for `fit` that replaces each label by `<start>` with the
    probability `dropout`: one model learns molecules with a label and of any kind.

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance, algorithm 1,
        https://arxiv.org/abs/2207.12598
    """
    labels = torch.tensor(tokenizer.label_ids)

    def loss(
        model: nn.Module,
        ids: Int[Tensor, "row position"],
        is_text: Bool[Tensor, "row position"],
        documents: Int[Tensor, "row position"],
    ) -> Float[Tensor, ""]:
        draws = torch.rand(ids.shape, generator=generator).to(ids.device)
        dropped = torch.isin(ids, labels.to(ids.device)) & (draws < dropout)
        return supervised_loss(
            model, ids.masked_fill(dropped, tokenizer.start), is_text, documents
        )

    return loss


@torch.no_grad()
def sample_guided(
    model: MoleculeModel,
    count: int,
    label: int,
    guidance: float | int,
    *,
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> list[str]:
    """Sample molecules with a property token and classifier-free guidance.

    Each token is drawn from the logits l(without) + guidance (l(with) - l(without)):
    every molecule is read twice, after its label and after `<start>`. A string that
    reached the context length without an end token is returned as an empty string.

    Args:
        model: A model trained with `label_dropout_loss`.
        label: The number of the property token.
        guidance: 0 ignores the label, 1 is plain conditioning, and more exaggerates it.
        generator: Random generator of the draws; None for torch's global one.

    Raises:
        ValueError: If there is no such label.

    Source: Sanchez et al., Stay on topic with Classifier-Free Guidance, equation 7,
        https://arxiv.org/abs/2306.17806
    """
    decoder, tokenizer = model.decoder, model.tokenizer
    device = decoder.token_embedding.weight.device
    longest = decoder.config.context_length - 1
    firsts = [model.first_token(label)] * count + [tokenizer.start] * count
    unread = torch.tensor(firsts, device=device)[:, None]
    cache = decoder.make_cache(2 * count, longest + 1)
    rows, running = [], torch.ones(count, dtype=torch.bool, device=device)
    for _ in range(longest):
        logits = decoder(unread, AttentionContext.cached(cache))[:, -1]
        labelled, free = logits.split(count)
        guided = free + guidance * (labelled - free)
        probabilities = next_token_probabilities(guided, temperature)
        chosen = draw(probabilities, generator).to(device)
        rows.append(chosen.where(running, tokenizer.end))
        running = running & (chosen != tokenizer.end)
        if not running.any():
            break
        unread = chosen.repeat(2)[:, None]
    strings = map(tokenizer.decode, torch.stack(rows, dim=1).tolist())
    cut_off = running.tolist()
    return ["" if cut else text for text, cut in zip(strings, cut_off, strict=True)]
