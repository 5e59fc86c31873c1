"""Patterns of four voices at equal time, and melodies from captions.

For each seed a model of the chorales is trained with the delay pattern and one in
parallel, each for the same processor time. Measured on held-out melodies: the loss of
each voice, the counterpoint of samples and of harmonizations beside Bach's and beside
shuffled Bach, and how often bars repeat at each temperature. Then a model of captioned
melodies is trained for each seed, and the verifier reads its melodies' attributes from
their sound, with several weights of guidance.

    OMP_NUM_THREADS=1 python benchmarks/music.py --folder runs

About six minutes on one quiet core. Finished parts are kept in the folder and not
repeated. `--smoke` runs a small version and keeps no record.
"""

import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from finished import command_line, kept
from melody_model import (
    held_out_captions,
    seen_captions,
    train_melody_model,
    write_melodies,
)

from genai_tutorial.audio import (
    CodebookPattern,
    MultiStreamLM,
    multi_stream_loss,
    stream_losses,
)
from genai_tutorial.recipes.bach_chorales import LIVE
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.melodies import (
    CAPTIONS,
    attributes_right,
    draw_melodies,
    listen,
    play_melody,
)
from genai_tutorial.tasks.music import (
    WINDOW,
    compose,
    decode_cells,
    frequency_losses,
    harmonize,
    judge_counterpoint,
    last_pitch_losses,
    pitch_agreement,
    repeated_bars,
    shuffle_voices,
)
from genai_tutorial.training import (
    TensorBatches,
    build_optimizer,
    scale_learning_rates,
    train_step,
)

SEEDS = range(5)
PATTERNS = {
    "delay": CodebookPattern.delayed(4),
    "parallel": CodebookPattern.parallel(4),
}
CHECKPOINTS = 4  # the loss is measured after each quarter of the time
GUIDANCES = (0, 1, 1.5, 2, 3)
EXAMPLES = 3
MELODY_STEPS = 600
PER_CAPTION = {"seen": 1, "unseen": 5}
TEMPERATURES = (0, 0.1, 0.3, 0.5, 0.8, 1.0, 1.3)


class Study:
    """The data that all parts share, and the folder of finished parts."""

    def __init__(self, folder: Path, seconds: float, smoke: bool):
        self.folder, self.seconds, self.smoke = folder, seconds, smoke
        self.train, self.held_out = LIVE.windows()
        self.bach = decode_cells(self.held_out.codes)

    def patterns(self, seed: int) -> dict:
        """Train a model with each pattern by turns, so that all meet the same machine,
        and measure them.
        """
        runs = {name: Run(self, pattern, seed) for name, pattern in PATTERNS.items()}
        for quarter in range(1, CHECKPOINTS + 1):
            for run in runs.values():
                run.train_until(self.seconds * quarter / CHECKPOINTS)
        return {name: run.result() for name, run in runs.items()}

    def counted(self, cells: torch.Tensor) -> dict:
        """Return how often pieces follow the rules of counterpoint."""
        return asdict(judge_counterpoint(cells))


class Run:
    """The training of one model for a given processor time."""

    def __init__(self, study: Study, pattern: CodebookPattern, seed: int):
        self.study, self.seed = study, seed
        decoder = replace(LIVE.config.decoder, context_length=pattern.columns(WINDOW))
        config = replace(LIVE.config, decoder=decoder, pattern=pattern)
        self.model = MultiStreamLM(config, seed)
        self.optimizer = build_optimizer(self.model, LIVE.optimizer)
        windows = study.train
        self.batches = TensorBatches(
            (windows.codes, windows.features), LIVE.batch_size, seed
        )
        self.steps, self.spent = 0, 0.0
        self.curve: list[dict] = []

    def train_until(self, seconds: float) -> None:
        """Train until the run has used this much processor time, and measure the loss;
        the learning rates fall linearly with the time.
        """
        total = self.study.seconds
        while self.spent < seconds:
            began = time.process_time()
            warmup = min((self.steps + 1) / LIVE.warmup_steps, 1.0)
            scale_learning_rates(
                self.optimizer, warmup * max(1 - self.spent / total, 0.0)
            )
            batch = next(self.batches)
            train_step(self.model, batch, multi_stream_loss, self.optimizer, 1.0)
            self.steps += 1
            self.spent += time.process_time() - began
        self.curve.append(
            {"seconds": round(seconds, 1), "steps": self.steps, "losses": self.losses()}
        )

    def losses(self) -> list[float]:
        """Return the held-out loss of each voice in nats per step."""
        windows = self.study.held_out
        losses = torch.cat(
            [
                stream_losses(self.model, codes, features)
                for codes, features in zip(
                    windows.codes.split(25), windows.features.split(25), strict=True
                )
            ]
        )
        return [round(loss, 4) for loss in losses.mean(dim=0).tolist()]

    def result(self) -> dict:
        """Return the curve and the counterpoint of samples and harmonizations."""
        study, features = self.study, self.study.held_out.features
        sampled = compose(self.model, features, generator=self.generator())
        harmonized = harmonize(
            self.model, study.bach[:, 0], features, generator=self.generator()
        )
        agreement = pitch_agreement(harmonized, study.bach)
        result = {
            "curve": self.curve,
            "sampled": study.counted(sampled),
            "harmonized": study.counted(harmonized),
            "pitch_agreement": [round(share, 4) for share in agreement.tolist()],
        }
        if self.model.config.pattern == PATTERNS["delay"]:
            result["temperatures"] = [self.at(value) for value in TEMPERATURES]
        return result

    def at(self, temperature: float) -> dict:
        """Return how often bars repeat at a temperature, and the counterpoint."""
        cells = compose(
            self.model,
            self.study.held_out.features,
            temperature=temperature,
            top_p=None,
            generator=self.generator(),
        )
        repeated = repeated_bars(cells)
        return {
            "temperature": temperature,
            "repeated": int(repeated.sum()),
            "bars": repeated.numel(),
            "counted": self.study.counted(cells),
        }

    def generator(self) -> torch.Generator:
        """Return a fresh random generator with the run's seed."""
        return torch.Generator().manual_seed(self.seed)


