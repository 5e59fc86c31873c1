"""Vision-language models of shapes: what the picture adds, two ways in, two stages, the
language prior and its cure, invented answers, and questions that read each other.

All models are trained like the live one of the chapter: the image encoder of
`shapes-clip` without its last block, a decoder of three blocks, 5,000 pictures with up
to six questions each, Muon and AdamW with a linear decay. Each part trains several
variants with each seed. They are judged on unseen pictures with a question of each
kind, and on pictures with a pair of colour and shape that training never had.

`--part seeing` trains the model, the same model with a frozen image encoder, one that
    reads the image through all blocks of CLIP, one with gated cross-attention, and a
    blind one, whose picture is always the mean picture.
`--part stages` continues the blind model, which has learned the language of questions:
    first the projector alone, then everything.
`--part prior` adds pictures of the new pairs to training.
`--part absent` leaves out the questions whose answer is none.
`--part packed` lets the questions of a row see each other, and asks about the same
    facts several times.
`--part tokens` decodes pictures from codebooks of several sizes, without training.

    OMP_NUM_THREADS=1 python benchmarks/multimodal.py --folder runs

About fifteen minutes a seed on one quiet core. Finished parts are kept in the folder
and not repeated; the record is written when all parts are there. `--smoke` runs a small
version and keeps no record. Times are processor seconds of training.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from genai_tutorial.metrics import wilson_interval
from genai_tutorial.multimodal import (
    CrossAttentionModel,
    ImageEncoder,
    ImageReader,
    ImageTokenizer,
    VisionLanguageConfig,
    VisionLanguageModel,
    answer_loss,
    without_last_block,
)
from genai_tutorial.pretrained.records import keep_record
from genai_tutorial.recipes import load
from genai_tutorial.recipes.shapes.vision_language import (
    SHAPES_VLM,
    optimizer_with_encoder,
)
from genai_tutorial.runtime import describe_machine, write_atomically
from genai_tutorial.tasks.scene_questions import (
    MIXTURE,
    QUESTION_TOKENIZER,
    Question,
    SceneQuestions,
    blind_answers,
    captions_right,
    flipped_pairs,
    load_scene_questions,
    pack_conversations,
    question_accuracy,
    right_answers,
)
from genai_tutorial.tasks.shapes import caption_accuracy, load_shapes
from genai_tutorial.training import Schedule, TensorBatches, build_optimizer, fit
from genai_tutorial.vae import encode_images

SEEDS = (0, 1, 2, 3, 4)
EXTRA_PICTURES = (15, 30, 60, 120)
CODES = (64, 128, 256, 512)
Model = VisionLanguageModel | CrossAttentionModel


class Size(NamedTuple):
    """The sizes of a study."""

    pictures: int
    steps: int
    judged: int
    kinds: int = 6


FULL, SMOKE = Size(5_000, 300, 1_000), Size(40, 2, 30)


def image_encoder(blocks: int) -> ImageEncoder:
    """Return CLIP's trained image encoder with two of its blocks, or all three."""
    encoder = load("shapes-clip").model.image_encoder
    return encoder if blocks == 3 else without_last_block(encoder)


def make_model(
    seed: int, *, blocks: int = 2, kind: type[Model] = VisionLanguageModel
) -> Model:
    """Return an untrained model on CLIP's image encoder."""
    encoder = image_encoder(blocks)
    config = VisionLanguageConfig(encoder.config, SHAPES_VLM.config.decoder)
    model = kind(config, seed)
    model.image_encoder.load_state_dict(encoder.state_dict())
    return model


@torch.no_grad()
def look(model: Model, images: Tensor) -> Tensor:
    """Return the vectors of many pictures' squares."""
    return torch.cat([model.look(part) for part in images.split(500)])


