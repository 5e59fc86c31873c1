"""Spoken questions about pictures: heard as text first, or read as vectors.

The recognizer of chapter 18 knows the words of captions. `--part hear` teaches it the
words of questions: its trained layers go on with a new output layer, on questions that
are spoken by training voices. `--part answer` then asks `shapes-vlm` about unseen
pictures, in voices that no model has heard:

- typed, the upper bound;
- through the transcript (a cascade);
- through vectors: the frames of each recognized word are averaged, and a projector
  turns these vectors into ones that the decoder reads in place of word embeddings. Only
  this projector is trained, on the answers; the words themselves never reach the model;
- without the question, the lower bound.

    OMP_NUM_THREADS=1 python benchmarks/spoken_questions.py --folder runs

About two minutes a seed on one quiet core; needs the extra `audio`. Finished parts are
kept in the folder and not repeated; the record is written when all seeds are there.
`--smoke` runs a small version and keeps no record.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from finished import command_line, kept
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.audio import (
    SpeechRecognizer,
    Transcriber,
    recognition_loss,
    whisper_features,
)
from genai_tutorial.data import speak
from genai_tutorial.metrics import word_error_rate
from genai_tutorial.multimodal import ImageReader, Projector, answer_loss
from genai_tutorial.recipes import load
from genai_tutorial.runtime import describe_machine, keep_record
from genai_tutorial.tasks.scene_questions import (
    CONVERSATION_MIXTURE,
    ONE_WORD_KINDS,
    SceneQuestion,
    load_scene_questions,
    right_answers,
)
from genai_tutorial.tasks.speech import MELS, draw_voices
from genai_tutorial.training import (
    OptimizerSettings,
    Schedule,
    TensorBatches,
    build_optimizer,
    fit,
)
from genai_tutorial.transformer import AttentionContext

SEEDS = (0, 1, 2, 3, 4)
SETTINGS = OptimizerSettings(matrix_lr=0.02, head_lr=0.005, vector_lr=0.005)


class Size(NamedTuple):
    """The sizes of a study."""

    training: int
    judged: int
    hearing_steps: int
    projector_steps: int


FULL, SMOKE = Size(1_200, 300, 200, 150), Size(24, 10, 2, 2)


class Spoken(NamedTuple):
    """Questions about pictures, spoken."""

    questions: list[SceneQuestion]
    images: Tensor  # one for each question
    features: list[Tensor]  # log-mel spectrograms

    @property
    def said(self) -> list[str]:
        """What is said: the words without the question mark."""
        return [question.text.removesuffix(" ?") for question in self.questions]


def spoken_questions(n: int, seed: int, held_out_voices: bool) -> Spoken:
    """Draw questions of one word's answer about different pictures, and speak them."""
    one_word = {kind: CONVERSATION_MIXTURE[kind] for kind in ONE_WORD_KINDS}
    asked = load_scene_questions(2 * n, seed, kinds=2, mixture=one_word)
    rows = [row for row, questions in enumerate(asked.questions) if questions][:n]
    questions = [asked.questions[row][0] for row in rows]
    said = [question.text.removesuffix(" ?") for question in questions]
    utterances = speak(said, draw_voices(n, seed, held_out_voices))
    features = [whisper_features(one.wave, MELS) for one in utterances]
    return Spoken(questions, asked.images[rows], features)


def recognizer(words: Sequence[str], seed: int) -> SpeechRecognizer:
    """Return chapter 18's recognizer with a new output layer; words that it knows keep
    their weights.
    """
    old = load("spoken-captions")
    model = SpeechRecognizer(
        replace(old.model.config, labels=len(words) + 1), seed=seed
    )
    trained = old.model.state_dict()
    fresh = model.state_dict()
    known = {word: label for label, word in enumerate(old.words, start=1)}
    for name in fresh:
        if not name.startswith("head."):
            fresh[name] = trained[name]
            continue
        fresh[name][0] = trained[name][0]  # the blank
        for label, word in enumerate(words, start=1):
            if word in known:
                fresh[name][label] = trained[name][known[word]]
    model.load_state_dict(fresh)
    return model


