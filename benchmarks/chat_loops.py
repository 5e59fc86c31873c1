"""How often the answers of `genai-tutorial chat` fall into loops: eight conversations
of three turns with SmolLM2, by precision, repetition penalty and temperature.

An answer is in a loop if it has a sentence of three words or more at least three times.
Besides, for all answers of a setting: the share of their 8-grams of tokens that occur
earlier in the same answer, and of answers after the first the share that occur in
earlier answers.

    # about 40 CPU minutes; each conversation is one file and is not repeated
    OMP_NUM_THREADS=1 python benchmarks/chat_loops.py --folder runs
    # answers of up to 512 tokens, as in the command
    OMP_NUM_THREADS=1 python benchmarks/chat_loops.py --folder runs --tokens 512 \\
        --precisions int4 --temperatures 0.2

Answers in a loop, of 24, in the first, second and third turn:

    precision  penalty  temperature  tokens   loops   repeated  copied
    int4       1        0            512      5 5 4       0.48    0.25
    int4       1        0.2          512      3 3 5       0.42    0.35
    int4       1        0.7          512      2 4 2       0.21    0.06
    int4       1.1      0            512      1 0 0       0.01    0.22
    int4       1.1      0.2          512      0 0 0       0.01    0.17
    int4       1        0            96       1 2 3       0.21    0.25
    int8       1        0            96       1 2 3       0.16    0.20
    int4       1        0.7          96       1 0 0       0.03    0.04
    int8       1        0.7          96       1 0 0       0.02    0.04
    int4       1.1      0            96       0 0 0       0.00    0.17
    int8       1.1      0            96       0 0 0       0.01    0.24
    int4       1.3      0            96       0 0 0       0.00    0.05

So the missing penalty is what makes answers loop: in every turn and at every
temperature, most at 0, and with both precisions alike. With the command's defaults,
1.1 and 0.2, no answer loops. float32 has not been measured.

The package's file of SmolLM2 has four bits per weight, and so int8 has these weights
too: what differs is the rounding of activations and of the last layer.
"""

import re
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path
from statistics import mean

from finished import command_line, kept

from genai_tutorial.cli.chat import CHAT_PROFILES, Conversation, load
from genai_tutorial.metrics import repeated_share
from genai_tutorial.runtime import keep_record, read_json

CONVERSATIONS = (
    ("Hello, who are you?", "What can you help me with?", "Give me an example."),
    ("What is a black hole?", "Explain that to a child.", "How do we know?"),
    ("Plan a birthday party.", "Make it cheaper.", "And what if it rains?"),
    ("Write a short poem about the sea.", "Now about a mountain.", "Which is better?"),
    ("How do I cook rice?", "How long does it take?", "What goes well with it?"),
    ("What is the capital of Kenya?", "Tell me more about it.", "What do they eat?"),
    ("I feel tired all day.", "I sleep seven hours.", "What should I try first?"),
    ("Tell me a story about a dog.", "What happens next?", "How does it end?"),
)
PRECISIONS, PENALTIES, TEMPERATURES = ("int4", "int8", "fp32"), (1, 1.1, 1.3), (0, 0.7)
SIZE = 8
RECORD = Path(__file__).parent / "results" / "chat_loops.json"

loaded = cache(load)


def is_loop(answer: str) -> bool:
    sentences = (" ".join(part.split()) for part in re.split(r"[.!?\n]+", answer))
    counts = Counter(one.lower() for one in sentences if len(one.split()) >= 3)
    return max(counts.values(), default=0) >= 3


def grams(tokens: list[int]) -> list[tuple[int, ...]]:
    return [tuple(tokens[i : i + SIZE]) for i in range(len(tokens) - SIZE + 1)]


def measure(
    number: int, precision: str, penalty: float, temperature: float, tokens: int
) -> list[dict]:
    """Return what was found in each answer of one conversation."""
    model, tokenizer = loaded(precision)
    conversation = Conversation(
        model,
        tokenizer,
        CHAT_PROFILES["smollm2"],
        max_tokens=tokens,
        temperature=temperature,
        penalty=penalty,
    )
    found, earlier = [], set()
    for question in CONVERSATIONS[number]:
        ids, _ = conversation.prepare(question)
        answer = "".join(conversation.answer(ids))
        said = tokenizer.encode(answer)
        here = grams(said)
        copied = sum(gram in earlier for gram in here) / max(len(here), 1)
        found.append(
            {
                "loop": is_loop(answer),
                "repeated": repeated_share(said, SIZE),
                "copied": copied,
                "tokens": len(said),
            }
        )
        earlier |= set(here)
    return found


def summary(conversations: list[list[dict]]) -> dict:
    """Return the loops of each turn, and means over the answers."""
    answers = [answer for found in conversations for answer in found]
    later = [answer["copied"] for found in conversations for answer in found[1:]]
    return {
        "loops": [
            sum(turn["loop"] for turn in turns)
            for turns in zip(*conversations, strict=True)
        ],
        "answers": len(answers),
        "repeated": round(mean(answer["repeated"] for answer in answers), 3),
        "copied": round(mean(later), 3),
        "tokens": round(mean(answer["tokens"] for answer in answers), 1),
    }


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS)
    parser.add_argument("--penalties", type=float, nargs="+", default=PENALTIES)
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    settings = parser.parse_args()
    if settings.smoke:
        print(summary([measure(0, "int4", 1.1, 0, 16)]))
        return
    record = read_json(RECORD) if RECORD.is_file() else {}
    for precision, penalty, temperature in product(
        settings.precisions, settings.penalties, settings.temperatures
    ):
        setting = precision, penalty, temperature, settings.tokens
        name = f"{precision} {penalty:g} {temperature:g} {settings.tokens}"
        found = [
            kept(
                settings.folder / f"{name.replace(' ', '_')}_{number}.json",
                lambda: measure(number, *setting),  # noqa: B023  -- called at once
            )
            for number in range(len(CONVERSATIONS))
        ]
        record[name] = summary(found)
        keep_record(RECORD.stem, record, RECORD.parent)


if __name__ == "__main__":
    main()
