"""Vision-language models of shapes: what the picture adds, the language prior and its
cure, invented answers, two ways to look, two stages, and films.

All models are trained like the live one of the chapter: the image encoder of
`shapes-clip` without its last block, frozen, a decoder of three blocks, 5,000 pictures
with questions for a colour, a shape, a size and the number of shapes, 300 steps of Muon
and AdamW on 16 pictures each, with a linear decay. They are judged on unseen pictures
with the same kinds of questions, and on pictures with a pair of colour and shape that
training never had.

`--part seeing` trains the model, and a blind one, whose picture is always the mean;
    then it continues the model for a few steps, to cure its language prior: with 30
    pictures of the new pairs, with a question about all colours of each picture, or
    with more of the same.
`--part all_blocks` reads the image through all blocks of CLIP.
`--part cross_attention` looks through gated cross-attention instead of a prefix, and
`--part cross_attention_as_long` only for the number of steps that take as long as the
    prefix's: a step took 1.66 times as many processor seconds.
`--part without_none` leaves out the questions whose answer is none.
`--part projector` and `--part two_stages` continue the blind model, which has learned
    the language of questions: the projector alone, or first the projector and then
    everything, with the same number of steps.
`--part polling` asks `shapes-vlm` for objects that are there or not, before and after
    training on objects of which nothing is there.
`--part film` asks it about a needle in films of several frames, before and after
    training on films of seven.

    OMP_NUM_THREADS=1 python benchmarks/multimodal.py --folder runs

About eight minutes a seed on one quiet core. Finished parts are kept in the folder and
not repeated; the record is written when all parts are there. `--smoke` runs a small
version and keeps no record. Times are processor seconds of training.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import torch
from finished import command_line, kept
from torch import Tensor, nn

from genai_tutorial.multimodal import (
    CrossAttentionModel,
    ImageEncoder,
    ImageReader,
    VisionLanguageConfig,
    VisionLanguageModel,
    answer_loss,
    attention_to_frames,
    without_last_block,
)
from genai_tutorial.recipes import SHAPES_VLM, load
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.scene_questions import (
    QUESTION_TOKENIZER,
    NeedleFilms,
    SceneQuestion,
    SceneQuestionKind,
    SceneQuestions,
    blind_answers,
    flipped_pairs,
    load_needle_films,
    load_scene_questions,
    pack_conversations,
    polling_questions,
    question_accuracy,
    right_answers,
)
from genai_tutorial.tasks.shapes import Scene, load_shapes
from genai_tutorial.training import (
    OptimizerSettings,
    Schedule,
    TensorBatches,
    build_optimizer,
    fit,
)

SEEDS = (0, 1, 2, 3, 4)
EXTRA_PICTURES = 30
FRAMES, TAUGHT_FRAMES = (1, 2, 4, 7), 7
Model = VisionLanguageModel | CrossAttentionModel
TUNING = OptimizerSettings(
    matrix_lr=0.005, embedding_lr=0.0025, head_lr=0.00125, vector_lr=0.0025
)
"""A quarter of the usual rates, because the model is trained already."""


class Size(NamedTuple):
    """The sizes of a study."""

    pictures: int
    steps: int
    blind_steps: int
    judged: int
    tuned: int
    tuning_steps: int
    cure_steps: int


FULL, SMOKE = Size(5_000, 300, 100, 500, 500, 60, 80), Size(40, 2, 2, 30, 40, 2, 2)
BATCH_SIZE = 16
ASKED: dict[SceneQuestionKind, float] = {
    "colour": 1.0,
    "shape": 1.0,
    "size": 1.0,
    "count": 1.0,
}
"""The kinds of questions: all tried on each picture."""


def image_encoder(blocks: int) -> ImageEncoder:
    """Return CLIP's trained image encoder with two of its blocks, or all three."""
    encoder = load("shapes-clip").model.image_encoder
    return encoder if blocks == 3 else without_last_block(encoder)


