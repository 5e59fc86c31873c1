"""The recipe for the CLIP model of captioned shapes, whose text encoder conditions the
text-to-image models.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.multimodal import (
    CLIP,
    CLIPConfig,
    EncoderConfig,
    ImageEncoderConfig,
    TextEncoderConfig,
    contrastive_loss,
    hit_rate_at_k,
    hits_at_k,
)
from genai_tutorial.tasks import EndlessBatches
from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    SHAPES_SOURCE,
    Split,
    distinct_scenes,
    full_captions,
    render,
    retrieval_task,
)
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.training import OptimizerSettings

from .recipe import Recipe, RunSettings, Trained, draw_items

N_EVAL_PAIRS, N_EVAL_SINGLE, EVAL_SEED = 300, 150, 1_000_003
"""The number of images with different captions among which retrieval is measured, and
their seed.

Single objects have only 200 different captions, and two objects in a new relation 400.
"""


class LoadedCLIP(NamedTuple):
    """The two encoders with their tokenizer, as `load` returns them."""

    model: CLIP
    tokenizer: WordTokenizer

    def embed_captions(
        self, captions: list[str] | tuple[str, ...]
    ) -> Float[Tensor, "caption features"]:
        """Return a vector of length 1 for each caption."""
        with torch.no_grad():
            return self.model.embed_texts(
                self.tokenizer.encode_batch(captions, CAPTION_LENGTH)
            )


class SceneBatches(EndlessBatches):
    """Endless batches of new images, each with one of its full captions; no two
    captions of a batch mean the same.
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        objects: tuple[int, ...] = (1, 2),
        **share: int,
    ):
        super().__init__(batch_size, seed, **share)
        self.objects = objects

    def __next__(
        self,
    ) -> tuple[Float[Tensor, "batch 3 height width"], Int[Tensor, "batch token"]]:
        """Return images, and the tokens of a caption for each."""
        scenes = distinct_scenes(self.batch_size, self._generator, self.objects)
        order = torch.randint(2, (len(scenes),), generator=self._generator).tolist()
        mine = list(zip(scenes, order, strict=True))[self.mine]
        captions = [
            (texts := full_captions(scene))[which % len(texts)] for scene, which in mine
        ]
        return render([scene for scene, _ in mine]), CAPTION_TOKENIZER.encode_batch(
            captions, CAPTION_LENGTH
        )


@dataclass(frozen=True, kw_only=True)
class ShapesCLIPRecipe(Recipe):
    """A CLIP of captioned shapes."""

    config: CLIPConfig
    objects: tuple[int, ...] = (1, 2)

    network = CLIP
    source = SHAPES_SOURCE
    metric = "two_objects_image_to_text_recall_at_1"
    in_words = (
        "{two_objects_image_to_text_recall_at_1:.1%} of unseen images find their "
        "caption among {candidates[two_objects]}"
    )

    def fit(self, run: RunSettings) -> Trained:
        return run.fit(
            self,
            self.build(),
            SceneBatches(self.batch_size, self.seed, self.objects, **run.share),
            lambda model, images, ids: contrastive_loss(model(images, ids)),
            notes={"tokenizer": CAPTION_TOKENIZER.to_dict()},
        )

    def wrap(self, model: CLIP, card: dict) -> LoadedCLIP:
        return LoadedCLIP(model, WordTokenizer.from_dict(card["tokenizer"]))

    def measure(self, model: CLIP) -> dict:
        metrics: dict = {
            "candidates": {"one_object": N_EVAL_SINGLE, "two_objects": N_EVAL_PAIRS}
        }
        for name, objects, split in (
            ("one_object", (1,), "train"),
            ("two_objects", (2,), "train"),
            ("two_objects_new_pairs", (2,), "new pairs"),
            ("two_objects_new_relations", (2,), "new relations"),
        ):
            pictures, texts = embed_task(
                LoadedCLIP(model, CAPTION_TOKENIZER), objects, split
            )
            metrics[f"{name}_image_to_text_recall_at_1"] = round(
                hit_rate_at_k(pictures, texts, k=1), 4
            )
            metrics[f"{name}_text_to_image_recall_at_1"] = round(
                hit_rate_at_k(texts, pictures, k=1), 4
            )
        return metrics

    def score(self, loaded: LoadedCLIP, n: int, seed: int) -> list:
        pictures, texts = embed_task(loaded, (2,), "train")
        hits = hits_at_k(pictures, texts, k=1).tolist()
        return draw_items(hits, n, seed)


def embed_task(
    loaded: LoadedCLIP, objects: tuple[int, ...], split: Split
) -> tuple[Float[Tensor, "n features"], Float[Tensor, "n features"]]:
    """Return the vectors of the images of a retrieval task, and of their captions."""
    n = N_EVAL_SINGLE if objects == (1,) else N_EVAL_PAIRS
    images, captions = retrieval_task(n, EVAL_SEED, objects, split)
    with torch.no_grad():
        pictures = loaded.model.embed_images(images)
    return pictures, loaded.embed_captions(captions)


SHAPES_CLIP = ShapesCLIPRecipe(
    name="shapes-clip",
    title="A CLIP of half a million weights that reads captions of shapes",
    config=CLIPConfig(
        image=ImageEncoderConfig(
            EncoderConfig(width=96, layers=3, heads=4), image_size=32, patch_size=8
        ),
        text=TextEncoderConfig(
            EncoderConfig(width=64, layers=2, heads=4),
            vocab_size=CAPTION_TOKENIZER.vocab_size,
            context_length=CAPTION_LENGTH,
            end=CAPTION_TOKENIZER.END,
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
)
"""The CLIP that chapter 9 loads."""
