import pytest
import torch

from genai_tutorial.audio import MelConfig, whisper_features
from genai_tutorial.data import Voice, speak, speakers
from genai_tutorial.tasks.shapes import parse_caption
from genai_tutorial.tasks.speech import (
    DIGITS,
    MELS,
    SPEECH_WORDS,
    AlignedBatches,
    Recordings,
    SpeechBatches,
    align,
    draw_non_speech,
    draw_sentences,
    draw_utterances,
    draw_voices,
    encode_transcripts,
    is_caption,
    load_recordings,
    pad_aligned,
    record_non_speech,
)
from genai_tutorial.tasks.speech.recordings import (
    HELD_OUT_SPEAKERS,
    SPEAKERS,
    is_held_out,
)

GRID = MelConfig(rate=16_000, window=512, hop=256, mels=20)


@pytest.fixture
def fake():
    """Recordings of 1 to 9 frames, each filled with its number of frames."""
    return Recordings(
        tuple("red " * (n // 3) for n in range(1, 10)),
        tuple(torch.full((4, n), float(n)) for n in range(1, 10)),
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path))
    pytest.importorskip("espeakng_loader")
    return tmp_path


@pytest.mark.slow
def test_recordings_are_the_spectrograms_of_the_utterances_and_are_cached(cache):
    recordings = load_recordings(3, seed=5, held_out_voices=True)
    utterances = draw_utterances(3, seed=5, held_out_voices=True)
    assert recordings.sentences == tuple(one.text for one in utterances)
    for features, one in zip(recordings.features, utterances, strict=True):
        assert torch.equal(features, whisper_features(one.wave, MELS).half())
    (file,) = cache.iterdir()
    saved = file.stat().st_mtime_ns
    again = load_recordings(3, seed=5, held_out_voices=True)
    assert torch.equal(again.features[2], recordings.features[2])
    assert file.stat().st_mtime_ns == saved
    load_recordings(3, seed=5)
    assert len(list(cache.iterdir())) == 2


def test_transcripts_are_labels_padded_with_the_blank():
    rows, lengths = encode_transcripts(["", "a a", "zero"])
    assert rows.tolist() == [[0, 0], [1, 1], [37, 0]]
    assert lengths.tolist() == [0, 2, 1]


def test_batches_hold_neighbours_in_length(fake):
    for features, lengths, _, counts in (
        next(SpeechBatches(fake, 3, seed)) for seed in range(20)
    ):
        assert lengths.tolist() == list(range(int(lengths[0]), int(lengths[0]) + 3))
        assert torch.equal(features[:, 0].amax(dim=1).long(), lengths)
        assert torch.equal(features[:, 0].sum(dim=1).long(), lengths**2)  # 0 is padding
        assert torch.equal(counts, lengths // 3)


def test_batches_resume_and_are_shared_by_processes(fake):
    batches = SpeechBatches(fake, 4, seed=1)
    next(batches)
    state = batches.state_dict()
    wanted = [next(batches)[1].tolist() for _ in range(3)]
    resumed = SpeechBatches(fake, 4, seed=9)
    resumed.load_state_dict(state)
    assert [next(resumed)[1].tolist() for _ in range(3)] == wanted
    parts = [next(SpeechBatches(fake, 4, 1, rank=r, world_size=2))[1] for r in (0, 1)]
    whole = next(SpeechBatches(fake, 4, 1))[1]
    assert sorted(torch.cat(parts).tolist()) == whole.tolist()


@pytest.mark.parametrize(("size", "world"), [(0, 1), (10, 1), (3, 2)])
def test_batches_of_impossible_size_are_refused(fake, size, world):
    with pytest.raises(ValueError, match="batch_size must be"):
        SpeechBatches(fake, size, 0, world_size=world)


def test_sounds_without_words_have_empty_transcripts():
    pytest.importorskip("espeakng_loader")
    recordings = record_non_speech(5, seed=0)
    assert recordings.sentences == ("",) * 5
    assert all(one.shape[0] == MELS for one in recordings.features)


def test_durations_of_an_aligned_sentence_add_up_to_its_frames():
    pytest.importorskip("espeakng_loader")
    (one,) = speak(["a red circle"], [Voice()])
    symbols = ("_", *sorted({phoneme.label for phoneme in one.phonemes}))
    aligned = align(one, symbols, GRID)
    assert int(aligned.durations.sum()) == aligned.log_mels.shape[1]
    assert len(aligned.phonemes) == len(one.phonemes) + 2
    assert aligned.phonemes[[0, -1]].tolist() == [0, 0]
    # phoneme k lasts as long as the synthesizer says, to within a frame
    seconds = torch.tensor([p.end - p.start for p in one.phonemes])
    frames = aligned.durations[1:-1] / GRID.frames_per_second
    assert (seconds - frames).abs().max() <= 1 / GRID.frames_per_second


def test_aligned_batches_keep_each_sentence_with_its_voice():
    pytest.importorskip("espeakng_loader")
    texts = ["one", "one two three", "one two", "one two three four"]
    utterances = speak(texts, [Voice()] * 4)
    symbols = ("_", *sorted({p.label for one in utterances for p in one.phonemes}))
    aligned = [align(one, symbols, GRID) for one in utterances]
    phonemes, counts, durations, voices, log_mels = next(
        AlignedBatches(aligned, [0, 1, 2, 3], 4, seed=0)
    )
    assert voices.tolist() == [0, 2, 1, 3]
    assert torch.equal(durations.sum(dim=1).max(), torch.tensor(log_mels.shape[2]))
    assert phonemes.shape == (4, int(counts.max()))
    lone = pad_aligned([aligned[2]], [2])
    assert torch.equal(lone[4][0], log_mels[1, :, : lone[4].shape[2]])


def test_sentences_are_captions_and_digits_of_the_vocabulary():
    sentences = draw_sentences(300, seed=1)
    assert {word for text in sentences for word in text.split()} == set(SPEECH_WORDS)
    captions = [text for text in sentences if is_caption(text)]
    assert 0.7 < len(captions) / 300 < 0.9
    for text in captions:
        parse_caption(text)
    digits = [text.split() for text in sentences if not is_caption(text)]
    assert all(2 <= len(words) <= 6 and set(words) <= set(DIGITS) for words in digits)


@pytest.mark.slow
def test_no_sentence_is_in_both_splits():
    train, test = (set(draw_sentences(400, seed=2, held_out=h)) for h in (False, True))
    assert not train & test
    assert all(map(is_held_out, test))
    assert not any(map(is_held_out, train))


@pytest.mark.parametrize("draw", [draw_sentences, draw_voices])
def test_longer_draws_begin_with_shorter_ones(draw):
    assert draw(100, seed=3)[:30] == draw(30, seed=3) != draw(30, seed=4)


def test_speakers_of_tests_are_never_heard_in_training():
    train, test = (
        {voice.variant for voice in draw_voices(600, seed=0, held_out=held_out)}
        for held_out in (False, True)
    )
    assert test == set(HELD_OUT_SPEAKERS)
    assert train == set(SPEAKERS) - test


def test_all_speakers_exist():
    pytest.importorskip("espeakng_loader")
    assert set(SPEAKERS) <= set(speakers())
    assert len(set(SPEAKERS)) == len(SPEAKERS) == 65


QUIET = ["silence", "white noise", "brown noise", "tone", "chirp", "clicks"]


def crossings(wave: torch.Tensor) -> float:
    signs = wave.sign()
    return (signs[1:] != signs[:-1]).float().mean().item()


def test_kinds_come_in_turn_and_differ_in_what_they_sound_like():
    silence, white, brown, tone = draw_non_speech(4, 0, QUIET[:4])
    assert silence.abs().max() == 0
    assert crossings(white) == pytest.approx(0.5, abs=0.02)
    assert crossings(brown) < 0.1
    spectrum = torch.fft.rfft(tone).abs()
    assert spectrum.topk(20).values.square().sum() > 0.9 * spectrum.square().sum()


def test_sounds_last_one_to_four_seconds_and_are_not_too_loud():
    for wave in draw_non_speech(30, 1, QUIET):
        assert 16_000 <= len(wave) <= 64_000
        assert wave.isfinite().all()
        assert wave.abs().max() <= 2


def test_sounds_are_those_of_the_seed():
    a, b, c = (draw_non_speech(6, seed, QUIET) for seed in (2, 2, 3))
    assert all(torch.equal(one, two) for one, two in zip(a, b, strict=True))
    assert any(len(one) != len(two) for one, two in zip(a, c, strict=True))


def test_speech_is_played_backwards():
    pytest.importorskip("espeakng_loader")
    (wave,) = draw_non_speech(1, 4, ["backwards"], held_out=True)
    (said,) = speak(draw_sentences(1, 4, True), draw_voices(1, 4, True))
    assert torch.equal(wave, said.wave.flip(0))
