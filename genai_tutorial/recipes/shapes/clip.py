"""The recipe of the CLIP that reads captioned shapes, whose text encoder conditions the
text-to-image models.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data.source import Source
from genai_tutorial.multimodal import (
    CLIP,
    CLIPConfig,
    EncoderConfig,
    ImageEncoderConfig,
    TextEncoderConfig,
    contrastive_loss,
    recall_at_k,
)
from genai_tutorial.recipes.recipe import RunSettings, Trained
from genai_tutorial.tasks.shapes import (
    Scene,
    caption_words,
    full_captions,
    random_scenes,
    render,
)
from genai_tutorial.tasks.shapes.pictures import SOURCE
from genai_tutorial.tasks.shapes.random_scenes import Split
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    build_optimizer,
    fit,
    parallel,
    warmup_linear,
)

TOKENIZER = WordTokenizer(caption_words())
"""The words of all captions."""

CONTEXT_LENGTH = 17
"""How many tokens the longest caption has, with its end."""

CANDIDATES, SINGLE_CANDIDATES, TEST_SEED = 300, 150, 1_000_003
"""Retrieval is measured among this many pictures with different captions, drawn from
this seed.

Single objects have only 200 different captions, and two objects in a new relation 400.
"""


class LoadedCLIP(NamedTuple):
    """What `load` hands out.

    Attributes:
        model: The two encoders.
        tokenizer: Turns captions into what the text encoder reads.
    """

    model: CLIP
    tokenizer: WordTokenizer

    def embed_captions(
        self, captions: list[str] | tuple[str, ...]
    ) -> Float[Tensor, "caption features"]:
        """Return a vector of length 1 for each caption."""
        with torch.no_grad():
            return self.model.embed_texts(
                self.tokenizer.encode_batch(captions, CONTEXT_LENGTH)
            )


class SceneBatches:
    """An endless supply of new pictures with one of their full captions, in batches
    without two of the same meaning.

    Args:
        batch_size: The number of pictures in a batch, over all processes.
        seed: Decides the scenes. The same seed gives the same batches.
        objects: How many objects a scene may have.
        rank: Which process this is, from 0.
        world_size: How many processes share each batch.

    >>> images, ids = next(SceneBatches(batch_size=4, seed=0))
    >>> images.shape, TOKENIZER.decode(ids[0].tolist())
    (torch.Size([4, 3, 32, 32]), 'a large purple triangle at the bottom')
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        objects: tuple[int, ...] = (1, 2),
        *,
        rank: int = 0,
        world_size: int = 1,
    ):
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(
                "batch_size must be a multiple of the number of processes, "
                f"{world_size}; got {batch_size}."
            )
        self.batch_size, self.objects = batch_size, objects
        self.rank, self.world_size = rank, world_size
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "SceneBatches":
        return self

    def __next__(
        self,
    ) -> tuple[Float[Tensor, "batch 3 height width"], Int[Tensor, "batch token"]]:
        """Return pictures, and the tokens of a caption for each."""
        scenes = different_scenes(self.batch_size, self._generator, self.objects)
        order = torch.randint(2, (len(scenes),), generator=self._generator).tolist()
        mine = list(zip(scenes, order, strict=True))[self.rank :: self.world_size]
        captions = [
            (texts := full_captions(scene))[which % len(texts)] for scene, which in mine
        ]
        return render([scene for scene, _ in mine]), TOKENIZER.encode_batch(
            captions, CONTEXT_LENGTH
        )

    def state_dict(self) -> dict:
        """Return what decides all batches to come."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Goes on from where `state_dict` was called."""
        self._generator.set_state(state["generator"])


def different_scenes(
    n: int, generator: torch.Generator, objects: tuple[int, ...], split: Split = "train"
) -> tuple[Scene, ...]:
    """Draws scenes of which no two have the same caption, in any order of its words.

    Two pictures of the same caption would count as each other's mistakes.

    Raises:
        ValueError: If there are not that many different captions.
    """
    found: dict[str, Scene] = {}
    while len(found) < n:
        before = len(found)
        for scene in random_scenes(max(n, 100), generator, objects, split):
            found.setdefault(min(full_captions(scene)), scene)
        if len(found) == before:
            raise ValueError(
                f"There are hardly {n} different captions of this kind: {before} were "
                "found"
            )
    return tuple(found.values())[:n]


