"""Model collapse: bigrams that are trained on the texts of the bigrams before them.

The first generation reads 50,000 tokens of Wikipedia. Each generation is a bigram of
chapter 12's kind, and writes as many tokens for the next. The arms differ in what a
generation reads:

    replace       only what the generation before it wrote
    accumulate    the real text and all that was written before
    fresh         50,000 other real tokens, the control
    more real     the real text and as many real tokens as `accumulate` adds

Measured are the loss on held-out articles and, in 50,000 tokens that a generation
writes, the number of different tokens, and of different pairs of tokens and words that
occur in the articles. A seed decides the order of the real texts and all draws.

    # about two minutes of one core
    OMP_NUM_THREADS=1 python benchmarks/model_collapse.py --folder runs
    # two generations, to see that it works; not kept
    OMP_NUM_THREADS=1 python benchmarks/model_collapse.py --smoke
"""

import re

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.corpus import join_documents
from genai_tutorial.recipes import load, load_corpus
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.assistant import END_OF_TEXT

VOCABULARY, TOKENS, PASSAGES = 2048, 50_000, 500
GENERATIONS = 10
SMOOTHING = 30
"""The best of 10, 30 and 100 for the first generation."""
ARMS = ("replace", "accumulate", "fresh", "more real")


def bigram(text: Int[Tensor, " n"]) -> Float[Tensor, "before after"]:
    """Return the probabilities of the next token, smoothed towards the frequencies."""
    frequencies = torch.bincount(text, minlength=VOCABULARY) + 0.1
    frequencies /= frequencies.sum()
    pairs = torch.zeros(VOCABULARY, VOCABULARY)
    pairs.index_put_((text[:-1], text[1:]), torch.ones(()), accumulate=True)
    seen = pairs.sum(1, keepdim=True)
    return (pairs + SMOOTHING * frequencies) / (seen + SMOOTHING)


def write(
    model: Float[Tensor, "before after"], read: Int[Tensor, " n"], seed: int
) -> Int[Tensor, " n"]:
    """Write passages; each begins with a token of what the model has read."""
    coins = torch.Generator().manual_seed(seed)
    sums = model.double().cumsum(1)
    last = read[torch.randint(len(read), (PASSAGES,), generator=coins)]
    written = [last]
    for _ in range(TOKENS // PASSAGES - 1):
        draws = torch.rand(PASSAGES, 1, generator=coins, dtype=torch.float64)
        draws *= sums[last, -1:]
        last = torch.searchsorted(sums[last], draws)[:, 0].clamp(max=VOCABULARY - 1)
        written.append(last)
    return torch.stack(written, 1).flatten()


def pairs_of(text: Int[Tensor, " n"]) -> set[int]:
    """Return the different pairs of neighbouring tokens."""
    return set((text[:-1] * VOCABULARY + text[1:]).tolist())


def words(text: str) -> set[str]:
    """Return a text's different words of at least two letters, in lower case."""
    return set(re.findall(r"[a-z]{2,}", text.lower()))


def generations(seed: int, small: bool) -> dict:
    """Train all generations of the four arms; the first one is the same for all."""
    _, tokenizer = load("factbook-base")
    corpus, end = load_corpus(), tokenizer.special_tokens[END_OF_TEXT]
    every, held_out = (
        torch.from_numpy(join_documents(map(tokenizer.encode, texts), end)).long()
        for texts in (corpus.sources["wikipedia"], corpus.held_out)
    )
    count = 2 if small else GENERATIONS
    parts = every[: len(every) // TOKENS * TOKENS].view(-1, TOKENS)
    order = torch.randperm(len(parts), generator=torch.Generator().manual_seed(seed))
    parts = parts[order]
    real = parts[0]
    known, known_pairs = words(tokenizer.decode(every.tolist())), pairs_of(every)
    measured: dict = {
        "tokens": TOKENS,
        "scored": len(held_out),
        "tokens of the real text": len(real.unique()),
        "pairs of the real text": len(pairs_of(real)),
        "words of the real text": len(words(tokenizer.decode(real.tolist()))),
    }
    for arm in ARMS:
        read, found = real, []
        for number in range(count):
            model = bigram(read)
            written = write(model, read, 100 * seed + number)
            losses = -model[held_out[:-1], held_out[1:]].log()
            text = tokenizer.decode(written.tolist())
            found.append(
                {
                    "loss": round(losses.mean().item(), 4),
                    "tokens": len(written.unique()),
                    "pairs": len(known_pairs & pairs_of(written)),
                    "words": len(known & words(text)),
                }
            )
            read = {
                "replace": written,
                "accumulate": torch.cat((read, written)),
                "fresh": parts[(number + 1) % len(parts)],
                "more real": parts[: number + 2].flatten(),
            }[arm]
        measured[arm] = found
        print(arm, [list(one.values()) for one in found], flush=True)
    return measured


def main() -> None:
    whole = run_parts(
        "model_collapse", {"generations": generations}, __doc__.splitlines()[0]
    )
    if whole is not None:
        keep_record("model_collapse", whole)


if __name__ == "__main__":
    main()
