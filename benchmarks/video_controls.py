"""The opponents of the claim that following the motion moves objects as asked.

    rule        one frame of the untrained model, whose object is moved as asked
    untrained   the inflated image model without any training: at each sampling step,
                the predicted clean frames are averaged along the caption's velocity
    factorized  attention over the same position, without a displacement, trained four
                times as long as by `video.py --part live`
    full        full attention at the lowest resolution, trained as long

    OMP_NUM_THREADS=1 python benchmarks/video_controls.py --folder runs

The captions of a seed are those of `video.py`. Each part and seed is one file in the
folder and is not repeated; the record keeps what it has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from video import DRAWN, GUIDANCE, LIVE_STEPS, SAMPLER_STEPS, accuracy, train

from genai_tutorial.diffusion import (
    Denoised,
    Denoiser,
    NoisePath,
    ddim,
    last_sample,
)
from genai_tutorial.recipes import SHAPES_SCHEDULE, LatentVideo, load, recipe
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.motion import FRAMES, MOTIONS, load_clips
from genai_tutorial.video import move_frames

LONGER = 4
"""How many times as many steps."""

VELOCITIES = {motion.text(): motion.velocity for motion in MOTIONS}
SIDE, INK = 32, 0.75
"""The size of a frame, and the value below which a pixel of the white ground is ink."""


def longer(name: str, seed: int, small: bool) -> dict:
    """Train a model without a displacement for longer, and draw with it."""
    steps = 40 if small else LONGER * LIVE_STEPS
    captions = load_clips(4 if small else DRAWN, 20_000 + seed).captions
    model, about = train(name, steps, seed)
    films = LatentVideo(model, load("shapes-latent").autoencoder).draw(
        captions, steps=SAMPLER_STEPS, guidance=GUIDANCE, seed=seed
    )
    return {
        "steps": steps,
        "last_loss": about["losses"][-1],
        "accuracy": accuracy(captions, films),
    }


def velocities(captions: Sequence[str]) -> Tensor:
    """Return the velocities that captions state, in pixels per frame."""
    return torch.tensor(
        [VELOCITIES[text[text.index("moves") :]] for text in captions]
    ).float()


@dataclass(frozen=True)
class AlongMotion:
    """A denoiser whose clean frames are averaged along a known motion."""

    denoise: Denoiser
    displacement: Tensor

    @property
    def path(self) -> NoisePath:
        """The path from image to noise."""
        return self.denoise.path

    def __call__(self, x: Tensor, t: Tensor | int) -> Denoised:
        """Average the predicted clean frames along the motion, and adapt the noise."""
        still = move_frames(self.denoise(x, t).x0, -self.displacement)
        seen = move_frames(torch.ones_like(x), -self.displacement)
        mean = still.sum(dim=1) / seen.sum(dim=1).clamp(min=0.01)
        x0 = move_frames(mean[:, None].expand_as(x), self.displacement)
        level = self.path.level(t)
        return Denoised(x0, (x - level.signal * x0) / level.noise)


def untrained(seed: int, small: bool) -> dict:
    """Draw with the untrained model, averaging along the motion of the caption."""
    captions = load_clips(4 if small else DRAWN, 20_000 + seed).captions
    model = recipe("shapes-video").build_on_images().eval()
    video = LatentVideo(model, load("shapes-latent").autoencoder)
    time = torch.arange(FRAMES) - (FRAMES - 1) / 2
    moved = time[:, None] * velocities(captions)[:, None] * 2 / SIDE
    noise = torch.randn(
        len(captions), FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(seed)
    )
    denoise = AlongMotion(video.denoiser(captions, GUIDANCE), moved)
    with torch.no_grad():
        steps = SHAPES_SCHEDULE.timesteps(SAMPLER_STEPS)
        films = video.to_films(last_sample(ddim(denoise, noise, steps)))
    return {"accuracy": accuracy(captions, films)}


def rule(seed: int, small: bool) -> dict:
    """Draw one frame with the untrained model, and move its object as asked."""
    captions = load_clips(4 if small else DRAWN, 20_000 + seed).captions
    model = recipe("shapes-video").build_on_images().eval()
    films = LatentVideo(model, load("shapes-latent").autoencoder).draw(
        captions, steps=SAMPLER_STEPS, guidance=GUIDANCE, seed=seed
    )
    moved = [
        move_object(image, velocity)
        for image, velocity in zip(films[:, 0], velocities(captions), strict=True)
    ]
    return {"accuracy": accuracy(captions, torch.stack(moved))}


def move_object(image: Tensor, velocity: Tensor) -> Tensor:
    """Put the object of an image into the middle, and move it with a velocity."""
    ink = (image.min(dim=0).values < INK).nonzero().double()  # row, column
    to_middle = (SIDE - 1 - ink.min(dim=0).values - ink.max(dim=0).values) / 2
    right, down = velocity.tolist()
    return torch.stack(
        [
            image.roll(
                (
                    round(float(to_middle[0] + t * down)),
                    round(float(to_middle[1] + t * right)),
                ),
                (1, 2),
            )
            for t in (torch.arange(FRAMES) - (FRAMES - 1) / 2).tolist()
        ]
    )


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "rule": rule,
    "untrained": untrained,
    "factorized": partial(longer, "unmoved"),
    "full": partial(longer, "joint"),
}


def main() -> None:
    whole = run_parts("video_controls", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("video_controls", whole)


if __name__ == "__main__":
    main()
