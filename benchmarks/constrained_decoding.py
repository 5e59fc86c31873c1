"""Free against constrained decoding: JSON from SmolLM2 under a schema.

SmolLM2 reads a sentence about an invented person and writes the facts as JSON, with and
without an example in the prompt, at three temperatures. Free answers may have any order
of keys and any white space; constrained ones follow the schema's regular expression.
The judge counts three things apart: is it JSON, does it follow the schema, which facts
are right. A second study cuts the answers off early, once with a mask that knows
nothing of the limit and once with one that plans the end. Times are processor seconds.

    OMP_NUM_THREADS=1 python benchmarks/constrained_decoding.py

About ten minutes on one core. `--smoke` runs a small version and keeps no record.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.generation import (
    ConstrainedText,
    StopAtText,
    TokenMask,
    generate_rollouts,
    regex_from_schema,
)
from genai_tutorial.metrics import wilson_interval
from genai_tutorial.pretrained.records import keep_record
from genai_tutorial.pretrained.smollm2 import load_smollm2
from genai_tutorial.runtime import describe_machine
from genai_tutorial.tasks.people import (
    PROFILE_EXAMPLE,
    PROFILE_SCHEMA,
    extraction_prompt,
    judge_extraction,
    random_profiles,
)

LIMIT, SHORT_LIMIT = 80, 40


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
                stop=None if timed else StopAtText(self.tokenizer, ["}"]),
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


def run(texts: int, seeds: int) -> dict:
    """Return all measurements."""
    study = Study(texts)
    planned = ConstrainedText(study.pattern, study.mask)
    plain = ConstrainedText(study.pattern, study.mask, plan_end=False)
    settings = []
    for example in (False, True):
        for temperature in (0, 1, 3):
            for constraint in (None, planned):
                settings.append(
                    study.measure(temperature, example, LIMIT, seeds, constraint)
                )
                print(json.dumps(settings[-1]), flush=True)
    states = study.mask.states
    cut_off = []
    for temperature in (0, 1, 3):
        for name, constraint in (("plain", plain), ("planned", planned)):
            found = study.measure(temperature, False, SHORT_LIMIT, seeds, constraint)
            cut_off.append({"mask": name, **found})
            print(json.dumps(cut_off[-1]), flush=True)
    # all masks are in the cache by now
    warm = study.measure(1, False, LIMIT, seeds, planned)
    return {
        "texts": texts,
        "settings": settings,
        "cut_off": cut_off,
        "states": states,
        "warm_mask_share": round(
            warm["mask_seconds"] / (warm["seconds"] - warm["mask_seconds"]), 4
        ),
    }


def main() -> None:
    """Run the studies and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    smoke = parser.parse_args().smoke
    torch.set_num_threads(1)
    start = time.process_time()
    measured = run(2, 1) if smoke else run(12, 5)
    if not smoke:
        seconds = {"cpu_seconds": round(time.process_time() - start)}
        keep_record(
            "constrained_decoding", measured | seconds | {"machine": describe_machine()}
        )


if __name__ == "__main__":
    main()
