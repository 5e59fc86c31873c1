"""The recipe for one decoder that draws scenes from captions and answers questions
about images, both as tokens of one stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.multimodal import (
    ImageReader,
    ImageTokenizer,
    StreamModel,
    StreamVocabulary,
)
from genai_tutorial.tasks.scene_questions import (
    CONVERSATION_MIXTURE,
    ONE_WORD_KINDS,
    QUESTION_TOKENIZER,
    SceneQuestion,
    SceneQuestions,
    load_scene_questions,
    pack_conversations,
    question_accuracy,
    right_answers,
)
from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    IMAGE_SIZE,
    SHAPES_SOURCE,
    caption,
    caption_accuracy,
    load_shapes,
)
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.transformer import DecoderConfig
from genai_tutorial.vae import ImageAutoencoder, encode_images

from .emoji_autoencoder import EMOJI_AUTOENCODER
from .recipe import ImageSamples, Recipe, RunSettings, Trained, draw_items, load_recipe
from .sampling import GuidedCaption

N_EVAL_DRAWN, N_EVAL_ASKED, EVAL_SEED = 200, 600, 1_000_033
PIXELS_PER_CODE = 4
"""A code stands for 4×4 pixels, because the autoencoder halves an image twice."""


class StreamNetwork(nn.Module):
    """A stream model with the codebook that its images are written in."""

    def __init__(self, config: DecoderConfig, codes: int, seed: int):
        super().__init__()
        vocabulary = StreamVocabulary(QUESTION_TOKENIZER.vocab_size, codes)
        self.stream = StreamModel(config, vocabulary, seed)
        latent_channels = EMOJI_AUTOENCODER.config.latent_channels
        self.register_buffer("codebook", torch.zeros(codes, latent_channels))

    def forward(self, *batch: Tensor) -> Float[Tensor, ""]:
        """Return the loss of a batch; see `StreamModel`."""
        return self.stream(*batch)


class LoadedStream(NamedTuple):
    """The trained model that draws and answers, as `load` returns it."""

    model: StreamNetwork
    tokenizer: WordTokenizer
    autoencoder: ImageAutoencoder

    @property
    def image_tokenizer(self) -> ImageTokenizer:
        """The codebook with the size of the grid."""
        side = IMAGE_SIZE // PIXELS_PER_CODE
        return ImageTokenizer(self.model.codebook, side, side)

    @property
    def reader(self) -> ImageReader:
        """The part that answers questions about the codes of images."""
        return ImageReader(self.model.stream, self.tokenizer)

    @torch.no_grad()
    def draw(
        self, captions: list[str] | tuple[str, ...], seed: int, guidance: float | int
    ) -> Float[Tensor, "n 3 height width"]:
        """Draw an image for each caption."""
        tokenizer = self.image_tokenizer
        codes = self.model.stream.draw(
            self.tokenizer.encode_batch(captions, CAPTION_LENGTH),
            tokenizer.tokens,
            generator=torch.Generator().manual_seed(seed),
            guidance=guidance,
            empty=self.tokenizer.encode_batch([""], CAPTION_LENGTH)[0],
        )
        return self.autoencoder.to_images(tokenizer.decode(codes))


@dataclass(frozen=True, kw_only=True)
class ShapesStreamRecipe(Recipe):
    """One decoder over words and image codes."""

    config: DecoderConfig
    codes: int
    pictures: int
    kinds: int
    dropped: float

    source = SHAPES_SOURCE
    makes = "images"
    options = GuidedCaption(guidance=3.0)
    metric = "answered_right"
    in_words = (
        "{one_object_drawn_right:.0%} of single shapes drawn correctly, "
        "{answered_right:.0%} of answers correct"
    )

    def build(self) -> StreamNetwork:
        return StreamNetwork(self.config, self.codes, self.seed)

    def fit(self, run: RunSettings) -> Trained:
        asked = load_scene_questions(self.pictures, self.seed, self.kinds)
        autoencoder = load_recipe(EMOJI_AUTOENCODER)
        latents = encode_images(autoencoder, asked.images, self.seed)
        tokenizer = ImageTokenizer.fit(latents[:600], self.codes, seed=self.seed)
        model = self.build()
        model.codebook.copy_(tokenizer.codebook)
        generator = torch.Generator().manual_seed(self.seed)
        texts = [
            "" if left_out < self.dropped else caption(scene)
            for scene, left_out in zip(
                asked.scenes,
                torch.rand(self.pictures, generator=generator).tolist(),
                strict=True,
            )
        ]
        captions = QUESTION_TOKENIZER.encode_batch(texts, CAPTION_LENGTH)
        rows = pack_conversations(asked.questions)
        return run.fit(
            self,
            model,
            run.batches(self, captions, tokenizer.encode(latents), *rows),
            lambda model, *batch: model(*batch),
            losses_every=50,
            notes={"tokenizer": QUESTION_TOKENIZER.to_dict()},
        )

    def wrap(self, model: StreamNetwork, card: dict) -> LoadedStream:
        tokenizer = WordTokenizer.from_dict(card["tokenizer"])
        return LoadedStream(model, tokenizer, load_recipe(EMOJI_AUTOENCODER))

    def measure(self, model: StreamNetwork) -> dict:
        loaded = self.wrap(model, {"tokenizer": QUESTION_TOKENIZER.to_dict()})
        metrics: dict = {"drawn": N_EVAL_DRAWN, "asked_pictures": N_EVAL_ASKED}
        for name, objects in (("one_object", (1,)), ("two_objects", (2,))):
            captions = load_shapes(N_EVAL_DRAWN, EVAL_SEED, objects).captions
            images = loaded.draw(captions, EVAL_SEED, self.options.guidance)
            metrics[f"{name}_drawn_right"] = round(
                caption_accuracy(captions, images).everything, 4
            )
        asked = held_out_questions()
        everything = range(len(asked.one_by_one()[1]))
        questions, answers = answered(loaded, asked, everything)
        by_kind = question_accuracy(questions, answers)
        rights = right_answers(questions, answers)
        return metrics | {
            "answered_right": round(sum(rights) / len(rights), 4),
            **{f"{kind}_right": round(i.mean, 4) for kind, i in by_kind.items()},
        }

    def score(self, loaded: LoadedStream, n: int, seed: int) -> list:
        asked = held_out_questions()
        chosen = draw_items(range(len(asked.one_by_one()[1])), n, seed)
        return right_answers(*answered(loaded, asked, chosen))

    def known_words(self, loaded: LoadedStream) -> Sequence[str]:
        return loaded.tokenizer.words

    def sample(
        self, loaded: LoadedStream, options: GuidedCaption, count: int, seed: int
    ) -> ImageSamples:
        prompt = options.required_prompt("a red circle above a blue square")
        return ImageSamples(loaded.draw([prompt] * count, seed, options.guidance))


def held_out_questions() -> SceneQuestions:
    """Return images with questions that are answered by one word."""
    one_word = {kind: CONVERSATION_MIXTURE[kind] for kind in ONE_WORD_KINDS}
    return load_scene_questions(
        N_EVAL_ASKED, EVAL_SEED, len(one_word), mixture=one_word
    )


def answered(
    loaded: LoadedStream, asked: SceneQuestions, chosen: Sequence[int]
) -> tuple[list[SceneQuestion], list[str]]:
    """Return the questions with these numbers, and the answers."""
    rows, questions = asked.one_by_one()
    questions = [questions[place] for place in chosen]
    used, rows = rows[torch.tensor(chosen)].unique(return_inverse=True)
    latents = encode_images(loaded.autoencoder, asked.images[used], EVAL_SEED)
    codes = loaded.image_tokenizer.encode(latents)
    texts = [question.text for question in questions]
    return questions, loaded.reader.first_words(codes[rows], texts)


SHAPES_STREAM = ShapesStreamRecipe(
    name="shapes-stream",
    title="A decoder that draws scenes of shapes and answers questions about them",
    config=DecoderConfig.fast(
        vocab_size=StreamVocabulary(QUESTION_TOKENIZER.vocab_size, 256).size,
        context_length=176,
        width=128,
        layers=4,
        heads=4,
        convolution_size=0,
    ),
    codes=256,
    pictures=20_000,
    kinds=6,
    dropped=0.1,
    batch_size=32,
    steps=1_950,
    warmup_steps=50,
    final_factor=2 / 7,
    cooldown_steps=150,
    ema_decay=0.998,
)
"""The model of chapter 19 that reads and draws in one stream."""
