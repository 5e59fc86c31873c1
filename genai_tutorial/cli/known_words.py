"""Suggestions for a prompt with words that a model has never seen: the known words that
are nearest in spelling or in meaning.
"""

from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches

from genai_tutorial.pretrained import load_minilm

from .user_errors import WRONG_USE, UserError

OFFERED = 3
"""The number of known words or names that are offered in place of an unknown one."""


def check_words(
    model: str, prompt: str, words: Sequence[str], names: Sequence[str]
) -> None:
    """Refuse a prompt with words that a model has never seen, and offer its nearest
    names, or if it has none, its nearest words. Without MiniLM, nothing is refused: the
    tokenizer will do it.
    """
    asked = prompt.lower().split()
    unknown = [word for word in dict.fromkeys(asked) if word not in words]
    if not unknown:
        return
    with suppress(FileNotFoundError):
        if names:
            (near,) = _nearest([prompt], names)
            offered, best = f"names: {', '.join(near)}", near[0]
        else:
            near = dict(zip(unknown, _nearest(unknown, words), strict=True))
            offered = f"{len(words)} words: " + "; ".join(
                f"{word}: {', '.join(theirs)}" for word, theirs in near.items()
            )
            best = " ".join(near.get(word, [word])[0] for word in asked)
        raise UserError(
            f"{model} has never seen {' or '.join(map(repr, unknown))}. Nearest among "
            f'its {offered}. To draw that: prompt="{best}".',
            WRONG_USE,
        )


def _nearest(texts: Sequence[str], known: Sequence[str]) -> list[list[str]]:
    encoder = load_minilm()
    cosines = encoder.encode(texts) @ encoder.encode(known).T
    order = cosines.topk(min(OFFERED, len(known))).indices.tolist()
    near = [[known[number] for number in row] for row in order]
    for text, row in zip(texts, near, strict=True):
        # a misspelled word comes first, because its meaning says nothing
        row[:0] = get_close_matches(text.lower(), known, n=1, cutoff=0.8)
    return [list(dict.fromkeys(row))[:OFFERED] for row in near]
