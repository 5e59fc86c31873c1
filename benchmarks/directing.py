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
from functools import partial

import torch
from torch import Tensor, nn

from genai_tutorial.alignment import LoRAConfig, add_lora, train_token_rows
from genai_tutorial.data import load_emoji_split
from genai_tutorial.diffusion import (
    VELOCITY,
    KnownRegion,
    ddim,
    diffusion_loss,
    last_sample,
)
from genai_tutorial.multimodal import add_word
from genai_tutorial.pretrained import load_minilm
from genai_tutorial.recipes import (
    SHAPES_SCHEDULE,
    load,
    name_objects,
)
from genai_tutorial.runtime import keep_record, run_parts
from genai_tutorial.tasks.shapes import (
    PINK,
    Scene,
    caption_accuracy,
    full_captions,
    ink_colour,
    instruction_scores,
    layout_accuracy,
    load_shapes,
    outlines,
    place,
    random_instructions,
    render,
    render_in,
    silhouettes,
    unchanged_positions,
)
from genai_tutorial.vae import encode_images

STRENGTHS = (0.2, 0.3, 0.4)
SAMPLING = {"steps": 15, "guidance": 2.0}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rounded(measured: object) -> dict:
    """Return a dataclass of shares as a dictionary for JSON."""
    return {
        field.name: round(getattr(measured, field.name), 4)
        for field in fields(measured)
    }


# --- outlines ---


def held_out(seed: int, count: int) -> tuple[tuple[Scene, ...], Tensor, list[str]]:
    """Return held-out scenes with images and captions of colours and shapes."""
    shapes = load_shapes(count, 9_000 + seed, objects=(1, 2))
    return shapes.scenes, shapes.images, [name_objects(one) for one in shapes.scenes]


def following(seed: int, small: bool) -> dict:
    loaded = load("shapes-control")
    painter = loaded.painter
    scenes, images, captions = held_out(seed, 4 if small else 100)
    measure = partial(layout_accuracy, scenes)
    hints = outlines(images)
    whole = [full_captions(scene)[0] for scene in scenes]
    ways = {
        "caption without positions": painter.draw(captions, seed=seed, **SAMPLING),
        "full caption": painter.draw(whole, seed=seed, **SAMPLING),
    }
    for strength in STRENGTHS:
        options = {
            "strength": strength,
            "steps": math.ceil(SAMPLING["steps"] / strength),  # 15 are left
            "guidance": SAMPLING["guidance"],
            "seed": seed,
        }
        for name, texts in (("", captions), (", full caption", whole)):
            ways[f"image-to-image{name}, strength {strength}"] = painter.redraw(
                silhouettes(images), texts, **options
            )
    for scale in (0.5, 1):
        ways[f"ControlNet, scale {scale}"] = loaded.draw(
            captions, hints, seed=seed, scale=scale
        )
    ways["ControlNet, full caption"] = loaded.draw(whole, hints, seed=seed)
    latents = encode_images(painter.autoencoder, images, seed)
    ways["autoencoder alone"] = painter.autoencoder.to_images(latents)
    return {"items": len(scenes)} | {
        name: rounded(measure(drawn)) for name, drawn in ways.items()
    }


# --- edits ---


