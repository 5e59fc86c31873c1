"""An encoder-decoder like Whisper's, trained on spoken captions: word errors, and what
it writes when nobody speaks.

It sees the same recordings in the same batches as the CTC recognizers of
`benchmarks/speech.py --part live`, none of which is without words, and is examined on
the same sentences and the same sounds without words. A transcript counts as a sentence
if the grammar of the training sentences could have produced it.

    # about a minute and a half per seed on one core
    OMP_NUM_THREADS=1 python benchmarks/listen_and_write.py
    # a short trial
    python benchmarks/listen_and_write.py --seeds 0 --steps 4 --no-save

Finished seeds are kept in the folder `runs/listen_and_write` and are not repeated.
"""

import json
import time
from pathlib import Path

import torch
from finished import script_parser
from torch import Tensor
from torch.nn import functional

from genai_tutorial.audio import ListenAndWrite, ListenAndWriteConfig, whisper_features
from genai_tutorial.metrics import word_error_rate
from genai_tutorial.multimodal import EncoderConfig
from genai_tutorial.recipes import held_out_recordings, recipe
from genai_tutorial.runtime import describe_machine, keep_record, write_atomically
from genai_tutorial.tasks.shapes import parse_caption
from genai_tutorial.tasks.speech import (
    DIGITS,
    MELS,
    SPEECH_WORDS,
    SpeechBatches,
    draw_non_speech,
    load_recordings,
)
from genai_tutorial.training import (
    OptimizerSettings,
    build_optimizer,
    fit,
    warmup_linear,
)

RUNS = Path("runs") / "listen_and_write"
FRAMES, LONGEST = 400, 20
START, END = 0, len(SPEECH_WORDS) + 1  # the words are 1 to 37
CONFIG = ListenAndWriteConfig(
    EncoderConfig(width=128, layers=2, heads=4),
    vocab_size=len(SPEECH_WORDS) + 2,
    mels=MELS,
    frames=FRAMES,
    context_length=LONGEST + 2,
)
OPTIMIZER = OptimizerSettings(
    matrix_lr=0.04, embedding_lr=0.01, head_lr=0.005, vector_lr=0.005
)
UTTERANCES, EXAM, EVERY = 1500, 100, 4
KINDS = (
    "silence",
    "white noise",
    "brown noise",
    "tone",
    "backwards",
    "chirp",
    "clicks",
)
SOUNDS_OF_A_KIND = 12


def padded_features(features: Tensor) -> Tensor:
    """Pad spectrograms to the one length that the encoder reads, as Whisper pads every
    sound to thirty seconds of silence: with the lowest value of each.
    """
    features = features.float()[..., :FRAMES]
    missing = FRAMES - features.shape[-1]
    floor = features.amin(dim=(-2, -1), keepdim=True)
    return torch.cat([features, floor.expand(*features.shape[:-1], missing)], dim=-1)


def writing_loss(
    model: ListenAndWrite,
    features: Tensor,
    lengths: Tensor,
    labels: Tensor,
    counts: Tensor,
) -> Tensor:
    """Return the cross-entropy of each word and of the end."""
    padded = torch.stack(
        [
            padded_features(one[:, :length])
            for one, length in zip(features, lengths.tolist(), strict=True)
        ]
    )
    inputs = functional.pad(labels, (1, 0), value=START)
    targets = functional.pad(labels, (0, 1), value=END)
    place = torch.arange(targets.shape[1])
    targets = targets.where(place != counts[:, None], END)
    targets = targets.where(place <= counts[:, None], -100)
    return functional.cross_entropy(model(padded, inputs).mT, targets)


def written(model: ListenAndWrite, features: list[Tensor]) -> list[str]:
    """Return the greedy transcript of each spectrogram."""
    model.eval()
    texts = []
    for one in features:
        ids = model.transcribe(padded_features(one), [START], END, LONGEST)
        texts.append(" ".join(SPEECH_WORDS[k - 1] for k in ids if START < k < END))
    return texts


def is_sentence(text: str) -> bool:
    """Return whether the grammar of the training sentences can produce a text."""
    words = text.split()
    if len(words) > 1 and set(words) <= set(DIGITS):
        return True
    try:
        parse_caption(text)
    except ValueError:
        return False
    return True


def invented(model: ListenAndWrite) -> dict[str, dict]:
    """Return what is written for sounds without a word, kind by kind."""
    found = {}
    for kind in KINDS:
        waves = draw_non_speech(SOUNDS_OF_A_KIND, 1_000_003, [kind], held_out=True)
        texts = written(model, [whisper_features(wave, MELS) for wave in waves])
        found[kind] = {
            "n": len(texts),
            "sounds": sum(bool(text) for text in texts),
            "sentences": sum(is_sentence(text) for text in texts),
            "words": sum(len(text.split()) for text in texts),
            "texts": texts[:3],
        }
    return found


def run_seed(seed: int, steps: int) -> dict:
    """Train an encoder-decoder and examine it along the way."""
    chosen = recipe("spoken-captions")
    exam = held_out_recordings().choose(range(EXAM))
    model = ListenAndWrite(CONFIG, seed)
    optimizer = build_optimizer(model, OPTIMIZER)
    batches = SpeechBatches(
        load_recordings(UTTERANCES, chosen.data_seed), chosen.batch_size, seed
    )
    schedule = warmup_linear(steps, warmup_steps=min(10, steps // 2))
    curve, texts, seconds, done = [], [], 0.0, 0
    while done < steps:
        start, before = time.process_time(), done
        history = fit(
            model,
            batches,
            writing_loss,
            optimizer,
            steps=steps // EVERY,
            schedule=lambda step, before=before: schedule(before + step),
            progress=False,
        )
        seconds, done = seconds + time.process_time() - start, done + steps // EVERY
        texts = written(model, list(exam.features))
        rate = word_error_rate(exam.sentences, texts)
        curve.append(
            {
                "step": done,
                "rate": round(rate, 4),
                "loss": round(history.losses[-1], 4),
            }
        )
        print(curve[-1], flush=True)
    return {
        "seed": seed,
        "steps": steps,
        "exam": EXAM,
        "curve": curve,
        "sentences": sum(is_sentence(text) for text in texts),
        "examples": list(zip(exam.sentences[:3], texts[:3], strict=True)),
        "seconds": round(seconds, 1),
        "weights": sum(weight.numel() for weight in model.parameters()),
        "invented": invented(model),
    }


def main() -> None:
    """Run the seeds that are not in the folder of runs, and keep the record."""
    parser = script_parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--no-save", action="store_true")
    settings = parser.parse_args()
    for seed in settings.seeds:
        file = RUNS / f"{seed}.json"
        if settings.no_save or not file.is_file():
            measured = run_seed(seed, settings.steps)
            print(json.dumps(measured, indent=1), flush=True)
            if settings.no_save:
                continue
            RUNS.mkdir(parents=True, exist_ok=True)
            with write_atomically(file, "w") as opened:
                json.dump(measured, opened)
    if not settings.no_save:
        kept = [json.loads(file.read_text()) for file in sorted(RUNS.glob("*.json"))]
        keep_record("listen_and_write", {"seeds": kept, "machine": describe_machine()})


if __name__ == "__main__":
    main()
