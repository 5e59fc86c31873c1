"""Free against constrained decoding: JSON from SmolLM2 under a schema.

SmolLM2 reads a sentence about an invented person and writes the facts as JSON, with and
without an example in the prompt, at three temperatures. Free answers may have any order
of keys and any white space; constrained ones follow the schema's regular expression.
The judge counts three things apart: is it JSON, does it follow the schema, which facts
are right. A second study cuts the answers off early, once with a mask that knows
nothing of the limit and once with one that plans the end. Times are processor seconds.

    OMP_NUM_THREADS=1 python benchmarks/constrained_decoding.py --folder runs

About fifteen minutes on one core. Finished settings are kept in the folder and not
repeated. `--smoke` runs a small version and keeps no record.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from extraction_judge import judge_extraction
from finished import command_line, kept

from genai_tutorial.generation import (
    ConstrainedText,
    TokenMask,
    generate_rollouts,
    regex_from_schema,
)
from genai_tutorial.metrics import wilson_interval
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.people import (
    PROFILE_EXAMPLE,
    PROFILE_SCHEMA,
    extraction_prompt,
    random_profiles,
)

TEXTS, SEEDS = 12, 5
LIMIT, SHORT_LIMIT = 80, 40
WARM = "example_False_warm"  # the name of the setting that only measures time


@dataclass
class Timed:
    """A constraint that measures the processor time that it takes."""

    constraint: ConstrainedText
    seconds: float = 0.0

    def allowed(self, drawn: Sequence[int], left: int) -> torch.Tensor:
        """Return which tokens may follow; see `Constraint`."""
        start = time.process_time()
        allowed = self.constraint.allowed(drawn, left)
        self.seconds += time.process_time() - start
        return allowed


def interval(successes: int, n: int) -> dict:
    """Return a share with its Wilson interval, for the record."""
    found = wilson_interval(successes, n)
    return {
        "successes": successes,
        "n": n,
        "low": round(found.low, 3),
        "high": round(found.high, 3),
    }


class Study:
    """SmolLM2 with what all settings share."""

    def __init__(self, texts: int):
        self.model, self.tokenizer = load_smollm2()
        self.end = self.tokenizer.special_tokens["<|im_end|>"]
        self.mask = TokenMask.from_tokenizer(self.tokenizer, self.end)
        self.pattern = " " + regex_from_schema(PROFILE_SCHEMA, max_digits=3)
        self.profiles = random_profiles(texts, seed=0)

    def is_closed(self, drawn: Sequence[int]) -> bool:
        """Return whether the first brace has been closed: where a free answer ends."""
        text = self.tokenizer.decode(drawn)
        return "{" in text and text.count("{") <= text.count("}")

    def measure(
        self,
        temperature: float,
        example: bool,
        limit: int,
        seeds: int,
        constraint: ConstrainedText | None,
    ) -> dict:
        """Answer all texts with each seed, and judge the answers."""
        prompts = [
            self.tokenizer.encode(
                extraction_prompt(profile, PROFILE_EXAMPLE if example else None)
            )
            for profile in self.profiles
        ]
        timed = None if constraint is None else Timed(constraint)
        judged, tokens, texts, start = [], 0, [], time.process_time()
        for seed in range(1 if temperature == 0 else seeds):
            rollouts = generate_rollouts(
                self.model,
                prompts,
                limit,
                end_token=self.end,
                temperature=temperature,
                stop=None if timed else self.is_closed,
                constraint=timed,
                share_prefix=True,
                generator=torch.Generator().manual_seed(seed),
            )
            answers = [self.tokenizer.decode(ids) for ids in rollouts.answers()]
            tokens += int(rollouts.is_answer.sum())
            judged += [
                judge_extraction(answer, profile)
                for answer, profile in zip(answers, self.profiles, strict=True)
            ]
            texts.append(answers[0])
        seconds = time.process_time() - start
        n = len(judged)
        return {
            "temperature": temperature,
            "example": example,
            "constrained": constraint is not None,
            "limit": limit,
            "seeds": n // len(self.profiles),
            "is_json": interval(sum(one.is_json for one in judged), n),
            "fits_schema": interval(sum(one.fits_schema for one in judged), n),
            "facts_right": interval(sum(one.facts_right for one in judged), 5 * n),
            "tokens": tokens,
            "seconds": round(seconds, 2),
            "mask_seconds": round(timed.seconds, 3) if timed else 0.0,
            "text": texts[0],
        }


def settings() -> Iterator[tuple[str, float, bool, int, str]]:
    """Yield the name of each setting, its temperature, whether there is an example, the
    limit of tokens, and the kind of mask.
    """
    for example in (False, True):
        for temperature in (0, 1) if example else (0, 1, 3):
            for mask in ("none", "planned"):
                name = f"example_{example}_{temperature}_{mask}"
                yield name, temperature, example, LIMIT, mask
    for temperature in (0, 3):
        for mask in ("plain", "planned"):
            name = f"short_{temperature}_{mask}"
            yield name, temperature, False, SHORT_LIMIT, mask
    yield WARM, 1, False, LIMIT, "planned"


def main() -> None:
    """Measure what is not in the folder yet, and keep the record if all is there."""
    parser = command_line(__doc__)
    parser.add_argument("--only", default="", help="names that begin with this")
    options = parser.parse_args()
    texts, seeds = (2, 1) if options.smoke else (TEXTS, SEEDS)
    study = Study(texts)
    masks = {
        "none": None,
        "planned": ConstrainedText(study.pattern, study.mask),
        "plain": ConstrainedText(study.pattern, study.mask, plan_end=False),
    }

    def measure(name, temperature, example, limit, mask) -> dict:
        repeats = 1 if name == WARM else seeds
        arguments = temperature, example, limit, repeats, masks[mask]
        if name == WARM:  # so that all its masks are in the cache
            study.measure(*arguments)
        return study.measure(*arguments) | {"mask": mask, "states": study.mask.states}

    found = {}
    for setting in settings():
        file = options.folder / f"{setting[0]}.json"
        if file.is_file() or setting[0].startswith(options.only):
            found[setting[0]] = kept(file, partial(measure, *setting))
    if len(found) == len(list(settings())) and not options.smoke:
        warm = found.pop(WARM)
        model_seconds = warm["seconds"] - warm["mask_seconds"]
        keep_record(
            "constrained_decoding",
            {
                "texts": texts,
                "settings": [one for one in found.values() if one["limit"] == LIMIT],
                "cut_off": [one for one in found.values() if one["limit"] < LIMIT],
                "mask_share": round(warm["mask_seconds"] / model_seconds, 4),
                "states": warm["states"],
                "cpu_seconds": round(sum(one["seconds"] for one in found.values())),
                "machine": describe_machine(),
            },
        )


if __name__ == "__main__":
    main()
