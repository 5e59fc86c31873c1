"""Directing an image: outlines, instructions and a new word for a frozen model.

    outlines   the published ControlNet beside image-to-image from filled outlines
    edits      the published editor beside image-to-image and inpainting
    word       a new word from five images, and what the old words lose
    emoji      names with unknown words: drawing against looking up

    OMP_NUM_THREADS=1 python benchmarks/directing.py --folder runs

Each part and seed is one file in the folder and is not repeated. A seed decides the
held-out scenes and the noise; in `word` also what is trained.
"""

import math
from collections.abc import Callable
from dataclasses import fields

import torch
from directing_words import SAMPLING, emoji, seeded, word
from torch import Tensor
from torch.nn.functional import max_pool2d

from genai_tutorial.diffusion import (
    KnownRegion,
    ddim,
    last_sample,
    partly_noised,
)
from genai_tutorial.recipes import (
    SHAPES_SCHEDULE,
    load,
    name_objects,
)
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.shapes import (
    full_captions,
    instruction_scores,
    layout_accuracy,
    load_shapes,
    outlines,
    random_instructions,
    render,
    silhouettes,
    unchanged_positions,
)
from genai_tutorial.vae import encode_images


def rounded(measured: object) -> dict:
    """Return a dataclass of shares as a dictionary for JSON."""
    return {
        field.name: round(getattr(measured, field.name), 4)
        for field in fields(measured)
    }


def begun_from(strength: float, seed: int) -> dict:
    """Return the options of image-to-image that leave 15 steps."""
    return {
        "strength": strength,
        "steps": math.ceil(SAMPLING["steps"] / strength),
        "guidance": SAMPLING["guidance"],
        "seed": seed,
    }


def redraw_inside(
    painter,
    images: Tensor,
    captions: list[str],
    unchanged: Tensor,
    *,
    strength: float,
    steps: int,
    guidance: float,
    seed: int,
) -> Tensor:
    """Return images after image-to-image in a part of the latents; strength 1 is
    inpainting.
    """
    latents = encode_images(painter.autoencoder, images, seed)
    noise = torch.randn(latents.shape, generator=seeded(seed))
    x, timesteps = partly_noised(SHAPES_SCHEDULE, latents, noise, strength, steps)
    known = KnownRegion(painter.denoiser(captions, guidance), latents, unchanged)
    with torch.no_grad():
        return painter.autoencoder.to_images(last_sample(ddim(known, x, timesteps)))


# --- outlines ---


def following(seed: int, small: bool) -> dict:
    loaded = load("shapes-control")
    painter = loaded.painter
    shapes = load_shapes(4 if small else 100, 9_000 + seed, objects=(1, 2))
    scenes, images = shapes.scenes, shapes.images
    hints, grey = outlines(images), silhouettes(images)
    white = max_pool2d(1 - grey[:, :1], images.shape[-1] // 8) == 0
    short = [name_objects(scene) for scene in scenes]
    whole = [full_captions(scene)[0] for scene in scenes]
    ways = {
        "short caption": painter.draw(short, seed=seed, **SAMPLING),
        "full caption": painter.draw(whole, seed=seed, **SAMPLING),
    }
    for strength in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        options = begun_from(strength, seed)
        for caption, texts in (("short", short), ("full", whole)):
            end = f"{caption} caption, strength {strength}"
            ways[f"image-to-image, {end}"] = painter.redraw(grey, texts, **options)
            ways[f"image-to-image inside, {end}"] = redraw_inside(
                painter, grey, texts, white, **options
            )
    for scale in (0.5, 1):
        ways[f"ControlNet, short caption, scale {scale}"] = loaded.draw(
            short, hints, seed=seed, scale=scale
        )
    ways["ControlNet, full caption"] = loaded.draw(whole, hints, seed=seed)
    latents = encode_images(painter.autoencoder, images, seed)
    ways["autoencoder alone"] = painter.autoencoder.to_images(latents)
    return {"items": len(scenes)} | {
        name: rounded(layout_accuracy(scenes, drawn)) for name, drawn in ways.items()
    }


# --- edits ---


def edits(seed: int, small: bool) -> dict:
    editor, painter = load("shapes-editor"), load("shapes-latent")
    made = random_instructions(4 if small else 100, 9_000 + seed)
    before = render([one.before for one in made])
    words = [one.words for one in made]
    whole = [full_captions(one.after)[0] for one in made]
    ways = {}
    for strength in (0.4, 0.5, 0.6, 0.7):
        ways[f"image-to-image, strength {strength}"] = painter.redraw(
            before, whole, **begun_from(strength, seed)
        )
    unchanged = unchanged_positions(made)
    for strength in (0.5, 0.6, 0.7, 0.8, 1.0):
        ways[f"inpainting, strength {strength}"] = redraw_inside(
            painter, before, whole, unchanged, **begun_from(strength, seed)
        )
    for steps in (1, 2, 15):
        ways[f"editor, steps {steps}"] = editor.edit(
            before, words, seed=seed, steps=steps
        )
    ways["editor, guidance 4"] = editor.edit(before, words, seed=seed, guidance=4.0)
    return {"items": len(made)} | {
        name: edit_shares(made, drawn) for name, drawn in ways.items()
    }


def edit_shares(made, drawn: Tensor) -> dict:
    """Return the shares of edits that are done, kept and both, and both by kind."""
    scores = instruction_scores(made, drawn)
    shares = {
        name: round(sum(getattr(one, name) for one in scores) / len(scores), 4)
        for name in ("done", "kept", "both")
    }
    for kind in ("recolour", "reshape", "resize"):
        of_kind = [
            s.both for one, s in zip(made, scores, strict=True) if one.kind == kind
        ]
        shares[kind] = round(sum(of_kind) / max(1, len(of_kind)), 4)
    return shares


PARTS: dict[str, Callable[[int, bool], dict]] = {
    "outlines": following,
    "edits": edits,
    "word": word,
    "emoji": emoji,
}


def main() -> None:
    whole = run_parts("directing", PARTS, __doc__.splitlines()[0])
    if whole is not None:
        keep_record("directing", whole)


if __name__ == "__main__":
    main()