def melody_study(seed: int, steps: int) -> dict:
    """Train a melody model, and return how many of its melodies have each attribute of
    their caption; beside real melodies with their own and with other captions.
    """
    began = time.process_time()
    model = train_melody_model(steps, seed)
    seconds = time.process_time() - began
    real = list(CAPTIONS) * 4
    generator = torch.Generator().manual_seed(100 + seed)
    heard = [listen(play_melody(m.tolist())) for m in draw_melodies(real, generator)]
    read = [each.caption for each in heard]
    order = torch.randperm(len(real), generator=generator).tolist()
    captions = {
        "seen": seen_captions() * PER_CAPTION["seen"],
        "unseen": list(held_out_captions()) * PER_CAPTION["unseen"],
    }
    examples = captions["unseen"][:: len(captions["unseen"]) // EXAMPLES][:EXAMPLES]
    written = write_melodies(
        model, examples, generator=torch.Generator().manual_seed(seed)
    )
    return {
        "examples": [
            {"caption": str(caption), "tokens": melody.tolist()}
            for caption, melody in zip(examples, written, strict=True)
        ],
        "steps": steps,
        "seconds": round(seconds, 1),
        "real": shares(attributes_right(real, read)),
        "other_caption": shares(attributes_right(real, [read[i] for i in order])),
        "guided": [
            {"guidance": guidance, "captions": name}
            | shares(attributes_right(wanted, sung(model, wanted, guidance, seed)))
            for name, wanted in captions.items()
            for guidance in GUIDANCES
        ],
    }


def sung(model, captions, guidance, seed):
    """Return what the verifier hears in a model's melodies."""
    melodies = write_melodies(
        model,
        captions,
        guidance=guidance,
        generator=torch.Generator().manual_seed(seed),
    )
    return [listen(play_melody(melody.tolist())).caption for melody in melodies]


def shares(right: dict[str, list[bool]]) -> dict:
    """Return the number of melodies and how many of them have each attribute."""
    return {"n": len(right["all"])} | {name: sum(each) for name, each in right.items()}


def main() -> None:
    """Run all parts that are not in the folder, and write the record."""
    parser = command_line(__doc__.splitlines()[0], SEEDS)
    parser.add_argument("--seconds", type=float, default=20.0, help="per model")
    parser.add_argument("--only", choices=("patterns", "melodies"))
    options = parser.parse_args()
    study = Study(
        options.folder, 2.0 if options.smoke else options.seconds, options.smoke
    )
    seeds = [0] if options.smoke else options.seeds
    patterns = melodies = None
    if options.only != "melodies":
        patterns = [
            kept(
                study.folder / f"patterns-{seed}.json",
                lambda seed=seed: study.patterns(seed),
            )
            for seed in seeds
        ]
    if options.only != "patterns":
        steps = 20 if options.smoke else MELODY_STEPS
        melodies = [
            kept(
                study.folder / f"melodies-{seed}.json",
                lambda seed=seed: melody_study(seed, steps),
            )
            for seed in seeds
        ]
    if options.smoke or options.only or seeds != list(SEEDS):
        return
    shuffled = shuffle_voices(study.bach, torch.Generator().manual_seed(0))
    train, held_out = study.train.codes, study.held_out.codes
    keep_record(
        "music",
        {
            "seconds_per_model": options.seconds,
            "seeds": seeds,
            "held_out_windows": len(study.held_out),
            "baselines": {
                "frequencies": frequency_losses(train, held_out).mean(0).tolist(),
                "last_pitch": last_pitch_losses(train, held_out).mean(0).tolist(),
            },
            "bach": study.counted(study.bach),
            "bach_repeated": int(repeated_bars(study.bach).sum()),
            "shuffled": study.counted(shuffled),
            "patterns": patterns,
            "melodies": melodies,
            "machine": describe_machine(),
        },
    )


if __name__ == "__main__":
    main()