def learn_to_hear(
    spoken: Spoken, words: Sequence[str], size: Size, seed: int
) -> tuple[SpeechRecognizer, float]:
    """Train the recognizer on spoken questions; return it with the seconds."""
    model = recognizer(words, seed)
    labels = {word: label for label, word in enumerate(words, start=1)}
    rows = [torch.tensor([labels[w] for w in text.split()]) for text in spoken.said]
    data = (
        pad_sequence([one.T for one in spoken.features], batch_first=True).mT,
        torch.tensor([one.shape[1] for one in spoken.features]),
        pad_sequence(rows, batch_first=True),
        torch.tensor([len(row) for row in rows]),
    )
    masks = torch.Generator().manual_seed(seed)

    def loss(
        model: nn.Module, mels: Tensor, frames: Tensor, ids: Tensor, lengths: Tensor
    ) -> Tensor:
        mels = mels[:, :, : int(frames.max())]
        return recognition_loss(model, mels, frames, ids, lengths, masks)

    started, steps = time.process_time(), size.hearing_steps
    fit(
        model,
        TensorBatches(data, 16, seed),
        loss,
        build_optimizer(model, SETTINGS),
        steps=steps,
        schedule=Schedule(steps, min(20, steps), "linear"),
        progress=False,
    )
    return model.eval(), time.process_time() - started


@torch.no_grad()
def word_vectors(heard: Transcriber, features: Sequence[Tensor]) -> list[Tensor]:
    """Return one vector for each recognized word: the mean, over its frames, of the
    recognizer's last layer before the output.

    Source: Gaido et al., CTC-based Compression for Direct Speech Translation,
        section 3, https://arxiv.org/abs/2102.01578
    """
    found = []
    for one in features:
        hidden: list[Tensor] = []
        hook = heard.model.norm.register_forward_hook(
            lambda layer, inputs, output, kept=hidden: kept.append(output)
        )
        (output,) = heard.read([one])
        hook.remove()
        path, vectors = output.argmax(dim=1), hidden[0][0]
        _, run = torch.unique_consecutive(path, return_inverse=True)
        means = [
            vectors[: len(path)][run == number].mean(dim=0)
            for number in run.unique().tolist()
            if path[run == number][0] > 0
        ]
        found.append(torch.stack(means) if means else vectors.new_zeros(1, 128))
    return found


class SpokenReader(nn.Module):
    """A vision-language model that reads vectors of spoken words behind the picture."""

    def __init__(self, reader: ImageReader, seed: int):
        super().__init__()
        self.model = reader.model.requires_grad_(False)
        self.projector = Projector(128, reader.model.config.decoder.width, seed)

    def forward(
        self, squares: Tensor, words: Tensor, counts: Tensor, ids: Tensor
    ) -> Tensor:
        """Return the logits after each place of the text: the spoken words, then the
        ids, which are the question mark and the answer.
        """
        spoken = self.projector(words)
        typed = self.model.decoder.embed(ids, AttentionContext())
        # Each row: its own number of spoken words, the typed tokens, and padding.
        places = torch.arange(words.shape[1] + ids.shape[1])[None]
        which = (places - counts[:, None]).clamp(min=0, max=ids.shape[1] - 1)
        typed = typed.gather(1, which[..., None].expand(-1, -1, typed.shape[2]))
        spoken = torch.cat([spoken, torch.zeros_like(typed[:, : ids.shape[1]])], dim=1)
        text = torch.where((places < counts[:, None])[..., None], spoken, typed)
        x = torch.cat([self.model.prefix(squares), text], dim=1)
        hidden = self.model.decoder.read_vectors(x)
        return self.model.decoder.logits(hidden[:, squares.shape[1] :])


def spoken_loss(
    end: int,
    model: SpokenReader,
    squares: Tensor,
    words: Tensor,
    counts: Tensor,
    ids: Tensor,
) -> Tensor:
    """Return the loss of the answer and its end."""
    logits = model(squares, words, counts, ids)
    rows = torch.arange(len(ids))[:, None]
    after = counts[:, None] + torch.arange(3)[None]  # "?", the answer, its end
    chosen = logits[rows, after]
    is_answer = torch.tensor([[False, True, True]]).expand(len(ids), -1)
    return answer_loss(chosen, ids, is_answer)


