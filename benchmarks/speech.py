"""Speech to text, text to speech, and a spoken caption that is drawn.

`--part live` trains the recognizer as long as the chapter does, on 1,500 utterances,
and follows its word error rate for sentences and voices that are not in the training
set. The opponents hear nothing: one constant sentence, another sentence of the same
grammar, and the likeliest sentence of a word bigram.

`--part noise` trains as long, with sounds that contain no word in one recording of
twenty, and counts the words that each model hears in new ones. Both parts also compare
greedy decoding with a prefix beam search that knows the grammar's bigram.

`--part loop` reads spoken captions with the published recognizer, lets chapter 9's
model draw the transcripts, and asks its verifier whether the pictures show what was
said; beside it, the captions as they were typed.

`--part voice` trains the synthesizer on two voices, and lets the published recognizer
read what it says, beside the original voices, and those voices through the same
spectrogram and Griffin-Lim. `--part tables` asks the same of averages that know more:
those of a phoneme between the same neighbours, one fifth of the phoneme at a time.

    # at most two minutes for a seed of a part on one core
    OMP_NUM_THREADS=1 python benchmarks/speech.py --part live --seed 0

Results are kept in the folder `runs/speech` and copied into the record. Times are
seconds of the processor, without those of the evaluation.
"""

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from bigram import BigramModel
from finished import script_parser
from torch import Tensor

from genai_tutorial.audio import (
    Lexicon,
    SpeechRecognizer,
    SpeechSynthesizer,
    SynthesizerConfig,
    TextToSpeech,
    Transcriber,
    mel_to_wave,
    prefix_beam_search,
    recognition_loss,
    synthesis_loss,
)
from genai_tutorial.data import Voice, speak
from genai_tutorial.diffusion import VELOCITY, dpm_solver, sample_images
from genai_tutorial.metrics import word_error_rate
from genai_tutorial.recipes import (
    READ,
    READ_SEED,
    SHAPES_SCHEDULE,
    SYMBOLS,
    held_out_recordings,
    load,
    recipe,
    transcribe,
)
from genai_tutorial.runtime import describe_machine, keep_record, write_atomically
from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    caption_scores,
    caption_words,
    encode_captions,
    parse_caption,
)
from genai_tutorial.tasks.speech import (
    SPEECH_WORDS,
    AlignedBatches,
    AlignedSpeech,
    Recordings,
    SpeechBatches,
    align,
    draw_non_speech,
    draw_sentences,
    draw_voices,
    encode_transcripts,
    is_caption,
    load_recordings,
    record_non_speech,
)
from genai_tutorial.training import build_optimizer, fit, warmup_linear

RUNS = Path("runs/speech")
LIVE_UTTERANCES, LIVE_STEPS, LIVE_EVERY, FOLLOWED = 1500, 120, 30, 100
NON_SPEECH, SOUNDS_OF_A_KIND, DECODED = 75, 12, 100
KINDS = (
    "silence",
    "white noise",
    "brown noise",
    "tone",
    "backwards",
    "chirp",
    "clicks",
)
BEAMS, WEIGHT, BONUS = 8, 0.5, 0.5
SPOKEN, GUIDANCE, SAMPLER_STEPS = 100, 2.0, 12
VOICE_STEPS = 300


def keep(part: str, key: str, measured: object) -> None:
    """Write one result into the folder of runs, and all of them into the record."""
    with write_atomically(RUNS / f"{part}-{key}.json", "w") as file:
        json.dump(measured, file)
    whole: dict = {"machine": describe_machine()}
    for path in sorted(RUNS.glob("*.json")):
        name, _, which = path.stem.partition("-")
        whole.setdefault(name, {})[which] = json.loads(path.read_text())
    keep_record("speech", whole)
    print(part, key, measured, flush=True)