def make_model(seed: int, blocks: int = 2) -> VisionLanguageModel:
    """Return an untrained model on CLIP's image encoder, which is frozen."""
    encoder = image_encoder(blocks)
    config = VisionLanguageConfig(encoder.config, SHAPES_VLM.config.decoder)
    model = VisionLanguageModel(config, seed)
    model.image_encoder.load_state_dict(encoder.state_dict())
    model.image_encoder.requires_grad_(False)
    return model


def make_cross_attention(seed: int) -> CrossAttentionModel:
    """Return an untrained model of the same size of decoder that looks through gated
    cross-attention, on the same frozen image encoder.
    """
    encoder = image_encoder(blocks=2)
    config = VisionLanguageConfig(encoder.config, SHAPES_VLM.config.decoder)
    model = CrossAttentionModel(config, seed)
    model.image_encoder.load_state_dict(encoder.state_dict())
    model.image_encoder.requires_grad_(False)
    return model


@torch.no_grad()
def look(model: Model, images: Tensor) -> Tensor:
    """Return the vectors of many pictures' squares."""
    return torch.cat([model.look(part) for part in images.split(500)])


def train(
    model: Model,
    squares: Tensor,
    questions: Sequence[Sequence[SceneQuestion]],
    steps: int,
    seed: int,
    *,
    only: nn.Module | None = None,
    settings: OptimizerSettings | None = None,
) -> float:
    """Train a model on vectors of squares, and return the processor seconds.

    Args:
        model: The model; it goes on from its present weights.
        squares: The vectors of the pictures' squares.
        questions: The questions about each picture.
        steps: The number of steps.
        seed: Seed of the order of the batches.
        only: The part that is trained; None for everything but the image encoder.
        settings: The optimizer's settings; None for the usual ones.
    """
    model.requires_grad_(False)
    for part in [only] if only is not None else model.children():
        part.requires_grad_(True)
    model.image_encoder.requires_grad_(False)

    def loss(
        model: Model, squares: Tensor, ids: Tensor, is_answer: Tensor, of: Tensor
    ) -> Tensor:
        longest = int((ids > 0).any(dim=0).nonzero().max()) + 1
        ids, is_answer, of = ids[:, :longest], is_answer[:, :longest], of[:, :longest]
        logits = model.read(squares, ids, of)
        return answer_loss(logits, ids, is_answer)

    started = time.process_time()
    fit(
        model,
        TensorBatches((squares, *pack_conversations(questions)), BATCH_SIZE, seed),
        loss,
        build_optimizer(model, settings),
        steps=steps,
        schedule=Schedule(steps, min(10, steps), "linear"),
        progress=False,
    )
    model.eval()
    return time.process_time() - started


@torch.no_grad()
def judge(model: Model, asked: SceneQuestions, squares: Tensor) -> dict:
    """Return the share of right answers, overall and by kind, and of flipped pairs.

    Args:
        model: The model.
        asked: Pictures and questions.
        squares: What the model sees of each picture.
    """
    rows, questions = asked.one_by_one()
    reader = ImageReader(model, QUESTION_TOKENIZER)
    answers = reader.first_words(squares[rows], [q.text for q in questions])
    rights = right_answers(questions, answers)
    shares: dict[str, list[bool]] = {"all": rights}
    for name, belongs in (
        ("absent", lambda q: q.answer == "none"),
        ("present", lambda q: q.kind == "colour" and q.answer != "none"),
        ("new_colour", lambda q: q.asks_new_pair and q.kind == "colour"),
        ("new_shape", lambda q: q.asks_new_pair and q.kind == "shape"),
    ):
        shares[name] = [r for q, r in zip(questions, rights, strict=True) if belongs(q)]
    flipped = flipped_pairs(questions, answers)
    measured = {name: share(values) for name, values in shares.items() if values}
    measured |= {
        kind: round(interval.mean, 4)
        for kind, interval in question_accuracy(questions, answers).items()
    }
    return measured | {
        "flipped_pairs": round(flipped.mean, 4) if flipped else None,
        "questions": len(questions),
    }


