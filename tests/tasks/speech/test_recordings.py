import pytest
import torch

from genai_tutorial.audio import MelConfig, whisper_features
from genai_tutorial.data import Voice, speak
from genai_tutorial.tasks.speech import (
    MELS,
    AlignedBatches,
    Recordings,
    SpeechBatches,
    align,
    draw_utterances,
    encode_transcripts,
    load_recordings,
    pad_aligned,
    record_non_speech,
)
from genai_tutorial.tasks.speech.batches import pad_recordings

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
    with pytest.raises(ValueError, match=r"not in the vocabulary: \['cat'\]"):
        encode_transcripts(["a cat"])


def test_batches_hold_neighbours_in_length(fake):
    for features, lengths, _, counts in (
        next(SpeechBatches(fake, 3, seed)) for seed in range(20)
    ):
        assert lengths.tolist() == list(range(int(lengths[0]), int(lengths[0]) + 3))
        assert torch.equal(features[:, 0].amax(dim=1).long(), lengths)
        assert torch.equal(counts, lengths // 3)


def test_batches_resume_and_are_shared_by_processes(fake):
    batches = SpeechBatches(fake, 4, seed=1)
    next(batches)
    state = batches.state_dict()
    wanted = [next(batches)[1].tolist() for _ in range(3)]
    resumed = SpeechBatches(fake, 4, seed=9)
    resumed.load_state_dict(state)
    assert [next(resumed)[1].tolist() for _ in range(3)] == wanted
    parts = [
        next(SpeechBatches(fake, 4, 1, rank=rank, world_size=2))[1] for rank in (0, 1)
    ]
    whole = next(SpeechBatches(fake, 4, 1))[1]
    assert sorted(torch.cat(parts).tolist()) == whole.tolist()


@pytest.mark.parametrize(("size", "world"), [(0, 1), (10, 1), (3, 2)])
def test_batches_of_impossible_size_are_refused(fake, size, world):
    with pytest.raises(ValueError, match="batch_size must be a multiple"):
        SpeechBatches(fake, size, 0, world_size=world)


def test_padding_is_silent(fake):
    features, lengths, _, _ = pad_recordings(fake.choose([0, 2]))
    assert lengths.tolist() == [1, 3]
    assert features[0].tolist() == [[1.0, 0.0, 0.0]] * 4


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
    with pytest.raises(ValueError, match="not among the symbols"):
        align(one, ("_",), GRID)
    with pytest.raises(ValueError, match="16000 samples a second, the grid 8000"):
        align(one, symbols, MelConfig(rate=8_000, window=256, hop=128, mels=20))


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
    with pytest.raises(ValueError, match="batch_size must be from 1 to 4"):
        AlignedBatches(aligned, [0], 2, seed=0)