def train(
    model: Model,
    images: Tensor,
    questions: Sequence[Sequence[Question]],
    size: Size,
    seed: int,
    *,
    encoder_rate: float = 0.0,
    blind: bool = False,
    masked: bool = True,
    only: Callable[[Model], torch.nn.Module] | None = None,
) -> float:
    """Train a model, and return the processor seconds.

    Args:
        model: The model; it goes on from its present weights.
        images: The pictures.
        questions: The questions about each.
        size: The sizes of the study.
        seed: Seed of the order of the batches.
        encoder_rate: The image encoder's rates, relative to the others; 0 freezes it.
        blind: Whether every picture is replaced by the mean one.
        masked: Whether the questions of a row are hidden from each other.
        only: The part that is trained; None for everything but the encoder's share.
    """
    rows = pack_conversations(questions)
    inputs = images if encoder_rate else look(model, images)
    if blind:
        inputs = inputs.mean(dim=0, keepdim=True).expand_as(inputs).clone()

    def loss(
        model: Model, pictures: Tensor, ids: Tensor, is_answer: Tensor, of: Tensor
    ) -> Tensor:
        longest = int((ids > 0).any(dim=0).nonzero().max()) + 1
        ids, is_answer, of = ids[:, :longest], is_answer[:, :longest], of[:, :longest]
        read = model if encoder_rate else model.read
        return answer_loss(read(pictures, ids, of if masked else None), ids, is_answer)

    if only is None:
        model.requires_grad_(True)
        optimizer = optimizer_with_encoder(model, None, encoder_rate)
    else:
        model.requires_grad_(False)
        only(model).requires_grad_(True)
        optimizer = build_optimizer(model)
    started = time.process_time()
    fit(
        model,
        TensorBatches((inputs, *rows), 32, seed),
        loss,
        optimizer,
        steps=size.steps,
        schedule=Schedule(size.steps, min(10, size.steps), "linear"),
        progress=False,
    )
    model.eval()
    return time.process_time() - started


@torch.no_grad()
def judge(
    model: Model, asked: SceneQuestions, mean_squares: Tensor | None = None
) -> dict:
    """Return the share of right answers, overall and by kind, and of flipped pairs.

    Args:
        model: The model.
        asked: Pictures and questions.
        mean_squares: What a blind model sees in place of each picture.
    """
    rows, questions = asked.one_by_one()
    squares = look(model, asked.images)
    if mean_squares is not None:
        squares = mean_squares.expand_as(squares)
    reader = ImageReader(model, QUESTION_TOKENIZER)
    is_short = [question.kind != "caption" for question in questions]
    short = [q for q, keep in zip(questions, is_short, strict=True) if keep]
    rows = rows[torch.tensor(is_short)]
    answers = reader.first_words(squares[rows], [q.text for q in short])
    rights = right_answers(short, answers)
    shares: dict[str, list[bool]] = {"all": rights}
    for name, belongs in (
        ("absent", lambda q: q.answer == "none"),
        ("present", lambda q: q.kind == "colour" and q.answer != "none"),
        ("new_colour", lambda q: q.asks_new_pair and q.kind == "colour"),
        ("new_shape", lambda q: q.asks_new_pair and q.kind == "shape"),
    ):
        shares[name] = [r for q, r in zip(short, rights, strict=True) if belongs(q)]
    flipped = flipped_pairs(short, answers)
    measured = {name: share(values) for name, values in shares.items() if values}
    measured |= {
        kind: round(interval.mean, 4)
        for kind, interval in question_accuracy(short, answers).items()
    }
    if isinstance(model, VisionLanguageModel):
        captions = reader.answer(squares, ["describe :"] * len(squares))
        measured["captions"] = share(captions_right(asked.scenes, captions))
    return measured | {
        "flipped_pairs": round(flipped.mean, 4) if flipped else None,
        "questions": len(short),
    }


def share(rights: Sequence[bool]) -> float:
    """Return the share of right answers, rounded for the record."""
    return round(sum(rights) / len(rights), 4)