def edits(seed: int, small: bool) -> dict:
    editor, painter = load("shapes-editor"), load("shapes-latent")
    made = random_instructions(4 if small else 100, 9_000 + seed)
    before = render([one.before for one in made])
    words = [one.words for one in made]
    whole = [full_captions(one.after)[0] for one in made]
    latents = encode_images(painter.autoencoder, before, seed)
    known = KnownRegion(
        painter.denoiser(whole, SAMPLING["guidance"]),
        latents,
        unchanged_positions(made),
    )
    noise = torch.randn(latents.shape, generator=seeded(seed))
    with torch.no_grad():
        filled = last_sample(ddim(known, noise, SHAPES_SCHEDULE.timesteps(15)))
        ways = {"inpainting": painter.autoencoder.to_images(filled)}
    for strength in (0.4, 0.5, 0.6):
        ways[f"image-to-image, strength {strength}"] = painter.redraw(
            before, whole, strength=strength, seed=seed, **SAMPLING
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


# --- a new word ---

PLACES = ("in the middle", "at the top", "at the bottom", "on the left", "on the right")
SHAPES = ("circle", "square", "triangle", "cross")
OLD_COLOURS = ("orange", "yellow", "green", "blue", "purple")


def described(colour: str) -> list[str]:
    return [
        f"a {size} {colour} {shape} {where}"
        for size in ("small", "large")
        for shape in SHAPES
        for where in PLACES
    ]


def five_examples(painter, seed: int) -> tuple[Tensor, list[str]]:
    """Return latents and captions of five pink objects, none of them a cross."""
    scenes = load_shapes(400, 50 + seed, objects=(1,)).scenes
    chosen = []
    for shape in ("circle", "square", "triangle", "circle", "square"):
        chosen.append(
            next(
                scene
                for scene in scenes
                if scene.objects[0].shape == shape and scene not in chosen
            )
        )
    latents = encode_images(painter.autoencoder, render_in(chosen, PINK), seed)
    texts = []
    for scene in chosen:
        thing = scene.objects[0]
        sized = f"a {thing.size} pink {thing.shape}"
        # as varied as the old captions, or a model may learn their length
        texts += [f"a pink {thing.shape}", sized, f"{sized} {place(thing)}"]
    return latents.repeat_interleave(3, dim=0), texts


def own_samples(painter, seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Return latents and captions that the frozen model draws itself."""
    captions = [text for colour in OLD_COLOURS for text in described(colour)]
    order = torch.randperm(len(captions), generator=seeded(seed))[:count].tolist()
    captions = [captions[index] for index in order]
    drawn = painter.draw(captions, seed=seed, **SAMPLING)
    return encode_images(painter.autoencoder, drawn, seed), painter.read(captions)


def learn(model: nn.Module, parameters, data, steps, rate, seed, prior=None) -> None:
    """Train on batches of 16 examples, with as many of the prior's if there is one."""
    draws = seeded(seed)
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 10) * (1 - step / steps)
        loss = 0.0
        for latents, texts in (data,) if prior is None else (data, prior):
            rows = torch.randint(len(latents), (16,), generator=draws)
            loss = loss + diffusion_loss(
                model,
                SHAPES_SCHEDULE,
                VELOCITY,
                latents[rows],
                texts[rows],
                generator=draws,
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


LORA = LoRAConfig(4, 8, ("query", "key", "value", "output", "scale_shift"))


def word(seed: int, small: bool) -> dict:
    painter = load("shapes-latent")
    latents, texts = five_examples(painter, seed)
    prior = own_samples(painter, seed, 8 if small else 96)
    found: dict = {"items": 40}
    target = torch.tensor(PINK, dtype=torch.float)
    with torch.no_grad():
        drawn_back = painter.autoencoder.to_images(latents)
    found["autoencoder alone"] = distance(ink_colour(drawn_back), target)
    for name, method in (
        ("before", None),
        ("textual inversion", (200, 0.05, False)),
        ("LoRA", (200, 5e-3, False)),
        ("LoRA, prior preservation", (300, 1e-2, True)),
    ):
        model, tokenizer = add_word(painter.model, painter.tokenizer, "pink", "orange")
        loaded = painter._replace(model=model, tokenizer=tokenizer)
        if name.startswith("LoRA"):
            add_lora(model, LORA, seeded(seed))
        else:
            model.requires_grad_(name == "all weights")
        if name != "all weights":
            train_token_rows(
                model.encoder.token_embedding, tokenizer.encode("pink")[:1]
            )
        if method is not None:
            steps, rate, preserves = method
            trained = [one for one in model.parameters() if one.requires_grad]
            data = (latents, loaded.read(texts))
            learn(
                model,
                trained,
                data,
                3 if small else steps,
                rate,
                seed,
                prior if preserves else None,
            )
        found[name] = word_scores(loaded, target, seed)
    return found


def distance(colours: Tensor, target: Tensor) -> float:
    return round((colours - target).norm(dim=1).median().item(), 1)


def word_scores(loaded, target: Tensor, seed: int) -> dict:
    """Return the colour's error, also on the cross, and what the old words keep."""
    texts = described("pink")
    colours = ink_colour(loaded.draw(texts, seed=seed, **SAMPLING))
    crosses = [index for index, text in enumerate(texts) if "cross" in text]
    old = [text for colour in OLD_COLOURS for text in described(colour)[::5]]
    kept = caption_accuracy(old, loaded.draw(old, seed=seed, **SAMPLING))
    return {
        "colour error": distance(colours, target),
        "on the cross": distance(colours[crosses], target),
        "old captions": round(kept.everything, 4),
        "colour": [round(v) for v in colours.median(dim=0).values.tolist()],
    }


# --- open words ---


def emoji(seed: int, small: bool) -> dict:
    train, rest = load_emoji_split()
    count = 8 if small else len(rest)
    names, images = rest.names[:count], rest.images[:count]
    minilm, painter = load_minilm(), load("emoji-latent")
    alike = minilm.encode(list(names)) @ minilm.encode(list(train.names)).T
    best = alike.argmax(dim=1)
    known = set(painter.tokenizer.words)
    dropped = [
        " ".join(w for w in name.lower().split() if w in known) for name in names
    ]
    draw = partial(painter.draw, steps=15, guidance=3.0, seed=seed)
    five = train.images[alike.topk(5, dim=1).indices].mean(dim=1)
    random_rows = torch.randint(len(train), (count,), generator=seeded(seed))
    ways = {
        "drawn, unknown words dropped": draw(dropped),
        "drawn, nearest known name": draw([train.names[i] for i in best.tolist()]),
        "looked up: nearest name's image": train.images[best],
        "looked up: mean of five": five,
        "a random image": train.images[random_rows],
    }
    return {
        "items": count,
        "with an unknown word": sum(
            not known.issuperset(name.lower().split()) for name in names
        ),
    } | {name: nearer(drawn, images) for name, drawn in ways.items()}


def nearer(drawn: Tensor, images: Tensor) -> float:
    """Return how often an image is nearer to its own emoji than to another."""
    distances = torch.cdist(drawn.flatten(1), images.flatten(1))
    others = ~torch.eye(len(images), dtype=torch.bool)
    closer = distances > distances.diag()[:, None]
    return round(float(closer[others].double().mean()), 4)


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
