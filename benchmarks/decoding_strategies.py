"""Decoders on the plane of likelihood and repetition, beside Shakespeare.

The Shakespeare model continues beginnings of speeches from plays that it has not seen.
Each continuation has three numbers: the nats per character that the model itself gives
it, the share of repeated 12-grams, and how many speakers speak again who have spoken
before: something that must repeat in a play, and that a ban on repetition forbids.

    OMP_NUM_THREADS=1 python benchmarks/decoding_strategies.py --folder runs

About seven minutes on one core, because most of a text lies beyond the context window.
Finished decoders are kept in the folder and not repeated. `--smoke` runs a small
version and keeps no record.
"""

import argparse
import json
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial import recipes
from genai_tutorial.data import load_shakespeare
from genai_tutorial.generation import (
    beam_search,
    frequency_penalty,
    generate,
    no_repeat_ngram,
    repetition_penalty,
)
from genai_tutorial.metrics import repeated_share
from genai_tutorial.pretrained.records import keep_record
from genai_tutorial.runtime import describe_machine, write_atomically

PROMPT, NEW, STARTS, SEEDS = 28, 200, 12, 5
SPEAKER = re.compile(r"\n\n([A-Z][A-Z ]+):\n")

ngram = partial(no_repeat_ngram, size=12)
SAMPLERS: dict[str, dict] = {
    "temperature 0.5": {"temperature": 0.5},
    "temperature 1": {},
    "temperature 1.5": {"temperature": 1.5},
    "temperature 1.5, min-p 0.1": {"temperature": 1.5, "min_p": 0.1},
    "top-p 0.9": {"top_p": 0.9},
}
"""The decoders that draw at random."""

GREEDY: dict[str, Callable | None] = {
    "greedy": None,
    "greedy, no repeated 12-grams": ngram,
    "greedy, repetition penalty 1.2": partial(
        repetition_penalty, penalty=1.2, window=64
    ),
    "greedy, frequency penalty 0.2": partial(frequency_penalty, penalty=0.2),
}
"""The decoders that take the best token after a penalty."""

BEAMS = {"beam search, 4 beams": 4}


class Study:
    """The model, the starts, and what is measured."""

    def __init__(self, starts: int, new: int):
        self.model, self.tokenizer = recipes.load("shakespeare")
        play = load_shakespeare().validation
        speeches = [
            found.end()
            for found in SPEAKER.finditer(play)
            if PROMPT <= found.end() < len(play) - new
        ]
        places = speeches[:: len(speeches) // starts][:starts]
        self.human = torch.tensor(
            [
                self.tokenizer.encode(play[place - PROMPT : place + new])
                for place in places
            ]
        )
        self.starts, self.new = self.human[:, :PROMPT], new

    def beam_texts(self, beams: int) -> Int[Tensor, "start position"]:
        """Return the best text of a beam search from each start."""
        return torch.tensor(
            [
                [*row, *beam_search(self.model, row, self.new, beams=beams)[0].tokens]
                for row in self.starts.tolist()
            ]
        )

    def sampled(self, settings: dict, seed: int) -> Int[Tensor, "start position"]:
        """Return a text from each start."""
        generator = torch.Generator().manual_seed(seed)
        return generate(
            self.model, self.starts, self.new, generator=generator, **settings
        )

    @torch.no_grad()
    def nats(self, ids: Int[Tensor, "start position"]) -> float:
        """Return the nats per new character, each given at least 96 characters before
        it, or all that there are.
        """
        context, length = self.model.config.context_length, ids.shape[1]
        total = 0.0
        for start in range(PROMPT, length, 32):
            end = min(start + 32, length)
            window = ids[:, max(0, end - 1 - context) : end - 1]
            log_probs = self.model(window)[:, start - end :].log_softmax(dim=-1)
            total -= float(log_probs.gather(2, ids[:, start:end, None]).sum())
        return total / len(ids) / (length - PROMPT)

    def measure(self, ids: Int[Tensor, "start position"]) -> dict:
        """Return the three numbers, and the first text."""
        texts = [self.tokenizer.decode(row[PROMPT:]) for row in ids.tolist()]
        speakers = [SPEAKER.findall(text) for text in texts]
        return {
            "nats": round(self.nats(ids), 3),
            "repeated": round(
                sum(repeated_share(text, 12) for text in texts) / len(texts), 4
            ),
            "speakers": sum(map(len, speakers)),
            "speak_again": sum(len(who) - len(set(who)) for who in speakers),
            "text": texts[0],
        }


def main() -> None:
    """Measure what is not in the folder yet, and keep the record if all is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", default="", help="names that begin with this")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    starts, new, seeds = (2, 20, 2) if options.smoke else (STARTS, NEW, SEEDS)
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    study = Study(starts, new)
    makers: dict[str, Callable[[], list]] = {"Shakespeare": lambda: [study.human]}
    for name, beams in BEAMS.items():
        makers[name] = partial(lambda beams: [study.beam_texts(beams)], beams)
    for name, processor in GREEDY.items():
        settings = {"temperature": 0, "processor": processor}
        makers[name] = partial(lambda settings: [study.sampled(settings, 0)], settings)
    for name, settings in SAMPLERS.items():
        makers[name] = partial(
            lambda settings: [study.sampled(settings, seed) for seed in range(seeds)],
            settings,
        )
    found = {}
    for name, make in makers.items():
        file = options.folder / f"{name}.json"
        if not file.is_file() and name.startswith(options.only):
            start = time.process_time()
            measured = [study.measure(ids) for ids in make()]
            seconds = round(time.process_time() - start)
            with write_atomically(file, "w") as opened:
                json.dump({"runs": measured, "cpu_seconds": seconds}, opened)
            print(name, measured, f"{seconds} s", flush=True)
        if file.is_file():
            found[name] = json.loads(file.read_text())
    if len(found) == len(makers) and not options.smoke:
        keep_record(
            "decoding_strategies",
            {
                "starts": STARTS,
                "characters": NEW,
                "decoders": {name: one["runs"] for name, one in found.items()},
                "cpu_seconds": sum(one["cpu_seconds"] for one in found.values()),
                "machine": describe_machine(),
            },
        )


if __name__ == "__main__":
    main()