def train(
    recordings: Recordings, steps: int, seed: int, followed: Recordings | None = None
) -> tuple[Transcriber, list[dict]]:
    """Return a recognizer, and its word error rate along the way."""
    chosen = recipe("spoken-captions")
    model = SpeechRecognizer(chosen.config, seed)
    masks = torch.Generator().manual_seed(seed)
    optimizer = build_optimizer(model, chosen.optimizer)
    curve, seconds, done = [], 0.0, 0
    schedule = warmup_linear(steps, warmup_steps=10)
    batches = SpeechBatches(recordings, chosen.batch_size, seed)
    every = LIVE_EVERY if followed else steps
    while done < steps:
        start, before = time.process_time(), done
        fit(
            model,
            batches,
            partial(recognition_loss, masks=masks),
            optimizer,
            steps=every,
            schedule=lambda step, before=before: schedule(before + step),
            progress=False,
        )
        seconds, done = seconds + time.process_time() - start, done + every
        if followed:
            heard = Transcriber(model, SPEECH_WORDS)
            rate = word_error_rate(followed.sentences, transcribe(heard, followed))
            curve.append(
                {"step": done, "seconds": round(seconds, 1), "rate": round(rate, 4)}
            )
    return Transcriber(model.eval(), SPEECH_WORDS), curve


def training_set() -> Recordings:
    """Return the first utterances of the published recognizer's training set."""
    return load_recordings(LIVE_UTTERANCES, recipe("spoken-captions").data_seed)


def bigram() -> BigramModel:
    """Return a word bigram of the training sentences."""
    rows, lengths = encode_transcripts(draw_sentences(LIVE_UTTERANCES, 0))
    sentences = [row[:n].tolist() for row, n in zip(rows, lengths, strict=True)]
    return BigramModel(sentences, labels=len(SPEECH_WORDS) + 1)


def opponents(said: Sequence[str]) -> dict[str, float]:
    """Return the word error rates of three answers that do not listen."""
    training = draw_sentences(LIVE_UTTERANCES, 0)
    sample = training[:200]
    constant = min(
        dict.fromkeys(training[:300]),
        key=lambda text: word_error_rate(sample, [text] * len(sample)),
    )
    model, labels = bigram(), range(1, len(SPEECH_WORDS) + 1)
    likeliest: list[int] = []
    while len(likeliest) < 16:
        prefix = tuple(likeliest)
        best = max([None, *labels], key=lambda label: model(prefix, label))
        if best is None:
            break
        likeliest.append(best)
    sentence = " ".join(SPEECH_WORDS[label - 1] for label in likeliest)
    answers = {
        "constant": [constant] * len(said),
        "other sentence": draw_sentences(len(said), 7),
        "bigram": [sentence] * len(said),
        "nothing": [""] * len(said),
    }
    return {
        "sentence": constant,
        **{
            name: round(word_error_rate(said, texts), 4)
            for name, texts in answers.items()
        },
    }


def invented(heard: Transcriber) -> dict[str, dict]:
    """Return the words that are heard in sounds without one, kind by kind."""
    counts = {}
    for kind in KINDS:
        waves = draw_non_speech(SOUNDS_OF_A_KIND, 1_000_003, [kind], held_out=True)
        texts = heard.transcribe(waves)
        counts[kind] = {
            "words": sum(len(text.split()) for text in texts),
            "sounds": sum(bool(text) for text in texts),
            "n": len(texts),
            "seconds": round(sum(len(wave) for wave in waves) / 16_000, 1),
            "longest": max(texts, key=len),
        }
    return counts


def decoded(heard: Transcriber, recordings: Recordings) -> dict[str, float]:
    """Return the word error rate of greedy decoding and of two beam searches."""
    search = partial(prefix_beam_search, beams=BEAMS, candidates=6)
    decoders = {
        "greedy": None,
        "beam": search,
        "beam with bigram": partial(
            search, language_model=bigram(), weight=WEIGHT, bonus=BONUS
        ),
    }
    outputs = heard.read(recordings.features)
    return {
        name: round(
            word_error_rate(
                recordings.sentences,
                [heard.text(output, decode) for output in outputs],
            ),
            4,
        )
        for name, decode in decoders.items()
    }


def examine(heard: Transcriber) -> dict:
    """Measure a recognizer on new sentences and on sounds without a word."""
    unseen, known = held_out_recordings(), held_out_recordings(held_out_voices=False)
    return {
        "rate": round(word_error_rate(unseen.sentences, transcribe(heard, unseen)), 4),
        "known_voices": round(
            word_error_rate(known.sentences, transcribe(heard, known)), 4
        ),
        "decoded": decoded(heard, unseen.choose(range(DECODED))),
        "invented": invented(heard),
        "utterances": len(unseen),
        "decoded_utterances": DECODED,
    }