def answer(
    training: Spoken, judged: Spoken, heard: Transcriber, size: Size, seed: int
) -> dict:
    """Return the share of right answers of each way to ask."""
    reader = load("shapes-vlm")
    with torch.no_grad():
        squares = reader.model.look(judged.images)
        training_squares = reader.model.look(training.images)
    transcripts = [heard.text(output) for output in heard.read(judged.features)]
    old = load("spoken-captions")
    untaught = [old.text(output) for output in old.read(judged.features)]
    started = time.process_time()
    model = SpokenReader(reader, seed)
    encode = reader.tokenizer.encode
    ids = torch.tensor([encode(f"? {q.answer}") for q in training.questions])
    words = word_vectors(heard, training.features)
    counts = torch.tensor([len(one) for one in words])
    steps = size.projector_steps
    fit(
        model,
        TensorBatches(
            (training_squares, pad_sequence(words, batch_first=True), counts, ids),
            32,
            seed,
        ),
        partial(spoken_loss, reader.tokenizer.END),
        build_optimizer(model.projector),
        steps=steps,
        schedule=Schedule(steps, min(10, steps), "linear"),
        progress=False,
    )
    seconds = time.process_time() - started
    words = word_vectors(heard, judged.features)
    counts = torch.tensor([len(one) for one in words])
    mark = torch.tensor([encode("?")[:1]]).expand(len(words), -1)
    with torch.no_grad():
        logits = model.eval()(
            squares, pad_sequence(words, batch_first=True), counts, mark
        )
    direct = logits[torch.arange(len(words)), counts].argmax(dim=1)[:, None].tolist()
    said = {
        "typed": reader.first_words(squares, [q.text for q in judged.questions]),
        "transcript": reader.first_words(squares, [f"{t} ?" for t in transcripts]),
        "vectors": [reader.tokenizer.decode(row) for row in direct],
        "not heard": reader.first_words(squares, ["?"] * len(judged.questions)),
    }
    known = set(training.said)
    return {
        name: round(sum(rights) / len(rights), 4)
        for name, rights in (
            (name, right_answers(judged.questions, answers))
            for name, answers in said.items()
        )
    } | {
        "word_error_rate": round(word_error_rate(judged.said, transcripts), 4),
        "word_error_rate_untaught": round(word_error_rate(judged.said, untaught), 4),
        "questions_known": round(
            sum(s in known for s in judged.said) / len(judged.said), 4
        ),
        "projector_seconds": round(seconds, 1),
        "examples": [
            {"said": said, "heard": text}
            for said, text in zip(judged.said, transcripts, strict=True)
            if said != text
        ][:5],
    }


def main() -> None:
    """Run what is missing, and write the record when every seed is there."""
    parser = command_line(__doc__, SEEDS)
    parser.add_argument("--part", choices=("hear", "answer"), nargs="+")
    arguments = parser.parse_args()
    size = SMOKE if arguments.smoke else FULL
    for seed in arguments.seeds:
        weights = arguments.folder / f"hear-{seed}.safetensors"
        path = arguments.folder / f"answer-{seed}.json"
        if path.is_file():
            continue
        training = spoken_questions(size.training, seed, held_out_voices=False)
        words = tuple(sorted({word for text in training.said for word in text.split()}))
        if not weights.is_file():
            model, seconds = learn_to_hear(training, words, size, seed)
            save_file(model.state_dict(), weights, {"seconds": f"{seconds:.1f}"})
            print(weights.name, f"{seconds:.1f} s", flush=True)
        if arguments.part == ["hear"]:
            continue
        model = recognizer(words, seed).eval()
        model.load_state_dict(load_file(weights))
        judged = spoken_questions(size.judged, 1_000 + seed, held_out_voices=True)
        heard = Transcriber(model, words)
        kept(path, partial(answer, training, judged, heard, size, seed))
    paths = [arguments.folder / f"answer-{seed}.json" for seed in SEEDS]
    missing = [path.name for path in paths if not path.is_file()]
    if arguments.smoke or missing:
        print(f"no record yet: {len(missing)} results are missing")
        return
    keep_record(
        "spoken_questions",
        {
            "spoken_training": FULL.training,
            "hearing_steps": FULL.hearing_steps,
            "projector_steps": FULL.projector_steps,
            "judged": FULL.judged,
            "seeds": list(SEEDS),
            "machine": describe_machine(),
            "runs": [json.loads(path.read_text()) for path in paths],
        },
    )


if __name__ == "__main__":
    main()