class Study:
    """The pictures of one seed, for training and for judging."""

    def __init__(self, size: Size, seed: int):
        self.size, self.seed = size, seed
        self.training = load_scene_questions(size.pictures, seed, size.kinds)
        self.unseen, self.pairs = (
            load_scene_questions(size.judged, 1_000 + seed, len(MIXTURE), split=split)
            for split in ("train", "new pairs")
        )

    def judged(self, model: Model, seconds: float, **settings: Tensor) -> dict:
        """Judge a model on both sets of pictures."""
        return {
            "unseen": judge(model, self.unseen, **settings),
            "new_pairs": judge(model, self.pairs, **settings),
            "seconds": round(seconds, 1),
        }

    def train(self, model: Model, **settings: float | bool) -> float:
        """Train a model on all pictures of the seed."""
        data = self.training
        return train(
            model, data.images, data.questions, self.size, self.seed, **settings
        )

    def counts(self) -> dict:
        """Return the best accuracy of each kind that words alone allow."""
        known = self.training.one_by_one()[1]
        asked = self.unseen.one_by_one()[1]
        accuracy = question_accuracy(asked, blind_answers(known, asked))
        return {kind: round(value.mean, 4) for kind, value in accuracy.items()}

    def blind_model(self) -> tuple[Model, Tensor, float]:
        """Train the blind model; return it with what it sees and the seconds."""
        model = make_model(self.seed)
        seconds = self.train(model, blind=True)
        squares = look(model, self.training.images).mean(dim=0, keepdim=True)
        return model, squares, seconds

    def seeing(self) -> dict:
        """Measure ways to look at the picture, and a model that cannot."""
        results: dict = {"counts": self.counts()}
        for name, model, rate in (
            ("frozen", make_model(self.seed), 0.0),
            ("trained encoder", make_model(self.seed), 0.1),
            ("all blocks of CLIP", make_model(self.seed, blocks=3), 0.0),
            ("cross-attention", make_model(self.seed, kind=CrossAttentionModel), 0.0),
        ):
            seconds = self.train(model, encoder_rate=rate)
            results[name] = self.judged(model, seconds)
        model, squares, seconds = self.blind_model()
        results["blind"] = self.judged(model, seconds, mean_squares=squares)
        return results

    def stages(self) -> dict:
        """Continue the blind model: the projector alone, then everything."""
        model, _, _ = self.blind_model()
        blind = {name: value.clone() for name, value in model.state_dict().items()}
        results = {}
        for name, only in (("projector", lambda m: m.projector), ("everything", None)):
            model.load_state_dict(blind)
            seconds = self.train(model, only=only)
            results[name] = self.judged(model, seconds)
            results[name]["trained"] = sum(
                p.numel() for p in model.parameters() if p.requires_grad
            )
        return results

    def prior(self) -> dict:
        """Add pictures of the new pairs to training."""
        results = {}
        for extra in (0, *EXTRA_PICTURES[: 1 if self.size is SMOKE else None]):
            images, questions = self.training.images, self.training.questions
            if extra:
                more = load_scene_questions(
                    extra, 2_000 + self.seed, self.size.kinds, split="new pairs"
                )
                repeat = max(1, self.size.pictures // 10 // extra)
                images = torch.cat([images, *[more.images] * repeat])
                questions = (*questions, *more.questions * repeat)
            model = make_model(self.seed)
            seconds = train(model, images, questions, self.size, self.seed)
            results[str(extra)] = self.judged(model, seconds)
        return results

    def absent(self) -> dict:
        """Train without questions whose answer is none."""
        questions = [
            [question for question in asked if question.answer != "none"]
            for asked in self.training.questions
        ]
        model = make_model(self.seed)
        seconds = train(model, self.training.images, questions, self.size, self.seed)
        return {"without none": self.judged(model, seconds)}

    def packed(self) -> dict:
        """Ask about the same facts twice in a row, with and without the mask."""
        again = load_scene_questions(
            self.size.pictures,
            self.seed,
            4,
            mixture={"relation": 1.0, "direction": 1.0, "colour": 1.0, "shape": 1.0},
        )
        questions = [(*asked, *asked[::-1]) for asked in again.questions]
        results = {}
        for name, masked in (("hidden from each other", True), ("in sight", False)):
            model = make_model(self.seed)
            seconds = train(
                model, again.images, questions, self.size, self.seed, masked=masked
            )
            results[name] = self.judged(model, seconds)
        return results

    def tokens(self) -> dict:
        """Read pictures that were decoded from image tokens."""
        autoencoder = load("emoji-autoencoder")
        known = load_shapes(30 if self.size is SMOKE else 600, self.seed).images
        shapes = load_shapes(self.size.judged // 5, 1_000 + self.seed)
        latents = encode_images(autoencoder, shapes.images, self.seed)
        results = {}
        for codes in CODES:
            started = time.process_time()
            tokenizer = ImageTokenizer.fit(
                encode_images(autoencoder, known, self.seed), codes, seed=self.seed
            )
            seconds = time.process_time() - started
            decoded = tokenizer.decode(tokenizer.encode(latents))
            with torch.no_grad():
                images = autoencoder.to_images(decoded)
            read = caption_accuracy(shapes.captions, images)
            interval = wilson_interval(
                round(read.everything * len(images)), len(images)
            )
            results[str(codes)] = {
                "everything_right": round(read.everything, 4),
                "low": round(interval.low, 4),
                "high": round(interval.high, 4),
                "pictures": len(images),
                "squared_error": round(float((decoded - latents).square().mean()), 4),
                "seconds": round(seconds, 2),
            }
        return results


PARTS = ("seeing", "stages", "prior", "absent", "packed", "tokens")


def main() -> None:
    """Run what is missing, and write the record when everything is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    size = SMOKE if arguments.smoke else FULL
    torch.set_num_threads(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        study = None
        for part in arguments.part:
            path = arguments.folder / f"{part}-{seed}.json"
            if path.is_file():
                continue
            study = Study(size, seed) if study is None else study
            results = getattr(study, part)()
            with write_atomically(path, "w") as file:
                file.write(json.dumps(results, indent=1))
            print(path.name, json.dumps(results), flush=True)
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
            "judged_pictures": FULL.judged,
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
