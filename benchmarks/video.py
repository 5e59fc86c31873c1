"""Video: what connects the frames of a clip, measured on models that are trained for
half a minute, and on the published model `shapes-video`.

`--part live` inflates the published image model and trains the added layers in five
ways, for the same number of steps on the same clips: `together` is the model as it is;
`alone`, each frame sees only itself; `unmoved`, the displacement stays at zero, so that
each place attends to the same place of the other frames; `sum`, frames are given the
motion and their number, but not motion × time; `joint`, attention over all places of
all frames at the lowest resolution in place of attention along the motion. Each model
then draws clips, and the verifier reads them. The validation loss is the mean squared
error of the velocity at six timesteps, on clips that are not in the training set.

`--part floors` computes the lowest possible loss for clips of a small red circle, by
Bayes' rule over all its places: with the noisy frames one at a time, and with all of
them. The published model stands beside it.

`--part guidance` draws with the published model, weight by weight. `--part known` lets
it complete clips whose first frames are given, and `--part windows` draw films of three
windows, each of which begins with the last frames of the one before. Beside them stand
two rules without a network: the last known frame moved with the velocity that the
caption states, and the last two known frames continued straight on. `--part pairs`
draws pairs of colour and direction that training showed, and pairs that it did not.

`--part known_live` trains models for half a minute as the published one was trained,
with known frames in three of ten clips, and lets each complete clips whose first frame
is given.

    # about four minutes a seed on one core
    OMP_NUM_THREADS=1 python benchmarks/video.py --part live --seed 0
    # one of the five ways, about a minute a seed
    OMP_NUM_THREADS=1 python benchmarks/video.py --part live --name unmoved
    # about a minute a seed
    OMP_NUM_THREADS=1 python benchmarks/video.py --part known_live
    # about a minute each
    OMP_NUM_THREADS=1 python benchmarks/video.py --part floors
    OMP_NUM_THREADS=1 python benchmarks/video.py --part guidance
    OMP_NUM_THREADS=1 python benchmarks/video.py --part known
    OMP_NUM_THREADS=1 python benchmarks/video.py --part windows
    # about two minutes
    OMP_NUM_THREADS=1 python benchmarks/video.py --part pairs
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import get_args

import torch
from finished import script_parser
from torch import Tensor, nn

from genai_tutorial.diffusion import VELOCITY, Denoised, KnownRegion, ddim, last_sample
from genai_tutorial.recipes import SHAPES_SCHEDULE, LatentVideo, load, recipe
from genai_tutorial.runtime import RECORDS, describe_machine, keep_record
from genai_tutorial.tasks.motion import (
    FRAMES,
    MOTIONS,
    Clip,
    ClipSplit,
    Motion,
    average_scores,
    encode_motion_captions,
    load_clips,
    motion_scores,
    random_clips,
    render_clips,
    track,
)
from genai_tutorial.tasks.shapes import SceneObject
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.video import VideoUNetConfig

SEEDS, BATCH, CLIPS, LIVE_STEPS = (0, 1, 2, 3, 4), 4, 500, 420
DRAWN, SAMPLER_STEPS, GUIDANCE = 48, 15, 2.0
RATES = OptimizerSettings(
    matrix_lr=0.04,
    kernel_lr=0.04,
    embedding_lr=0.02,
    head_lr=0.006,
    vector_lr=0.006,
    momentum=0.95,
)
"""Twice the rates of the recipe, for a short run."""

VARIANTS = {
    "together": VideoUNetConfig(),
    "alone": VideoUNetConfig(connected=False),
    "unmoved": VideoUNetConfig(),
    "sum": VideoUNetConfig(product=False),
    "joint": VideoUNetConfig(follow=False),
}
VALIDATION_TIMES, VALIDATION_CLIPS = (300, 450, 600, 750, 880, 970), 64
WINDOWS = 3
LONG = 2 + WINDOWS * (FRAMES - 2)
"""Frames of a film of three windows, each of which adds six."""


def train(
    name: str, steps: int, seed: int, known_share: float = 0.0
) -> tuple[nn.Module, dict]:
    """Train one variant; return the average of its weights and what the run cost."""
    settings = replace(
        recipe("shapes-video"),
        config=VARIANTS[name],
        known_share=known_share,
        seed=seed,
    )
    clips = random_clips(CLIPS, torch.Generator().manual_seed(seed))
    latents = settings.to_latents(clips)
    texts = encode_motion_captions([clip.caption for clip in clips])
    model = settings.build_on_images()
    if name == "unmoved":  # it starts at zero, and a shift by zero changes nothing
        model.network.displacement.requires_grad_(False)
    average, generator = EMA(model, 0.98), torch.Generator().manual_seed(seed)
    started = time.process_time()
    history = fit(
        model,
        TensorBatches((latents, texts), BATCH, seed),
        lambda model, latents, texts: settings.loss(model, latents, texts, generator),
        build_optimizer(model, RATES),
        steps=steps,
        schedule=warmup_linear(steps, warmup_steps=30),
        ema=average,
        progress=False,
    )
    about = {
        "name": name,
        "seed": seed,
        "steps": steps,
        "cpu_seconds": round(time.process_time() - started, 1),
        "added_weights": sum(
            weight.numel() for weight in model.parameters() if weight.requires_grad
        ),
        "losses": [
            round(fmean(history.losses[first : first + 20]), 4)
            for first in range(0, steps, 20)
        ],
    }
    return average.model.eval(), about


@torch.no_grad()
def validation_losses(model: nn.Module, latents: Tensor, texts: Tensor) -> dict:
    """Return the mean squared error of the velocity at each timestep."""
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(99))
    losses = {}
    for timestep in VALIDATION_TIMES:
        t = torch.full((len(latents),), float(timestep))
        target = VELOCITY.target(
            Denoised(latents, noise), SHAPES_SCHEDULE.levels(t, latents)
        )
        output = model(SHAPES_SCHEDULE.add_noise(latents, noise, t), t, texts)
        losses[str(timestep)] = round((output - target).square().mean().item(), 4)
    return losses


def accuracy(captions: Sequence[str], films: Tensor) -> dict:
    """Return the shares of clips in which something is right, the mean jitter, and the
    mean distance moved from the first frame to the last, in pixels. Both means are over
    films with an object in every frame; a still image has zero of both.
    """
    measured = asdict(average_scores(motion_scores(captions, films)))
    moved = [
        math.hypot(*read.velocity) * (films.shape[1] - 1)
        for read in track(films)
        if read.complete
    ]
    measured["moved"] = fmean(moved) if moved else float("nan")
    return {name: _number(value) for name, value in measured.items()}


def _number(value: float) -> float | None:
    return None if value != value else round(value, 4)  # JSON has no NaN


def pixels_per_frame(model: nn.Module) -> list[dict] | None:
    """Return the learned velocity of each motion; None where nothing is moved."""
    if model.network.displacement is None:
        return None
    texts = encode_motion_captions([f"a circle {motion.text()}" for motion in MOTIONS])
    with torch.no_grad():
        _, motions = model.read(texts)
        learned = model.network.displacement.pixels_per_frame(motions, 32)
    return [
        {
            "direction": motion.direction,
            "speed": motion.speed,
            "true": list(motion.velocity),
            "learned": [round(value, 3) for value in velocity],
        }
        for motion, velocity in zip(MOTIONS, learned.tolist(), strict=True)
    ]


def measure_live(names: Sequence[str], steps: int, seed: int) -> list[dict]:
    """Train and measure the variants with one seed, and the untrained model."""
    autoencoder = load("shapes-latent").autoencoder
    held_out = random_clips(VALIDATION_CLIPS, torch.Generator().manual_seed(10_000))
    latents = recipe("shapes-video").to_latents(held_out)
    texts = encode_motion_captions([clip.caption for clip in held_out])
    captions = load_clips(DRAWN, 20_000 + seed).captions
    runs = []
    for name in names:
        if name == "untrained":
            model = recipe("shapes-video").build_on_images()
            about = {"name": name, "seed": seed, "steps": 0}
        else:
            model, about = train(name, steps, seed)
        films = LatentVideo(model, autoencoder).draw(
            captions, steps=SAMPLER_STEPS, guidance=GUIDANCE, seed=seed
        )
        about |= {
            "validation": validation_losses(model, latents, texts),
            "accuracy": accuracy(captions, films),
            "pixels_per_frame": pixels_per_frame(model),
        }
        print({key: about[key] for key in about if key != "losses"}, flush=True)
        runs.append(about)
    return runs


def anchors() -> dict:
    """Measure clips that set the scale: real ones, their frames in random order, and
    the captions of other clips.
    """
    clips = load_clips(200, 30_000)
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.stack(
        [film[torch.randperm(len(film), generator=generator)] for film in clips.films]
    )
    others = clips.captions[1:] + clips.captions[:1]
    return {
        "clips": len(clips),
        "real": accuracy(clips.captions, clips.films),
        "shuffled": accuracy(clips.captions, shuffled),
        "other_caption": accuracy(others, clips.films),
    }


def floors(model: LatentVideo, repeats: int) -> list[dict]:
    """Compute the lowest possible loss for clips of a small red circle.

    The prior is uniform over all places from which the circle can move as its caption
    says. The posterior mean of the clean latents is the best prediction there is: once
    given each noisy frame by itself, once given all of them.
    """
    thing, diameter = "a small red circle", 8
    clips = {
        motion: [
            Clip(SceneObject("red", "circle", left, top, diameter), motion)
            for left in range(1, 32 - diameter)
            for top in range(1, 32 - diameter)
            if all(
                1 <= place + (FRAMES - 1) * speed < 32 - diameter
                for place, speed in zip((left, top), motion.velocity, strict=True)
            )
        ]
        for motion in MOTIONS
    }
    latents = {
        motion: recipe("shapes-video").to_latents(starts).flatten(2)
        for motion, starts in clips.items()
    }
    generator, rows = torch.Generator().manual_seed(1), []
    for timestep in (*VALIDATION_TIMES, 999):
        level, losses = SHAPES_SCHEDULE.level(timestep), []
        for motion, paths in latents.items():
            for _ in range(repeats):
                chosen = torch.randint(len(paths), (), generator=generator)
                x0 = paths[chosen]
                noise = torch.randn(x0.shape, generator=generator)
                x = level.signal * x0 + level.noise * noise
                target = level.signal * noise - level.noise * x0
                fit_of = -(x - level.signal * paths).square().sum(dim=2) / (
                    2 * level.noise**2
                )  # of each path in each frame
                guesses = {
                    "alone": torch.einsum("pf,pfv->fv", fit_of.softmax(dim=0), paths),
                    "together": torch.einsum(
                        "p,pfv->fv", fit_of.sum(dim=1).softmax(dim=0), paths
                    ),
                }
                found = {
                    name: level.signal * (x - level.signal * guess) / level.noise
                    - level.noise * guess
                    for name, guess in guesses.items()
                }
                with torch.no_grad():
                    found["model"] = model.model(
                        x.view(1, FRAMES, 4, 8, 8),
                        torch.tensor([float(timestep)]),
                        encode_motion_captions([f"{thing} {motion.text()}"]),
                    ).view(x.shape)
                losses.append(
                    {
                        name: (output - target).square().mean().item()
                        for name, output in found.items()
                    }
                )
        rows.append(
            {
                "timestep": timestep,
                "signal": round(float(level.signal), 4),
                **{
                    name: round(fmean(loss[name] for loss in losses), 4)
                    for name in losses[0]
                },
            }
        )
        print(rows[-1], flush=True)
    return rows


def compare_weights(model: LatentVideo, drawn: int) -> list[dict]:
    """Draw the same captions with each guidance weight."""
    captions, rows = load_clips(drawn, 40_000).captions, []
    for weight in (1.0, 2.0, 3.0, 5.0):
        films = model.draw(captions, steps=SAMPLER_STEPS, guidance=weight, seed=0)
        rows.append({"weight": weight, **accuracy(captions, films)})
        print(rows[-1], flush=True)
    return rows


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the distance of two points."""
    return ((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5


def go_on(place: Sequence[float], velocity: Sequence[float], frames: int) -> tuple:
    """Return the point that a steady motion reaches after some frames."""
    return tuple(p + frames * v for p, v in zip(place, velocity, strict=True))


def last_step(places: Sequence[Sequence[float]], frames: int) -> tuple:
    """Return the point that the step between the last two places leads to."""
    before, last = places[-2:]
    step = [b - a for a, b in zip(before, last, strict=True)]
    return go_on(last, step, frames)


@torch.no_grad()
def fill_region(model: LatentVideo, films: Tensor, captions: Sequence[str]) -> Tensor:
    """Complete clips as a picture is inpainted: the model sees the known frames only
    through their noise.
    """
    given = model.to_latents(films)
    image = given.new_zeros(len(given), FRAMES, *given.shape[2:])
    image[:, : given.shape[1]] = given
    known = (torch.arange(FRAMES) < given.shape[1]).view(1, FRAMES, 1, 1, 1)
    denoise = KnownRegion(model.denoiser(captions, GUIDANCE), image, known)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(2))
    timesteps = SHAPES_SCHEDULE.timesteps(SAMPLER_STEPS)
    return model.to_films(last_sample(ddim(denoise, noise, timesteps)))


KNOWN_FRAMES = (
    ("known region", True, 1),
    ("known region", True, 2),
    ("known frames", True, 1),
    ("known frames", True, 2),
    ("known frames", True, 4),
    ("known frames", False, 1),
    ("known frames", False, 2),
)
"""The method, whether the caption says how the object moves, and how many frames are
known.
"""


def compare_known(
    model: LatentVideo,
    drawn: int,
    ways: Sequence[tuple[str, bool, int]] = KNOWN_FRAMES,
) -> list[dict]:
    """Give the first frames of real clips and let the model draw the others.

    The errors are distances of centres in pixels, over the frames that are drawn:
    between the drawn and the true object, and between the last given place and the
    true one, which is the error of an object that stands still. Two rules read the
    given frames as the verifier does: `caption_velocity` moves the last one with the
    velocity that the caption states, and `straight_on` continues the last two.
    """
    clips, rows = load_clips(drawn, 60_000), []
    read = [[thing.centre for thing in real.things] for real in track(clips.films)]
    for method, told, known in ways:
        captions = [
            caption if told else caption.partition(" moves ")[0]
            for caption in clips.captions
        ]
        given = clips.films[:, :known]
        films = (
            fill_region(model, given, captions)
            if method == "known region"
            else model.continue_films(
                given, captions, steps=SAMPLER_STEPS, guidance=GUIDANCE, seed=2
            )
        )
        errors, still, missing = [], [], 0
        stated, straight = [], []
        for found, true, seen in zip(track(films), clips.clips, read, strict=True):
            places = [scene.objects[0].centre for scene in true.scenes]
            for frame in range(known, FRAMES):
                thing, place, ahead = (
                    found.things[frame],
                    places[frame],
                    frame - known + 1,
                )
                still.append(distance(places[known - 1], place))
                if told:
                    stated.append(
                        distance(
                            go_on(seen[known - 1], true.motion.velocity, ahead), place
                        )
                    )
                if known >= 2:
                    straight.append(distance(last_step(seen[:known], ahead), place))
                if thing is None:
                    missing += 1
                else:
                    errors.append(distance(thing.centre, place))
        rows.append(
            {
                "method": method,
                "motion_told": told,
                "known": known,
                "error": _number(fmean(errors)) if errors else None,
                "stands_still": _number(fmean(still)),
                "caption_velocity": _number(fmean(stated)) if stated else None,
                "straight_on": _number(fmean(straight)) if straight else None,
                "missing_frames": missing,
                "drawn_frames": len(still),
                **accuracy(clips.captions, films),
            }
        )
        print(rows[-1], flush=True)
    return rows


def measure_known_live(steps: int, seed: int, drawn: int) -> list[dict]:
    """Train a model with known frames for a short time, and measure it with one known
    frame.
    """
    model, about = train("together", steps, seed, recipe("shapes-video").known_share)
    video = LatentVideo(model, load("shapes-latent").autoencoder)
    ways = [way for way in KNOWN_FRAMES if way[1:] == (True, 1)]
    about = {name: about[name] for name in ("seed", "steps", "cpu_seconds")}
    return [about | row for row in compare_known(video, drawn, ways)]


def slow_clips(count: int) -> list[Clip]:
    """Return clips of small objects that start at an edge and move slowly across the
    picture, for as long as three windows.
    """
    clips = []
    for clip in random_clips(20 * count, torch.Generator().manual_seed(3)):
        thing, motion = clip.thing, Motion(clip.motion.direction, "slowly")
        if thing.size == "small":
            far = 31 - thing.diameter
            edges = {"left": (far, None), "right": (1, None)}
            edges |= {"up": (None, far), "down": (None, 1)}
            left, top = edges[motion.direction]
            left = thing.left if left is None else left
            top = thing.top if top is None else top
            clips.append(Clip(replace(thing, left=left, top=top), motion, LONG))
    return clips[:count]


def compare_windows(model: LatentVideo, drawn: int) -> list[dict]:
    """Draw films of three windows; each begins with the last two frames of the one
    before, the first with two real ones.

    For each frame: how far the object is from its true place, in pixels, how far it
    would be if it stood still, how far if it continued the step of the two real frames,
    and the share of films in which colour, shape and size are still right.
    """
    clips = slow_clips(drawn)
    captions = [clip.caption for clip in clips]
    films = render_clips([replace(clip, frames=2) for clip in clips])
    for window in range(WINDOWS):
        more = model.continue_films(
            films[:, -2:],
            captions,
            steps=SAMPLER_STEPS,
            guidance=GUIDANCE,
            seed=4 + window,
        )
        films = torch.cat((films, more[:, 2:]), dim=1)
    tracks, rows = track(films), []
    for frame in range(LONG):
        errors, still, straight, right = [], [], [], 0
        for clip, read in zip(clips, tracks, strict=True):
            true, found = clip.scenes[frame].objects[0], read.things[frame]
            second = clip.scenes[1].objects[0]
            still.append(distance(second.centre, true.centre))
            real = [thing.centre for thing in read.things[:2]]  # both frames are real
            straight.append(distance(last_step(real, frame - 1), true.centre))
            if found is not None:
                errors.append(distance(found.centre, true.centre))
                right += all(
                    getattr(found, name) == getattr(true, name)
                    for name in ("colour", "shape", "size")
                )
        rows.append(
            {
                "frame": frame,
                "window": max(0, (frame - 2) // (FRAMES - 2)),
                "films": len(clips),
                "found": len(errors),
                "right": right,
                "error": _number(fmean(errors)) if errors else None,
                "stands_still": _number(fmean(still)),
                "straight_on": _number(fmean(straight)),
            }
        )
    print(rows[-1], flush=True)
    return rows


def compare_pairs(model: LatentVideo, drawn: int) -> list[dict]:
    """Draw pairs of colour and direction that training showed, and pairs that it did
    not, with five seeds each.
    """
    rows = []
    for split in get_args(ClipSplit):
        for seed in SEEDS:
            captions = load_clips(drawn, 70_000 + seed, split=split).captions
            films = model.draw(
                captions, steps=SAMPLER_STEPS, guidance=GUIDANCE, seed=seed
            )
            rows.append({"pairs": split, "seed": seed, **accuracy(captions, films)})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = script_parser(__doc__)
    parts = ("live", "known_live", "floors", "guidance", "known", "windows", "pairs")
    parser.add_argument("--part", choices=parts, required=True)
    parser.add_argument("--seed", type=int, help="live, known_live: one seed only")
    parser.add_argument("--name", choices=VARIANTS, help="live: one variant only")
    parser.add_argument("--folder", type=Path, default=RECORDS, help="of the record")
    parser.add_argument("--smoke", action="store_true", help="a few steps and clips")
    arguments = parser.parse_args()
    small = arguments.smoke
    if arguments.part in ("live", "known_live"):
        measure_seeds(arguments, 40 if small else LIVE_STEPS)
        return
    model = load("shapes-video")
    if arguments.part == "floors":
        measured = {"anchors": anchors(), "floors": floors(model, 1 if small else 8)}
    elif arguments.part == "guidance":
        drawn = 8 if small else 100
        measured = {
            "guidance_drawn": drawn,
            "guidance": compare_weights(model, drawn),
        }
    elif arguments.part == "known":
        drawn = 8 if small else 40
        measured = {
            "known_drawn": drawn,
            "known_frames": compare_known(model, drawn),
        }
    elif arguments.part == "pairs":
        drawn = 8 if small else 40
        measured = {"pairs_drawn": drawn, "pairs": compare_pairs(model, drawn)}
    else:
        measured = {"windows": compare_windows(model, 8 if small else 40)}
    keep(earlier(arguments.folder) | measured, arguments.folder)


def measure_seeds(arguments: argparse.Namespace, steps: int) -> None:
    """Train with one seed after the other, and keep each in the record."""
    order = ("untrained", *VARIANTS)
    names = order if arguments.name is None else (arguments.name,)
    for seed in SEEDS if arguments.seed is None else (arguments.seed,):
        if arguments.part == "live":
            runs, part = measure_live(names, steps, seed), "runs"
        else:
            drawn = 8 if arguments.smoke else 40
            runs, part = measure_known_live(steps, seed, drawn), "known_runs"
        replaced = [(run["seed"], run.get("name")) for run in runs]
        about = earlier(arguments.folder)  # read late: others may have written
        runs += [
            run
            for run in about.get(part, [])
            if (run["seed"], run.get("name")) not in replaced
        ]
        if part == "runs":
            runs.sort(key=lambda run: order.index(run["name"]))
        about[part] = sorted(runs, key=lambda run: run["seed"])
        keep(about, arguments.folder)


def earlier(folder: Path) -> dict:
    """Return the record as it is, or an empty one."""
    path = folder / "video.json"
    if not path.exists():
        return {"runs": []}
    return json.loads(path.read_text(encoding="utf-8"))


def keep(measured: dict, folder: Path) -> None:
    """Write the record with what is the same for all its parts."""
    about = {
        "task": (
            f"{CLIPS} clips, {BATCH} a batch, {LIVE_STEPS} steps; {DRAWN} captions "
            f"drawn, {SAMPLER_STEPS} steps of DDIM, guidance {GUIDANCE}"
        ),
        "machine": describe_machine(),
    }
    keep_record("video", about | measured | about, folder)


if __name__ == "__main__":
    main()