@dataclass(frozen=True)
class ShapesCLIPRecipe:
    """How CLIP learns what captions of shapes mean.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The sizes of both encoders.
        optimizer: The optimisers' settings.
        batch_size: The number of pictures in a batch.
        steps: The number of batches.
        warmup_steps: How many steps the learning rates rise for; from there they fall
            in a straight line to zero.
        ema_decay: Decay of the moving average of the weights,
            which is what the file holds.
        objects: How many objects a scene may have.
        seed: Decides the first weights and the scenes.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: CLIPConfig
    optimizer: OptimizerSettings
    batch_size: int
    steps: int
    warmup_steps: int
    ema_decay: float
    objects: tuple[int, ...] = (1, 2)
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE

    def build(self, about: dict) -> CLIP:
        """Return the model that a card describes, its weights not read yet."""
        config = about["recipe"]["config"]
        encoders = {
            side: EncoderConfig(**config[side]["encoder"]) for side in ("image", "text")
        }
        return CLIP(
            CLIPConfig(
                image=ImageEncoderConfig(
                    **config["image"] | {"encoder": encoders["image"]}
                ),
                text=TextEncoderConfig(
                    **config["text"] | {"encoder": encoders["text"]}
                ),
                shared_width=config["shared_width"],
            )
        )

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the model, or goes on with a run that was stopped."""
        model = CLIP(self.config, self.seed).to(settings.device)
        average = EMA(model, self.ema_decay)
        history = fit(
            parallel(model),
            SceneBatches(
                self.batch_size,
                self.seed,
                self.objects,
                rank=settings.process.rank,
                world_size=settings.process.world_size,
            ),
            lambda model, images, ids: contrastive_loss(model(images, ids)),
            build_optimizer(model, self.optimizer),
            steps=settings.steps,
            schedule=warmup_linear(self.steps, self.warmup_steps).over(settings.steps),
            ema=average,
            checkpoint=settings.checkpoint,
            progress=settings.progress,
        )
        return Trained(
            average.model, history.seconds, notes={"tokenizer": TOKENIZER.to_dict()}
        )

    def ready(self, model: CLIP, about: dict) -> LoadedCLIP:
        """Return the model with its tokenizer."""
        return LoadedCLIP(model, WordTokenizer.from_dict(about["tokenizer"]))

    def measure(self, model: CLIP) -> dict:
        """Return how often pictures and captions find each other, for scenes and for
        combinations that are new.
        """
        metrics: dict = {
            "candidates": {"one_object": SINGLE_CANDIDATES, "two_objects": CANDIDATES}
        }
        for name, objects, split in (
            ("one_object", (1,), "train"),
            ("two_objects", (2,), "train"),
            ("two_objects_new_pairs", (2,), "new pairs"),
            ("two_objects_new_relations", (2,), "new relations"),
        ):
            n = SINGLE_CANDIDATES if objects == (1,) else CANDIDATES
            images, captions = retrieval_task(n, TEST_SEED, objects, split)
            with torch.no_grad():
                pictures = model.embed_images(images)
            texts = LoadedCLIP(model, TOKENIZER).embed_captions(captions)
            metrics[f"{name}_image_to_text_recall_at_1"] = round(
                recall_at_k(pictures, texts, k=1), 4
            )
            metrics[f"{name}_text_to_image_recall_at_1"] = round(
                recall_at_k(texts, pictures, k=1), 4
            )
        return metrics

    def headline(self, metrics: dict) -> str:
        """Return how often a picture finds its caption."""
        recall = metrics["two_objects_image_to_text_recall_at_1"]
        return (
            f"{recall:.1%} of unseen pictures find their caption among "
            f"{metrics['candidates']['two_objects']}"
        )


def retrieval_task(
    n: int, seed: int, objects: tuple[int, ...] = (2,), split: Split = "train"
) -> tuple[Float[Tensor, "n 3 height width"], tuple[str, ...]]:
    """Return pictures with different captions, and for each its full caption."""
    scenes = different_scenes(n, torch.Generator().manual_seed(seed), objects, split)
    return render(scenes), tuple(full_captions(scene)[0] for scene in scenes)


SHAPES_CLIP = ShapesCLIPRecipe(
    name="shapes-clip",
    title="A CLIP of half a million weights that reads captions of shapes",
    config=CLIPConfig(
        image=ImageEncoderConfig(
            EncoderConfig(width=96, layers=3, heads=4), image_size=32, patch_size=8
        ),
        text=TextEncoderConfig(
            EncoderConfig(width=64, layers=2, heads=4),
            vocab_size=TOKENIZER.vocab_size,
            context_length=CONTEXT_LENGTH,
            end=TOKENIZER.END,
        ),
        shared_width=64,
    ),
    optimizer=OptimizerSettings(
        matrix_lr=0.02, embedding_lr=0.01, head_lr=0.003, vector_lr=0.003, momentum=0.95
    ),
    batch_size=128,
    steps=3000,
    warmup_steps=50,
    ema_decay=0.995,
    published=True,
)
"""The CLIP that chapter 9 loads."""