def share(rights: Sequence[bool]) -> float:
    """Return the share of right answers, rounded for the record."""
    return round(sum(rights) / len(rights), 4)


def colours_of(scene: Scene) -> SceneQuestion:
    """Ask for all colours of a scene: the words name no shape."""
    colours = sorted({thing.colour for thing in scene.objects})
    return SceneQuestion("colour", "what colour are the shapes ?", " ".join(colours))


def look_at_films(model: VisionLanguageModel, films: NeedleFilms) -> Tensor:
    """Return the vectors of the squares of each frame."""
    return look(model, films.films.flatten(0, 1)).unflatten(0, films.films.shape[:2])


@torch.no_grad()
def ask_films(model: VisionLanguageModel, films: NeedleFilms) -> dict:
    """Return the share of right answers about films, and how often a film's most
    attended frame is the needle's.
    """
    squares = look_at_films(model, films)
    encode, decode = QUESTION_TOKENIZER.encode, QUESTION_TOKENIZER.decode
    ids = torch.tensor([encode(question.text)[:-1] for question in films.questions])
    words = model.read(squares, ids)[:, -1].argmax(dim=1)
    said = [decode([word]) for word in words.tolist()]
    looked = attention_to_frames(model, squares, ids).mean(dim=(1, 2)).argmax(dim=1)
    return {
        "right": share(right_answers(films.questions, said)),
        "attended": share((looked == films.needles).tolist()),
        "films": len(said),
    }


