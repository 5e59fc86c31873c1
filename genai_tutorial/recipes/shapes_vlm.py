"""The recipe for the model that answers questions about scenes of shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.multimodal import (
    ImageReader,
    VisionLanguageConfig,
    VisionLanguageModel,
    answer_loss,
    without_last_block,
)
from genai_tutorial.tasks.scene_questions import (
    CONVERSATION_MIXTURE,
    QUESTION_TOKENIZER,
    ConversationBatches,
    SceneQuestion,
    SceneQuestionKind,
    SceneQuestions,
    captions_right,
    flipped_pairs,
    load_scene_questions,
    question_accuracy,
    right_answers,
)
from genai_tutorial.tasks.shapes import SHAPES_SOURCE, Split
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.training import (
    CombinedOptimizer,
    OptimizerSettings,
    build_optimizer,
)
from genai_tutorial.transformer import DecoderConfig

from .recipe import Recipe, RunSettings, Trained, draw_items, load_recipe
from .shapes_clip import SHAPES_CLIP

N_EVAL_PICTURES, EVAL_SEED = 600, 1_000_019
"""The number of images that each metric is measured on, and their seed."""


@dataclass(frozen=True, kw_only=True)
class ShapesVLMRecipe(Recipe):
    """A vision-language model of scenes of shapes, on the image encoder of
    `shapes-clip`.
    """

    config: VisionLanguageConfig
    encoder_rate: float
    kinds: int
    mixture: Mapping[SceneQuestionKind, float] = field(
        default_factory=lambda: dict(CONVERSATION_MIXTURE)
    )

    network = VisionLanguageModel
    source = SHAPES_SOURCE
    metric = "unseen.all"
    in_words = "{unseen[all]:.0%} of answers about unseen images correct"

    def fit(self, run: RunSettings) -> Trained:
        model = self.build()
        trained = without_last_block(load_recipe(SHAPES_CLIP).model.image_encoder)
        model.image_encoder.load_state_dict(trained.state_dict())
        model.to(run.device)
        return run.fit(
            self,
            model,
            ConversationBatches(
                self.batch_size, self.seed, self.kinds, self.mixture, **run.share
            ),
            conversation_loss,
            optimizer_with_encoder(model, self.optimizer, self.encoder_rate),
            losses_every=50,
            notes={"tokenizer": QUESTION_TOKENIZER.to_dict()},
        )

    def wrap(self, model: VisionLanguageModel, card: dict) -> ImageReader:
        return ImageReader(model, WordTokenizer.from_dict(card["tokenizer"]))

    def measure(self, model: VisionLanguageModel) -> dict:
        reader = ImageReader(model, QUESTION_TOKENIZER)
        return {
            "pictures": N_EVAL_PICTURES,
            "unseen": measured(reader, held_out_questions("train")),
            "new_pairs": measured(reader, held_out_questions("new pairs")),
        }

    def score(self, loaded: ImageReader, n: int, seed: int) -> list:
        asked = held_out_questions("train")
        chosen = draw_items(with_one_word(asked), n, seed)
        return answers_right(loaded, asked, chosen)[1]


def conversation_loss(
    model: torch.nn.Module, images: Tensor, ids: Tensor, is_answer: Tensor, of: Tensor
) -> Float[Tensor, ""]:
    """Return the loss of the answers; each question sees the image and itself."""
    return answer_loss(model(images, ids, of), ids, is_answer)


def optimizer_with_encoder(
    model: VisionLanguageModel, settings: OptimizerSettings, encoder_rate: float
) -> CombinedOptimizer:
    """Build the optimizer of a vision-language model, with smaller learning rates for
    the image encoder.
    """
    model.image_encoder.requires_grad_(False)
    rest = build_optimizer(model, settings)
    model.image_encoder.requires_grad_(True)
    rates = ("matrix_lr", "embedding_lr", "head_lr", "vector_lr")
    slower = {name: encoder_rate * getattr(settings, name) for name in rates}
    # The class token's path ends unread, and a parameter without gradient stays put.
    encoder = build_optimizer(model.image_encoder, replace(settings, **slower))
    return CombinedOptimizer([*rest.optimizers, *encoder.optimizers])


def held_out_questions(split: Split) -> SceneQuestions:
    """Return images that are in no training batch, with a question of each kind."""
    return load_scene_questions(
        N_EVAL_PICTURES, EVAL_SEED, kinds=len(CONVERSATION_MIXTURE), split=split
    )


def with_one_word(asked: SceneQuestions) -> list[int]:
    """Return the numbers of the questions with answers of one word."""
    questions = asked.one_by_one()[1]
    return [n for n, question in enumerate(questions) if question.kind != "caption"]


@torch.no_grad()
def answers_right(
    reader: ImageReader, asked: SceneQuestions, chosen: Sequence[int]
) -> tuple[list[SceneQuestion], list[bool], list[str]]:
    """Return the chosen questions, which of them are answered right, and the
    answers.
    """
    rows, questions = asked.one_by_one()
    questions = [questions[place] for place in chosen]
    used, rows = rows[torch.tensor(chosen)].unique(return_inverse=True)
    squares = torch.cat([reader.model.look(x) for x in asked.images[used].split(500)])
    answers = reader.first_words(squares[rows], [q.text for q in questions])
    return questions, right_answers(questions, answers), answers


@torch.no_grad()
def measured(reader: ImageReader, asked: SceneQuestions) -> dict:
    """Return the card's metrics for one set of images."""
    questions, rights, answers = answers_right(reader, asked, with_one_word(asked))
    by_kind = question_accuracy(questions, answers)
    flipped = flipped_pairs(questions, answers)
    paired = zip(questions, rights, strict=True)
    new = [right for question, right in paired if question.asks_new_pair]
    squares = torch.cat([reader.model.look(part) for part in asked.images.split(500)])
    captions = reader.answer(squares, ["describe :"] * len(squares))
    values = {
        "all": sum(rights) / len(rights),
        **{kind: interval.mean for kind, interval in sorted(by_kind.items())},
        "flipped_pairs": flipped.mean,
        "captions": sum(captions_right(asked.scenes, captions)) / len(captions),
    }
    if new:
        values["asked_for_new_pairs"] = sum(new) / len(new)
    return {name: round(value, 4) for name, value in values.items()} | {
        "questions": len(questions)
    }


SHAPES_VLM = ShapesVLMRecipe(
    name="shapes-vlm",
    title="A vision-language model that answers questions about scenes of shapes",
    config=VisionLanguageConfig(
        image=replace(
            SHAPES_CLIP.config.image,
            encoder=replace(SHAPES_CLIP.config.image.encoder, layers=2),
        ),
        decoder=DecoderConfig.fast(
            vocab_size=QUESTION_TOKENIZER.vocab_size,
            context_length=128,
            width=128,
            layers=3,
            heads=4,
            convolution_size=0,
        ),
    ),
    optimizer=OptimizerSettings(),
    encoder_rate=0.1,
    kinds=6,
    batch_size=32,
    steps=6000,
    warmup_steps=50,
    ema_decay=0.995,
)
"""The model of chapter 19 that answers, describes and is asked by `genai-tutorial ask`.
"""
