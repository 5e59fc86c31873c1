"""The recipes for the two models that direct the latent diffusion model of shapes: a
ControlNet that follows outlines, and an editor that follows instructions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.diffusion import (
    VELOCITY,
    ControlNet,
    Model,
    UNetConfig,
    diffusion_loss,
)
from genai_tutorial.multimodal import Controlled, Editing, TextToImage, widen_stem
from genai_tutorial.tasks.shapes import (
    SHAPES_SOURCE,
    Scene,
    instruction_scores,
    layout_accuracy,
    layout_scores,
    load_shapes,
    outlines,
    random_instructions,
    render,
)
from genai_tutorial.vae import encode_images

from .latent_diffusion import SHAPES_LATENT, LatentDiffusion
from .recipe import U_NET_RATES, Recipe, RunSettings, Trained, load_recipe, mean
from .shapes_diffusion import SHAPES_SCHEDULE, hide_texts

STEPS, GUIDANCE = 15, 2.0
"""The sampling steps and the guidance weight of both models."""

MEASURED = 200
"""The number of held-out scenes or instructions."""


def name_objects(scene: Scene) -> str:
    """Return a caption with colours and shapes only, such as "a red circle and a blue
    square": the order says nothing about the position.
    """
    return " and ".join(
        f"{'an' if thing.colour == 'orange' else 'a'} {thing.colour} {thing.shape}"
        for thing in scene.objects
    )


class OutlinePainter(NamedTuple):
    """A ControlNet with the frozen model that it controls, as `load` returns them."""

    control: ControlNet
    painter: LatentDiffusion

    def draw(
        self,
        captions: Sequence[str],
        hints: Float[Tensor, "caption 1 32 32"],
        *,
        seed: int,
        scale: float | int = 1,
        guidance: float | int = GUIDANCE,
    ) -> Float[Tensor, "caption 3 32 32"]:
        """Draw an image for each caption and outline.

        Args:
            scale: Factor for what the ControlNet adds; 0 ignores the outlines.
        """
        model = Controlled(self.painter.model, self.control, hints, scale)
        return self.painter.draw(
            captions, steps=STEPS, guidance=guidance, seed=seed, model=model
        )


class ImageEditor(NamedTuple):
    """The editor, and the painter that it started from, as `load` returns them: its
    tokenizer and its autoencoder are used.
    """

    editor: TextToImage
    painter: LatentDiffusion

    def edit(
        self,
        images: Float[Tensor, "n 3 32 32"],
        instructions: Sequence[str],
        *,
        seed: int,
        steps: int = STEPS,
        guidance: float | int = GUIDANCE,
    ) -> Float[Tensor, "n 3 32 32"]:
        """Return the images, each edited by its instruction.

        Args:
            instructions: Such as "circle red", in the words of captions.
        """
        latents = encode_images(self.painter.autoencoder, images, seed)
        model = Editing(self.editor, latents)
        return self.painter.draw(
            instructions, steps=steps, guidance=guidance, seed=seed, model=model
        )


@dataclass(frozen=True, kw_only=True)
class DirectedRecipe(Recipe):
    """What both recipes share: the painter that they start from, and its loss."""

    config: UNetConfig = SHAPES_LATENT.config
    painter: str = SHAPES_LATENT.name
    examples: int = 12_000
    text_dropout: float = 0.1

    source = SHAPES_SOURCE

    def fit_directed(
        self,
        run: RunSettings,
        model: nn.Module,
        direct: Callable[[nn.Module, Tensor], Model],
        *tensors: Tensor,
    ) -> Trained:
        """Train a model on latents and texts with what directs it, the third tensor."""

        def loss(
            model: nn.Module,
            latents: Tensor,
            texts: Tensor,
            direction: Tensor,
            generator: torch.Generator,
        ) -> Float[Tensor, ""]:
            return diffusion_loss(
                direct(model, direction),
                SHAPES_SCHEDULE,
                VELOCITY,
                latents,
                hide_texts(texts, self.text_dropout, generator),
                generator=generator,
            )

        return run.fit(
            self,
            model,
            run.batches(self, *tensors),
            loss,
            generator=torch.Generator().manual_seed(self.seed),
            losses_every=50,
        )


@dataclass(frozen=True, kw_only=True)
class ControlRecipe(DirectedRecipe):
    """A ControlNet that learns to follow the outlines of scenes; captions name colours
    and shapes.
    """

    network = ControlNet
    metric = "everything"
    in_words = (
        "{everything:.1%} of images have every object of the outline in its place, "
        "size and shape and in the caption's colour"
    )

    def fit(self, run: RunSettings) -> Trained:
        painter = load_recipe(SHAPES_LATENT)
        frozen = painter.model.requires_grad_(False).to(run.device)
        shapes = load_shapes(self.examples, self.seed, objects=(1, 2))
        control = self.build()
        control.copy_from(frozen.network)
        return self.fit_directed(
            run,
            control,
            partial(Controlled, frozen),
            encode_images(painter.autoencoder, shapes.images, self.seed),
            painter.read([name_objects(scene) for scene in shapes.scenes]),
            outlines(shapes.images),
        )

    def wrap(self, model: ControlNet, card: dict) -> OutlinePainter:
        return OutlinePainter(model, load_recipe(SHAPES_LATENT))

    def measure(self, model: ControlNet) -> dict:
        scenes, drawn = _follow(self.wrap(model, {}), MEASURED, self.seed)
        accuracy = layout_accuracy(scenes, drawn)
        return {
            **{name: round(value, 4) for name, value in vars(accuracy).items()},
            "outlines": MEASURED,
            "sampler": f"DDIM, {STEPS} steps, guidance {GUIDANCE}",
        }

    def score(self, loaded: OutlinePainter, n: int, seed: int) -> list:
        scores = layout_scores(*_follow(loaded, n, seed))
        return [score.everything == 1 for score in scores]


def _follow(
    loaded: OutlinePainter, n: int, seed: int
) -> tuple[tuple[Scene, ...], Float[Tensor, "n 3 32 32"]]:
    """Return held-out scenes and what is drawn for their outlines."""
    shapes = load_shapes(n, seed + 1, objects=(1, 2))
    captions = [name_objects(scene) for scene in shapes.scenes]
    drawn = loaded.draw(captions, outlines(shapes.images), seed=seed)
    return shapes.scenes, drawn


@dataclass(frozen=True, kw_only=True)
class EditorRecipe(DirectedRecipe):
    """A U-Net that starts as the painter and learns to edit scenes by instructions."""

    metric = "as_instructed"
    in_words = (
        "{as_instructed:.1%} of images show the change that was asked for and "
        "nothing else changed"
    )

    def build(self) -> TextToImage:
        model = TextToImage(SHAPES_LATENT.text, self.config, self.seed)
        widen_stem(model)
        return model

    def fit(self, run: RunSettings) -> Trained:
        painter = load_recipe(SHAPES_LATENT)
        made = random_instructions(self.examples, self.seed)
        before, after = (
            encode_images(painter.autoencoder, render(scenes), self.seed)
            for scenes in ([one.before for one in made], [one.after for one in made])
        )
        texts = painter.read([one.words for one in made])
        widen_stem(painter.model)
        return self.fit_directed(run, painter.model, Editing, after, texts, before)

    def wrap(self, model: TextToImage, card: dict) -> ImageEditor:
        return ImageEditor(model, load_recipe(SHAPES_LATENT))

    def measure(self, model: TextToImage) -> dict:
        scores = _edit(self.wrap(model, {}), MEASURED, self.seed)
        return {
            "as_instructed": round(mean([float(score.both) for score in scores]), 4),
            "done": round(mean([float(score.done) for score in scores]), 4),
            "rest_kept": round(mean([float(score.kept) for score in scores]), 4),
            "instructions": MEASURED,
            "sampler": f"DDIM, {STEPS} steps, guidance {GUIDANCE}",
        }

    def score(self, loaded: ImageEditor, n: int, seed: int) -> list:
        return [score.both for score in _edit(loaded, n, seed)]


def _edit(loaded: ImageEditor, n: int, seed: int) -> list:
    """Return the scores of held-out edits."""
    made = random_instructions(n, seed + 1)
    edited = loaded.edit(
        render([one.before for one in made]), [one.words for one in made], seed=seed
    )
    return instruction_scores(made, edited)


SHAPES_CONTROL = ControlRecipe(
    name="shapes-control",
    title="A ControlNet through which the latent diffusion model follows outlines",
    optimizer=U_NET_RATES,
    batch_size=64,
    steps=1_000,
    warmup_steps=20,
)

SHAPES_EDITOR = EditorRecipe(
    name="shapes-editor",
    title="The latent diffusion model of shapes, trained on to follow instructions",
    optimizer=U_NET_RATES,
    batch_size=64,
    steps=5_000,
    warmup_steps=20,
)
"""Both start from chapter 10's model of shapes."""