class Study:
    """The pictures of one seed, for training and for judging."""

    def __init__(self, size: Size, seed: int):
        self.size, self.seed = size, seed
        self.training = load_scene_questions(
            size.pictures, seed, len(ASKED), mixture=ASKED
        )
        self.squares = look(make_model(seed), self.training.images)
        self.judged = {
            name: load_scene_questions(
                size.judged, 1_000 + seed, len(ASKED), split=split, mixture=ASKED
            )
            for name, split in (("unseen", "train"), ("new_pairs", "new pairs"))
        }

    def judge(self, model: Model, seconds: float, blind: bool = False) -> dict:
        """Judge a model on both sets of pictures."""
        results: dict = {"seconds": round(seconds, 1)}
        for name, asked in self.judged.items():
            squares = look(model, asked.images)
            if blind:
                squares = self.mean_squares.expand_as(squares)
            results[name] = judge(model, asked, squares)
        return results

    @property
    def mean_squares(self) -> Tensor:
        """The mean picture, which is all that a blind model sees."""
        return self.squares.mean(dim=0, keepdim=True)

    def counts(self) -> dict:
        """Return the best accuracy of each kind that words alone allow."""
        known = self.training.one_by_one()[1]
        asked = self.judged["unseen"].one_by_one()[1]
        accuracy = question_accuracy(asked, blind_answers(known, asked))
        return {kind: round(value.mean, 4) for kind, value in accuracy.items()}

    def blind_model(self) -> tuple[VisionLanguageModel, float]:
        """Train the blind model; return it with the seconds."""
        model, questions = make_model(self.seed), self.training.questions
        squares = self.mean_squares.expand_as(self.squares).clone()
        steps = self.size.blind_steps
        return model, train(model, squares, questions, steps, self.seed)

    def trained(self, questions: Sequence[Sequence[SceneQuestion]]) -> dict:
        """Train a new model on the pictures of the seed, and judge it.

        Args:
            questions: The questions about each picture.
        """
        model, steps = make_model(self.seed), self.size.steps
        seconds = train(model, self.squares, questions, steps, self.seed)
        return self.judge(model, seconds)

    def seeing(self) -> dict:
        """Measure the model, a blind one, what counting words allows, and cures of the
        language prior.
        """
        blind, blind_seconds = self.blind_model()
        model, known = make_model(self.seed), self.training.questions
        seconds = train(model, self.squares, known, self.size.steps, self.seed)
        results = {
            "counts": self.counts(),
            "frozen": self.judge(model, seconds),
            "blind": self.judge(blind, blind_seconds, blind=True),
        }
        before = {name: value.clone() for name, value in model.state_dict().items()}
        new = load_scene_questions(
            EXTRA_PICTURES,
            2_000 + self.seed,
            len(ASKED),
            split="new pairs",
            mixture=ASKED,
        )
        repeat = max(1, self.size.pictures // 3 // EXTRA_PICTURES)
        colours = [
            (*asked, colours_of(scene))
            for scene, asked in zip(self.training.scenes, known, strict=True)
        ]
        more = torch.cat([self.squares, *[look(model, new.images)] * repeat])
        for name, squares, questions in (
            ("more of the same", self.squares, known),
            ("new pictures", more, (*known, *new.questions * repeat)),
            ("all colours asked", self.squares, colours),
        ):
            model.load_state_dict(before)
            seconds = train(
                model,
                squares,
                questions,
                self.size.cure_steps,
                self.seed,
                settings=TUNING,
            )
            results[name] = self.judge(model, seconds)
        return results

    def all_blocks(self) -> dict:
        """Look through all blocks of CLIP."""
        model = make_model(self.seed, blocks=3)
        squares, questions = look(model, self.training.images), self.training.questions
        seconds = train(model, squares, questions, self.size.steps, self.seed)
        return self.judge(model, seconds)

    def cross_attention(self, steps: int | None = None) -> dict:
        """Look through gated cross-attention, after all steps or after fewer."""
        model = make_cross_attention(self.seed)
        questions, steps = self.training.questions, steps or self.size.steps
        seconds = train(model, self.squares, questions, steps, self.seed)
        weights = sum(parameter.numel() for parameter in model.parameters())
        return self.judge(model, seconds) | {"weights": weights}

    def cross_attention_as_long(self) -> dict:
        """Look through gated cross-attention, trained for as long as the prefix."""
        steps = 3 * self.size.steps // 5
        return self.cross_attention(steps) | {"steps": steps}

    def without_none(self) -> dict:
        """Train without questions whose answer is none."""
        return self.trained(
            [
                [question for question in asked if question.answer != "none"]
                for asked in self.training.questions
            ]
        )

    def projector(self) -> dict:
        """Continue the blind model: the projector alone."""
        return self.continued((True, self.size.steps))

    def two_stages(self) -> dict:
        """Continue the blind model: the projector alone, then everything."""
        half = self.size.steps // 2
        return self.continued((True, half), (False, half))

    def continued(self, *stages: tuple[bool, int]) -> dict:
        """Continue the blind model in stages, and judge it.

        Args:
            stages: Whether the projector is trained alone, and the number of steps.
        """
        model, _ = self.blind_model()
        seconds = sum(
            train(
                model,
                self.squares,
                self.training.questions,
                steps,
                self.seed,
                only=model.projector if projector_alone else None,
            )
            for projector_alone, steps in stages
        )
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        return self.judge(model, seconds) | {"trained": trained}

    def film(self) -> dict:
        """Ask about films, before and after training on films of one length."""
        model = load("shapes-vlm").model
        judged = {
            frames: load_needle_films(self.size.tuned // 4, frames, 1_000 + self.seed)
            for frames in FRAMES
        }
        results = {"before": {str(n): ask_films(model, judged[n]) for n in FRAMES}}
        films = load_needle_films(self.size.tuned, TAUGHT_FRAMES, self.seed)
        squares = look_at_films(model, films)
        rows = pack_conversations([[question] for question in films.questions])

        def loss(
            model: VisionLanguageModel, squares: Tensor, ids: Tensor, is_answer: Tensor
        ):
            return answer_loss(model.read(squares, ids), ids, is_answer)

        results["seconds"] = self.tune(model, (squares, *rows[:2]), loss)
        return results | {
            "after": {str(n): ask_films(model, judged[n]) for n in FRAMES}
        }

    def polling(self) -> dict:
        """Ask for objects that are there or not, before and after training on objects
        of which neither the colour nor the shape is there.
        """
        model = load("shapes-vlm").model
        before = self.poll(model)
        training = load_shapes(self.size.tuned, 3_000 + self.seed, (1, 2, 3))
        questions = [
            (*any_absent, *near)
            for any_absent, near in zip(
                polling_questions(training.scenes, self.seed),
                polling_questions(training.scenes, self.seed, only_near_misses=True),
                strict=True,
            )
        ]

        def loss(
            model: VisionLanguageModel,
            squares: Tensor,
            ids: Tensor,
            is_answer: Tensor,
            of: Tensor,
        ) -> Tensor:
            return answer_loss(model.read(squares, ids, of), ids, is_answer)

        data = look(model, training.images), *pack_conversations(questions)
        seconds = self.tune(model, data, loss)
        return {"before": before, "after": self.poll(model), "seconds": seconds}

    def poll(self, model: VisionLanguageModel) -> dict:
        """Return how often the answer is yes, for absent and for present objects."""
        scenes = self.judged["unseen"].scenes
        squares = look(model, self.judged["unseen"].images)
        reader, results = ImageReader(model, QUESTION_TOKENIZER), {}
        for name, only_near_misses in (("any absent", False), ("near misses", True)):
            polled = polling_questions(
                scenes, self.seed, only_near_misses=only_near_misses
            )
            rows = [row for row, asked in enumerate(polled) for _ in asked]
            questions = [question for asked in polled for question in asked]
            said = reader.first_words(squares[rows], [q.text for q in questions])
            results[name] = {
                f"yes_to_{which}": share(
                    [
                        word == "yes"
                        for question, word in zip(questions, said, strict=True)
                        if question.answer == answer
                    ]
                )
                for which, answer in (("absent", "no"), ("present", "yes"))
            } | {"questions": len(questions)}
        return results

    def tune(
        self, model: VisionLanguageModel, data: tuple[Tensor, ...], loss: Callable
    ) -> float:
        """Train a trained model a little further, and return the seconds."""
        model.image_encoder.requires_grad_(False)
        started, steps = time.process_time(), self.size.tuning_steps
        fit(
            model,
            TensorBatches(data, BATCH_SIZE, self.seed),
            loss,
            build_optimizer(model, TUNING),
            steps=steps,
            schedule=Schedule(steps, min(10, steps), "linear"),
            progress=False,
        )
        model.eval()
        return round(time.process_time() - started, 1)


PARTS = (
    "seeing",
    "all_blocks",
    "cross_attention",
    "cross_attention_as_long",
    "without_none",
    "two_stages",
    "projector",
    "polling",
    "film",
)


def main() -> None:
    """Run what is missing, and write the record when everything is there."""
    parser = command_line(__doc__, SEEDS)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS)
    arguments = parser.parse_args()
    study = lru_cache(1)(partial(Study, SMOKE if arguments.smoke else FULL))
    for seed in arguments.seeds:
        for part in arguments.part:
            path = arguments.folder / f"{part}-{seed}.json"
            kept(path, lambda seed=seed, part=part: getattr(study(seed), part)())
    paths = {
        part: [arguments.folder / f"{part}-{seed}.json" for seed in SEEDS]
        for part in PARTS
    }
    missing = [p.name for files in paths.values() for p in files if not p.is_file()]
    if arguments.smoke or missing:
        print(f"no record yet: {len(missing)} results are missing")
        return
    keep_record(
        "multimodal",
        {
            "pictures": FULL.pictures,
            "steps": FULL.steps,
            "blind_steps": FULL.blind_steps,
            "judged_pictures": FULL.judged,
            "batch_size": BATCH_SIZE,
            "cure_steps": FULL.cure_steps,
            "tuned": FULL.tuned,
            "tuning_steps": FULL.tuning_steps,
            "kinds": list(ASKED),
            "extra_pictures": EXTRA_PICTURES,
            "seeds": list(SEEDS),
            "machine": describe_machine(),
            **{
                part: [json.loads(path.read_text()) for path in files]
                for part, files in paths.items()
            },
        },
    )


if __name__ == "__main__":
    main()