def live(seed: int) -> None:
    """Train as the chapter does and keep the curve."""
    unseen = held_out_recordings()
    if seed == 0:
        keep("live", "opponents", opponents(unseen.sentences))
    heard, curve = train(
        training_set(), LIVE_STEPS, seed, unseen.choose(range(FOLLOWED))
    )
    keep("live", str(seed), {"curve": curve, **examine(heard)})


def noise(seed: int) -> None:
    """Train as long, with sounds that contain no word in the training set."""
    recordings = training_set() + record_non_speech(NON_SPEECH, seed)
    heard, _ = train(recordings, LIVE_STEPS, seed)
    keep("noise", str(seed), examine(heard))


def published() -> None:
    """Measure the published recognizer in the same way."""
    heard, unseen = load("spoken-captions"), held_out_recordings()
    keep("published", "decoded", decoded(heard, unseen.choose(range(DECODED))))
    keep("published", "invented", invented(heard))


def draw(captions: Sequence[str], seed: int) -> Tensor:
    """Draw a picture for each text, of which only words of captions are kept."""
    known = set(caption_words())
    texts = [
        " ".join([word for word in text.split() if word in known][: CAPTION_LENGTH - 1])
        for text in captions
    ]
    model, _ = load("shapes-diffusion")
    return sample_images(
        model,
        SHAPES_SCHEDULE,
        VELOCITY,
        encode_captions(texts),
        (len(texts), 3, 32, 32),
        steps=SAMPLER_STEPS,
        guidance=GUIDANCE,
        seed=seed,
        sampler=dpm_solver,
    )


def spoken_captions(seed: int) -> list[str]:
    """Return held-out captions of one or two objects."""
    texts = draw_sentences(8 * SPOKEN, seed, held_out=True)
    chosen = [
        text
        for text in texts
        if is_caption(text) and len(parse_caption(text).objects) < 3
    ]
    return chosen[:SPOKEN]


def _right(captions: Sequence[str], pictures: Tensor) -> list[bool]:
    return [score.everything == 1 for score in caption_scores(captions, pictures)]


def loop(seed: int) -> None:
    """Speak captions, recognize them, draw the transcripts and judge the pictures."""
    said = spoken_captions(1_000_100 + seed)
    voices = draw_voices(len(said), 1_000_100 + seed, held_out=True)
    utterances = speak(said, voices)
    transcripts = load("spoken-captions").transcribe([one.wave for one in utterances])
    misheard = [k for k, text in enumerate(transcripts) if text != said[k]]
    typed = draw(said, seed)
    spoken = typed.clone()  # the same caption is drawn from the same noise
    if misheard:
        spoken[misheard] = draw([transcripts[k] for k in misheard], seed)
    shows = {
        "typed": _right(said, typed),
        "spoken": _right(said, spoken),
        "another caption": _right(said[1:] + said[:1], typed),
    }
    measured = {
        "captions": len(said),
        "transcripts_right": len(said) - len(misheard),
        "word_error_rate": round(word_error_rate(said, transcripts), 4),
        **{name: sum(right) for name, right in shows.items()},
        "misheard_but_right": sum(shows["spoken"][k] for k in misheard),
    }
    keep("loop", str(seed), measured)


def averages(
    sentences: Sequence[AlignedSpeech], voices: Sequence[int], config: SynthesizerConfig
) -> tuple[Tensor, Tensor]:
    """Return the mean number of frames of each phoneme by each voice, and its mean
    frame: a synthesizer without a network.
    """
    kinds = config.voices, config.symbols
    counts, frames = torch.zeros(kinds), torch.zeros(kinds)
    sums = torch.zeros(*kinds, config.mel.mels)
    for sentence, voice in zip(sentences, voices, strict=True):
        labels = sentence.phonemes.repeat_interleave(sentence.durations)
        counts[voice].index_add_(
            0, sentence.phonemes, torch.ones(len(sentence.phonemes))
        )
        frames[voice].index_add_(0, labels, torch.ones(len(labels)))
        sums[voice].index_add_(0, labels, sentence.log_mels.T)
    return frames / counts.clamp(min=1), sums / frames.clamp(min=1)[..., None]


Context = tuple[int, ...]
"""A voice, and a phoneme between its neighbours; -1 where the sentence ends."""


def contexts(phonemes: Tensor, voice: int, neighbours: int) -> list[Context]:
    """Return each phoneme's context, with so many neighbours on each side."""
    padded = [-1] * neighbours + phonemes.tolist() + [-1] * neighbours
    width = 2 * neighbours + 1
    return [(voice, *padded[i : i + width]) for i in range(len(phonemes))]


