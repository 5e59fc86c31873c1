"""SmolLM2 steered by a direction: reviews become kinder or harsher, and at what cost?

    strengths   a difference of means of reviews, a random direction of the same length,
                and a sentence in the prompt; MiniLM with logistic regression judges the
                texts, and the model without steering says what their tokens cost

A seed decides which half of the reviews gives the direction and which half teaches the
judge, the random direction, and the texts.

    OMP_NUM_THREADS=1 python benchmarks/steering.py --folder runs

Each part and seed is one file in the folder and is not repeated; the record keeps what
it has.
"""

import random
from collections.abc import Callable
from contextlib import nullcontext

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from genai_tutorial.generation import generate_all
from genai_tutorial.interpretability import mean_states, steered
from genai_tutorial.pretrained import load_minilm, load_smollm2
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.prompting import SENTIMENT

STATE, TOKENS, COPIES = 12, 20, 4
PROMPTS = (
    "We stayed in the hotel for a week. It",
    "I read the book in one evening. The story",
    "The film lasted two hours. I",
    "My new phone arrived today. It",
    "We had dinner at the restaurant. The food",
    "The concert began at eight. The music",
    "I bought these shoes online. They",
    "The teacher came into the room. She",
)
STRENGTHS = (-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6)
RANDOM_STRENGTHS = (-4, -2, 2, 4)
SENTENCES = {
    "a sentence asks for positive": "This is a very positive review. ",
    "a sentence asks for negative": "This is a very negative review. ",
}


def split_reviews(draw: random.Random) -> tuple[list, list]:
    """Return two halves of the reviews, each with as many positive as negative ones."""
    halves: tuple[list, list] = [], []
    for label in SENTIMENT.labels:
        reviews = [item for item in SENTIMENT.items if item.answer == label]
        draw.shuffle(reviews)
        middle = len(reviews) // 2
        halves[0].extend(reviews[:middle])
        halves[1].extend(reviews[middle:])
    return halves


@torch.no_grad()
def cost(model, prompts: list[list[int]], answers: list[list[int]]) -> float:
    """Return the mean loss of the answers' tokens in nats."""
    losses = []
    for prompt, answer in zip(prompts, answers, strict=True):
        read = model(torch.tensor([prompt + answer]))[0, len(prompt) - 1 : -1]
        chosen = read.log_softmax(dim=-1)[range(len(answer)), answer]
        losses.append(-float(chosen.mean()))
    return sum(losses) / len(losses)


def strengths(seed: int, small: bool) -> dict:
    model, tokenizer = load_smollm2()
    model.requires_grad_(False)
    encoder, draw = load_minilm(), random.Random(seed)
    teaching, judging = split_reviews(draw)

    def vectors(texts: list[str]) -> Tensor:
        return encoder.encode(texts).float()

    def is_positive(items: list) -> list[bool]:
        return [item.answer == "positive" for item in items]

    judge = LogisticRegression(C=10, max_iter=1000).fit(
        vectors([item.question for item in judging]).numpy(), is_positive(judging)
    )
    judged = judge.predict(vectors([item.question for item in teaching]).numpy())
    accuracy = float((judged == is_positive(teaching)).mean())

    rows = [tokenizer.encode(item.question) for item in teaching]
    means, kind = (
        mean_states(model, rows)[:, STATE],
        torch.tensor(is_positive(teaching)),
    )
    direction = means[kind].mean(dim=0) - means[~kind].mean(dim=0)
    generator = torch.Generator().manual_seed(seed)
    guess = torch.randn(direction.shape, generator=generator)
    guess *= direction.norm() / guess.norm()

    def measure(added: Tensor | None, before: str = "") -> dict:
        plain = [tokenizer.encode(text) for text in PROMPTS for _ in range(COPIES)]
        asked = [
            tokenizer.encode(before + text) for text in PROMPTS for _ in range(COPIES)
        ]
        if small:
            plain, asked = plain[:2], asked[:2]
        draws = torch.Generator().manual_seed(seed)
        with nullcontext() if added is None else steered(model, STATE, added):
            answers = generate_all(
                model, asked, TOKENS, temperature=0.7, generator=draws
            )
        texts = [tokenizer.decode(answer) for answer in answers]
        positive = judge.predict(vectors(texts).numpy())
        return {
            "positive": int(positive.sum()),
            "texts": len(texts),
            "nats": round(cost(model, plain, answers), 4),
            "distinct": round(
                sum(len(set(one)) / len(one) for one in answers) / len(answers), 4
            ),
            "sample": [texts[0], texts[-1]],
        }

    chosen = STRENGTHS[::5] if small else STRENGTHS
    table = {f"direction, {c}": measure(c * direction if c else None) for c in chosen}
    table |= {
        f"random, {c}": measure(c * guess)
        for c in (RANDOM_STRENGTHS[:1] if small else RANDOM_STRENGTHS)
    }
    table |= {name: measure(None, text) for name, text in SENTENCES.items()}
    return {
        "judge": round(accuracy, 4),
        "lengths": {
            "direction": round(float(direction.norm()), 2),
            "state": round(float(means.norm(dim=1).mean()), 1),
        },
        "rows": table,
    }


PARTS: dict[str, Callable[[int, bool], dict]] = {"strengths": strengths}


def main() -> None:
    whole = run_parts("steering", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("steering", whole)


if __name__ == "__main__":
    main()
