"""Leakage from updates: the tokens of a client's text, and often the text itself.

A row of an embedding gets a gradient only if its token occurs. An update therefore
shows which tokens the client's text contains; and a table of n-grams, such as the fast
decoder's, shows which token followed which. A beam search with the language model puts
them in order.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.transformer import AttentionContext, DecoderLM, next_token_loss

TOKEN_TABLE = "token_embedding.weight"
TABLES = "ngram_embedding.tables"
BEAM_WIDTH = 32  # texts kept at each length
NGramRows = dict[int, frozenset[int]]
"""The rows that a text uses, by the length of the n-gram, 2 or 3."""


class Fragment(NamedTuple):
    """The beginning of a text in the search."""

    text: tuple[int, ...]
    score: float
    used: frozenset[tuple[int, int]]


def gradient_of(model: DecoderLM, ids: Int[Tensor, "position"]) -> dict[str, Tensor]:
    """Return the gradient of a text's loss for each parameter: what a client sends
    after one step.

    Raises:
        ValueError: If the text has fewer than two tokens.
    """
    if len(ids) < 2:
        raise ValueError(f"The text must have at least two tokens, got {len(ids)}.")
    parameters = dict(model.named_parameters())
    loss = next_token_loss(model(ids[None, :-1]), ids[None, 1:])
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    return dict(zip(parameters, gradients, strict=True))


def row_norms(
    update: Mapping[str, Tensor], table: str = TOKEN_TABLE
) -> Float[Tensor, "row"]:
    """Return how much each row of an embedding has changed; 0 for rows that the text
    does not use.

    Args:
        update: A gradient, or the difference of the weights after several steps.
        table: The name of the embedding's weights.

    Raises:
        ValueError: If the update has no such table.

    >>> row_norms({TOKEN_TABLE: torch.tensor([[3.0, 4.0], [0.0, 0.0]])})
    tensor([5., 0.])
    """
    if table not in update:
        raise ValueError(
            f"The update has no {table!r}; it has {', '.join(list(update)[:5])} ..."
        )
    return update[table].norm(dim=1)


def ngram_rows_in(update: Mapping[str, Tensor]) -> NGramRows:
    """Return the rows of pairs and triples that a client's text uses, for each table of
    n-grams.

    Raises:
        ValueError: If the model has no such table.
    """
    names = [f"{TABLES}.{order}.weight" for order in ("2", "3")]
    known = {name: row_norms(update, name) for name in names if name in update}
    if not known:
        raise ValueError("The model has no table of n-grams, which reveals the order.")
    return {
        int(name.removeprefix(f"{TABLES}.")[0]): frozenset(
            norms.nonzero()[:, 0].tolist()
        )
        for name, norms in known.items()
    }


@torch.no_grad()
def texts_from_rows(
    model: DecoderLM, rows: NGramRows, length: int
) -> Int[Tensor, "candidate position"]:
    """Return texts that use each of these rows of n-grams at least once and no others,
    the most probable ones that a beam search finds.

    Args:
        model: The language model, which rates the texts.
        rows: The rows, from `ngram_rows_in`.

    Raises:
        ValueError: If no text of this length was found.

    Source: Gupta et al., Recovering Private Text in Federated Learning of Language
        Models, https://arxiv.org/abs/2205.08514
    """
    beam = [Fragment((0, 0), 0.0, frozenset())]  # each text is preceded by two tokens 0
    needed = sum(map(len, rows.values()))
    for place in range(length):
        log_probs = _next_log_probs(model, [fragment.text[2:] for fragment in beam])
        grown = [
            longer
            for fragment, scores in zip(beam, log_probs, strict=True)
            for longer in _extensions(model, fragment, scores, rows)
            # each further token uses at most one new row per table
            if needed - len(longer.used) < len(rows) * (length - place)
        ]
        grown.sort(key=lambda fragment: fragment.score, reverse=True)
        beam = _diverse(grown)
        if not beam:
            break
    complete = [fragment for fragment in beam if len(fragment.used) == needed]
    if not complete:
        raise ValueError(
            f"No text of {length} tokens with all {needed} rows was found: try another "
            "length."
        )
    return torch.tensor([fragment.text[2:] for fragment in complete])


def _extensions(
    model: DecoderLM,
    fragment: Fragment,
    log_probs: Float[Tensor, "vocab"],
    rows: NGramRows,
) -> list[Fragment]:
    """Return a fragment with each token that uses no row but the given ones."""
    size = model.config.vocab_size
    before = torch.tensor(fragment.text[-2:]).expand(size, 2)
    ends = torch.cat((before, torch.arange(size)[:, None]), dim=1)
    used = {
        order: model.ngram_embedding.row(ends, order, AttentionContext())[:, 0].tolist()
        for order in rows
    }
    return [
        Fragment(
            (*fragment.text, token),
            fragment.score + float(log_probs[token]),
            fragment.used | {(order, used[order][token]) for order in rows},
        )
        for token in range(size)
        if all(used[order][token] in rows[order] for order in rows)
    ]


def _diverse(grown: list[Fragment]) -> list[Fragment]:
    """Return the best fragments, at most a quarter of them with equally many used rows:
    a likely text that repeats itself is often a dead end.
    """
    kept: list[Fragment] = []
    counts: Counter[int] = Counter()
    for fragment in grown:
        if counts[len(fragment.used)] < BEAM_WIDTH // 4 and len(kept) < BEAM_WIDTH:
            counts[len(fragment.used)] += 1
            kept.append(fragment)
    return kept


def _next_log_probs(
    model: DecoderLM, texts: Sequence[tuple[int, ...]]
) -> Float[Tensor, "text vocab"]:
    if not texts[0]:  # the first token: all are equally likely
        return torch.zeros(1, model.config.vocab_size)
    return model(torch.tensor(texts))[:, -1].log_softmax(dim=-1)


def gradient_distance(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> float:
    """Return one minus the cosine of two gradients: 0 if they point the same way, 2 if
    they are opposite.

    Source: Geiping et al., Inverting Gradients, equation 4,
        https://arxiv.org/abs/2003.14053
    """
    first, second = (
        torch.cat([value.flatten() for value in gradient.values()]).double()
        for gradient in (left, right)
    )
    return 1 - float(torch.nn.functional.cosine_similarity(first, second, dim=0))


def best_match(
    model: DecoderLM,
    candidates: Int[Tensor, "candidate position"] | Sequence[Tensor],
    gradient: Mapping[str, Tensor],
) -> tuple[Int[Tensor, "position"], float]:
    """Return the candidate whose own gradient is nearest to the one that was seen, and
    their distance.
    """
    distances = [
        gradient_distance(gradient_of(model, text), gradient) for text in candidates
    ]
    best = min(range(len(distances)), key=distances.__getitem__)
    return candidates[best], distances[best]