def fifths(frames: int) -> list[int]:
    """Return in which fifth of a phoneme each of its frames lies."""
    return [int(5 * frame / frames) for frame in range(frames)]


class NeighbourTables:
    """A synthesizer that only averages: it looks up a phoneme between its neighbours,
    or between fewer of them where training never had it there.
    """

    def __init__(
        self, sentences: Sequence[AlignedSpeech], voices: Sequence[int], most: int
    ) -> None:
        self.most = most
        lengths: dict[Context, list[int]] = {}
        columns: dict[tuple[Context, int], list[Tensor]] = {}
        for sentence, voice in zip(sentences, voices, strict=True):
            durations = sentence.durations.tolist()
            pieces = sentence.log_mels.T.split(durations)
            for neighbours in range(most + 1):
                found = contexts(sentence.phonemes, voice, neighbours)
                for key, frames, piece in zip(found, durations, pieces, strict=True):
                    lengths.setdefault(key, []).append(frames)
                    for fifth, column in zip(fifths(frames), piece, strict=True):
                        columns.setdefault((key, fifth), []).append(column)
        self.lengths = {key: sum(row) / len(row) for key, row in lengths.items()}
        self.columns = {k: torch.stack(row).mean(dim=0) for k, row in columns.items()}

    def options(self, phonemes: Tensor, voice: int) -> list[list[Context]]:
        """Return each phoneme's contexts, from the widest to the narrowest."""
        widths = range(self.most, -1, -1)
        rows = [contexts(phonemes, voice, neighbours) for neighbours in widths]
        return [list(row) for row in zip(*rows, strict=True)]

    def durations(self, phonemes: Tensor, voice: int) -> list[float]:
        """Return how many frames each phoneme lasts on average."""
        rows = self.options(phonemes, voice)
        return [next(self.lengths[k] for k in row if k in self.lengths) for row in rows]

    def paint(self, phonemes: Tensor, voice: int, durations: Sequence[int]) -> Tensor:
        """Return the mean columns of phonemes that last so many frames."""
        rows = self.options(phonemes, voice)
        return torch.stack(
            [
                next(
                    self.columns[key, near]
                    for key in row
                    for near in (fifth, fifth - 1, fifth + 1, 0)
                    if (key, near) in self.columns
                )
                for row, frames in zip(rows, durations, strict=True)
                for fifth in fifths(frames)
            ]
        ).T


def tables() -> None:
    """Let the recognizer read averages that know the neighbours of a phoneme."""
    chosen, rows = recipe("caption-voice"), []
    config, count = chosen.config, len(chosen.speakers)
    sentences = [align(one, SYMBOLS, config.mel) for one in chosen.utterances]
    said = draw_sentences(READ, READ_SEED, held_out=True)
    turns = [place % count for place in range(READ)]
    real = speak(said, [Voice("en-us", chosen.speakers[turn]) for turn in turns])
    aligned = [align(one, SYMBOLS, config.mel) for one in real]
    lexicon = Lexicon.from_utterances(chosen.utterances)
    number = {symbol: k for k, symbol in enumerate(SYMBOLS)}
    for neighbours in (0, 1, 2):
        voices = [place % count for place in range(len(sentences))]
        table = NeighbourTables(sentences, voices, neighbours)
        waves, frames_off, distances = [], [], []
        for place, (text, turn, one) in enumerate(
            zip(said, turns, aligned, strict=True)
        ):
            labels = torch.tensor([number[p] for p in lexicon.phonemes(text)])
            lasting = [max(1, round(x)) for x in table.durations(labels, turn)]
            columns = table.paint(labels, turn, lasting)
            generator = torch.Generator().manual_seed(place)
            waves.append(mel_to_wave(columns, config=config.mel, generator=generator))
            expected = torch.tensor(table.durations(one.phonemes, turn))
            frames_off.append((expected - one.durations).abs())
            columns = table.paint(one.phonemes, turn, one.durations.tolist())
            distances.append((columns - one.log_mels).abs().mean(dim=0))
        transcripts = load("spoken-captions").transcribe(waves)
        rows.append(
            {
                "neighbours": neighbours,
                "word_error_rate": round(word_error_rate(said, transcripts), 4),
                "frames_off": round(torch.cat(frames_off).mean().item(), 3),
                "log_mel_distance": round(torch.cat(distances).mean().item(), 3),
            }
        )
    keep("tables", "rows", rows)


