"""Parts of `directing.py`: a new word, and names with unknown words."""

from functools import partial

import torch
from torch import Tensor, nn

from genai_tutorial.alignment import (
    LoRAConfig,
    add_lora,
    lora_layers,
    train_token_rows,
)
from genai_tutorial.data import load_emoji_split
from genai_tutorial.diffusion import VELOCITY, diffusion_loss
from genai_tutorial.multimodal import add_word
from genai_tutorial.pretrained import load_minilm
from genai_tutorial.recipes import SHAPES_SCHEDULE, load, name_objects
from genai_tutorial.tasks.shapes import (
    PINK,
    Scene,
    caption_accuracy,
    ink_colour,
    load_shapes,
    place,
    read_scenes,
    render_in,
)
from genai_tutorial.vae import encode_images

SAMPLING = {"steps": 15, "guidance": 2.0}

# --- a new word ---

PLACES = ("in the middle", "at the top", "at the bottom", "on the left", "on the right")
SHAPES = ("circle", "square", "triangle", "cross")
OLD_COLOURS = ("red", "orange", "yellow", "green", "blue", "purple")

LORA = LoRAConfig(4, 8, ("query", "key", "value", "output", "scale_shift"))
# steps and learning rate of each training
INVERSION, LONGER = (200, 0.05), (600, 0.05)
ALONE, PRESERVING = (200, 5e-3), (300, 1e-2)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
    chosen: list[Scene] = []
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


def with_word(painter, like: str, lora_seed: int | None = None):
    """Return the frozen model with "pink"; its row and LoRA, if any, can be trained."""
    model, tokenizer = add_word(painter.model, painter.tokenizer, "pink", like)
    model.requires_grad_(False)
    if lora_seed is not None:
        add_lora(model, LORA, seeded(lora_seed))
    train_token_rows(model.encoder.token_embedding, tokenizer.encode("pink")[:1])
    return painter._replace(model=model, tokenizer=tokenizer)


def learn(model: nn.Module, data, steps, rate, seed, prior=None) -> None:
    """Train what can be trained on batches of 16, and as many of the prior's."""
    draws = seeded(seed)
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, rate, weight_decay=0.0)
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


def distance(colours: Tensor) -> float:
    """Return the median distance from pink."""
    target = torch.tensor(PINK, dtype=torch.float)
    return round((colours - target).norm(dim=1).median().item(), 1)


def drawn_colours(painter, colour: str, seed: int) -> Tensor:
    """Return the colours in drawings of the captions with this colour."""
    return ink_colour(painter.draw(described(colour), seed=seed, **SAMPLING))


def beside_pink(painter, seed: int) -> float:
    """Return how often a known object beside a pink one is as the caption says."""
    scenes = load_shapes(60, 9_500 + seed, objects=(2,)).scenes
    texts = []
    for scene in scenes:
        pink, known = scene.objects
        texts.append(f"a pink {pink.shape} and {name_objects(Scene((known,)))}")
    readings = read_scenes(painter.draw(texts, seed=seed, **SAMPLING))
    there = [
        any(
            (thing.colour, thing.shape)
            == (scene.objects[1].colour, scene.objects[1].shape)
            for thing in reading.scene.objects
        )
        for scene, reading in zip(scenes, readings, strict=True)
    ]
    return round(sum(there) / len(there), 4)


def word_scores(painter, seed: int) -> dict:
    """Return the colour's error, also on the cross, and what the old words keep."""
    colours = drawn_colours(painter, "pink", seed)
    crosses = ["cross" in text for text in described("pink")]
    old = [text for colour in OLD_COLOURS for text in described(colour)[::5]]
    kept = caption_accuracy(old, painter.draw(old, seed=seed, **SAMPLING))
    return {
        "colour error": distance(colours),
        "on the cross": distance(colours[crosses]),
        "old captions": round(kept.everything, 4),
        "beside pink": beside_pink(painter, seed),
        "colour": [round(v) for v in colours.median(dim=0).values.tolist()],
    }


def word(seed: int, small: bool) -> dict:
    painter = load("shapes-latent")
    latents, texts = five_examples(painter, seed)
    prior = own_samples(painter, seed, 8 if small else 96)
    with torch.no_grad():
        drawn_back = painter.autoencoder.to_images(latents)
    misses = {
        colour: distance(drawn_colours(painter, colour, seed)) for colour in OLD_COLOURS
    }
    near = min(misses, key=misses.__getitem__)
    found: dict = {
        "items": 40,
        "autoencoder alone": distance(ink_colour(drawn_back)),
        "nearest old colour": near,
    }
    for name, (like, training, own) in {
        "before": ("orange", None, None),
        "nearest old word": (near, None, None),
        "textual inversion": ("orange", INVERSION, None),
        "textual inversion from the nearest word": (near, INVERSION, None),
        "textual inversion from it, longer": (near, LONGER, None),
        "LoRA": ("orange", ALONE, None),
        "LoRA, stopped after 25 steps": ("orange", (25, ALONE[1]), None),
        "LoRA, stopped after 50 steps": ("orange", (50, ALONE[1]), None),
        "LoRA, trained as the next": ("orange", PRESERVING, None),
        "LoRA, prior preservation": ("orange", PRESERVING, prior),
        "LoRA from the nearest word, prior preservation": (near, PRESERVING, prior),
    }.items():
        loaded = with_word(painter, like, seed if name.startswith("LoRA") else None)
        if training is not None:
            steps, rate = training
            data = (latents, loaded.read(texts))
            learn(loaded.model, data, 3 if small else steps, rate, seed, own)
        found[name] = word_scores(loaded, seed)
        if name == "LoRA":
            for _, layer in lora_layers(loaded.model):
                layer.scale /= 2
            found["LoRA, half its strength"] = word_scores(loaded, seed)
    return found


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