def voice(seed: int) -> None:
    """Train the synthesizer and let the recognizer read what it says."""
    chosen = recipe("caption-voice")
    config, count = chosen.config, len(chosen.speakers)
    sentences = [align(one, SYMBOLS, config.mel) for one in chosen.utterances]
    voices = [place % count for place in range(len(sentences))]
    model = SpeechSynthesizer(config, seed)
    start = time.process_time()
    fit(
        model,
        AlignedBatches(sentences, voices, chosen.batch_size, seed),
        synthesis_loss,
        build_optimizer(model, chosen.optimizer),
        steps=VOICE_STEPS,
        schedule=warmup_linear(VOICE_STEPS, warmup_steps=20),
        progress=False,
    )
    seconds = time.process_time() - start
    speaker = TextToSpeech(
        model, Lexicon.from_utterances(chosen.utterances), SYMBOLS, chosen.speakers
    )
    said = draw_sentences(READ, READ_SEED, held_out=True)
    turns = [place % count for place in range(READ)]
    real = speak(said, [Voice("en-us", chosen.speakers[turn]) for turn in turns])
    aligned = [align(one, SYMBOLS, config.mel) for one in real]
    mean_frames, mean_mels = averages(sentences, voices, config)
    waves: dict[str, list[Tensor]] = {
        "original": [one.wave for one in real],
        "original through Griffin-Lim": [],
        "averages": [],
        "synthesizer": [],
    }
    frame_errors: dict[str, list[Tensor]] = {"averages": [], "synthesizer": []}
    mel_errors: dict[str, list[Tensor]] = {"averages": [], "synthesizer": []}
    for place, (text, turn, one) in enumerate(zip(said, turns, aligned, strict=True)):
        generator = torch.Generator().manual_seed(place)
        rendered = partial(mel_to_wave, config=config.mel, generator=generator)
        waves["original through Griffin-Lim"].append(rendered(one.log_mels))
        number = {symbol: k for k, symbol in enumerate(SYMBOLS)}
        labels = torch.tensor([number[p] for p in speaker.lexicon.phonemes(text)])
        lasting = mean_frames[turn, labels].round().long()
        static = mean_mels[turn, labels.repeat_interleave(lasting)].T
        waves["averages"].append(rendered(static))
        mixture = [float(k == turn) for k in range(count)]
        waves["synthesizer"].append(speaker.say(text, mixture, generator))
        with torch.no_grad():
            logs, painted = model(
                one.phonemes[None],
                torch.tensor([len(one.phonemes)]),
                one.durations[None],
                torch.tensor([turn]),
            )
        frame_errors["synthesizer"].append((logs[0].exp() - one.durations).abs())
        mel_errors["synthesizer"].append((painted[0] - one.log_mels).abs().mean(dim=0))
        expected = mean_frames[turn, one.phonemes]
        frame_errors["averages"].append((expected - one.durations).abs())
        expected = mean_mels[turn, one.phonemes.repeat_interleave(one.durations)].T
        mel_errors["averages"].append((expected - one.log_mels).abs().mean(dim=0))
    recognizer = load("spoken-captions")
    measured = {
        "word_error_rate": {
            name: round(word_error_rate(said, recognizer.transcribe(spoken)), 4)
            for name, spoken in waves.items()
        },
        "frames_off": {
            name: round(torch.cat(errors).mean().item(), 3)
            for name, errors in frame_errors.items()
        },
        "log_mel_distance": {
            name: round(torch.cat(errors).mean().item(), 3)
            for name, errors in mel_errors.items()
        },
        "sentences": READ,
        "seconds": round(seconds, 1),
    }
    keep("voice", str(seed), measured)


def main() -> None:
    """Run one part for one seed."""
    parser = script_parser(__doc__)
    parser.add_argument(
        "--part",
        choices=("live", "noise", "published", "loop", "voice", "tables"),
        required=True,
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    without_a_seed = {"published": published, "tables": tables}
    if arguments.part in without_a_seed:
        without_a_seed[arguments.part]()
    else:
        parts = {"live": live, "noise": noise, "loop": loop, "voice": voice}
        parts[arguments.part](arguments.seed)


if __name__ == "__main__":
    main()
