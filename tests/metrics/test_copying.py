"""The copy test, and copied stretches of text against trying all."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from genai_tutorial.data import load_mnist_split
from genai_tutorial.density import fit_ppca
from genai_tutorial.metrics import SuffixArray, copy_test
from genai_tutorial.metrics.copying import _bootstrap_shares, _permutation_p_value
from tests.drawn import seeded

TRAIN, HELD_OUT = (split.images for split in load_mnist_split())


def add_noise(images: torch.Tensor) -> torch.Tensor:
    return images + 0.1 * torch.randn(images.shape, generator=seeded())


def blur(images: torch.Tensor) -> torch.Tensor:
    return avg_pool2d(images[:, None], 3, stride=1, padding=1)[:, 0]


def reconstruct(images: torch.Tensor) -> torch.Tensor:
    model = fit_ppca(TRAIN.flatten(1), latent=60)
    return model.decode(model.encode(images.flatten(1))).view_as(images).float()


DISTORTIONS = {
    "nothing": lambda images: images,
    "noise": add_noise,
    "blur": blur,
    "shift": lambda images: images.roll(1, dims=2),
    "contrast": lambda images: 0.7 * images,
    "reconstruction": reconstruct,
}

LOWEST_EXCESS = {
    "nothing": 0.99,
    "noise": 0.95,
    "blur": 0.95,
    "shift": 0.2,
    "contrast": 0.95,
    "reconstruction": 0.95,
}


def shuffled_halves(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The 1,000 held-out digits: 500 to use as an honest model's samples, and 500 to
    hold out.
    """
    return HELD_OUT[torch.randperm(1000, generator=seeded(seed))].split(500)


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTORTIONS)
def test_copy_test_finds_distorted_training_images(name):
    """Training images are found after each distortion, with nearly all of the excess;
    after a shift by one pixel, with about half of it.
    """
    result = copy_test(DISTORTIONS[name](TRAIN[::8]), TRAIN, HELD_OUT)
    assert result.excess > LOWEST_EXCESS[name]
    assert result.interval.low > LOWEST_EXCESS[name] - 0.1
    assert result.p_value < 0.001


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTORTIONS)
def test_copy_test_does_not_take_distortion_for_copying(name):
    """The same distortions of digits that nothing was trained on are no copies."""
    samples, held_out = shuffled_halves(seed=0)
    result = copy_test(DISTORTIONS[name](samples), TRAIN, held_out)
    assert 0 in result.interval
    assert result.p_value > 0.025


def test_copy_test_of_held_out_images_themselves_has_negative_excess():
    """Samples that copy the held-out images have the smallest possible share."""
    result = copy_test(HELD_OUT[:100], TRAIN, HELD_OUT)
    assert result.nearer_to_train == 0
    assert result.excess == pytest.approx(-4)
    assert result.p_value == 1
    assert (result.ratios > 1).all()


@pytest.mark.slow
def test_copy_test_p_values_of_honest_samples_are_uniform():
    """Points that know nothing of a random split: over 300 splits, p values spread
    evenly, and the interval of the excess holds 0 about 95 times in 100.
    """
    p_values, covered = [], 0
    for seed in range(300):
        points = torch.randn(700, 3, generator=seeded(seed))
        samples, train, held_out = points.split([200, 400, 100])
        result = copy_test(samples, train, held_out, seed=seed)
        p_values.append(result.p_value)
        covered += 0 in result.interval
    # 0.078 is the 5% limit of a Kolmogorov-Smirnov test with 300 values.
    ordered = np.sort(p_values)
    assert np.abs(ordered - (np.arange(300) + 0.5) / 300).max() < 0.078
    assert 0.91 <= covered / 300 <= 0.98


@pytest.mark.slow
def test_copy_test_detects_one_copy_among_ten_samples():
    """300 blurred copies among 3,000 samples of an honest model."""
    detected = 0
    for seed in range(10):
        pool = torch.randn(6000, 6, generator=seeded(seed))
        honest, train, held_out = pool.split([2700, 2000, 1300])
        noise = 0.1 * torch.randn(300, 6, generator=seeded(seed + 100))
        samples = torch.cat([train[:300] + noise, honest])
        result = copy_test(samples, train, held_out, seed=seed)
        detected += result.p_value < 0.05
        assert abs(result.excess - 0.1) < 0.1
    assert detected >= 8


def test_copy_test_interval_is_wider_where_samples_share_a_nearest_image():
    """100 samples with one nearest image are the evidence of one sample."""
    points = torch.randn(400, 3, generator=seeded())
    samples, train, held_out = points.split([100, 200, 100])
    alone = copy_test(samples, train, held_out)
    repeated = copy_test(samples.repeat(50, 1), train, held_out)
    assert repeated.excess == pytest.approx(alone.excess)
    assert repeated.p_value == pytest.approx(alone.p_value, abs=0.03)
    assert repeated.interval.low == pytest.approx(alone.interval.low, abs=0.05)
    assert repeated.interval.high == pytest.approx(alone.interval.high, abs=0.05)


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_permutation_p_value_agrees_with_all_splits(n_train, n_held_out, seed):
    """Against the enumeration of every split of a small pool."""
    numbers = np.random.default_rng(seed)
    hits = numbers.integers(0, 4, n_train + n_held_out)
    hits[0] += 1
    found = int(hits[:n_train].sum())
    totals = [
        hits[list(part)].sum() for part in combinations(range(len(hits)), n_train)
    ]
    expected = np.mean(np.array(totals) >= found)
    estimated = _permutation_p_value(
        hits[hits > 0], found, n_train, n_held_out, np.random.default_rng(0)
    )
    assert estimated == pytest.approx(expected, abs=0.02)


def test_bootstrap_shares_agree_with_resampling_one_by_one():
    """The multinomial shortcut has the mean and spread of a bootstrap by hand."""
    hits = np.array([1, 1, 1, 1, 2, 2, 3, 5, 8, 1])
    is_train = np.array([1, 1, 0, 1, 1, 0, 1, 0, 1, 0], dtype=bool)
    quick = _bootstrap_shares(hits, is_train, np.random.default_rng(0))
    drawn = np.random.default_rng(1).integers(0, 10, (10_000, 10))
    slow = (hits * is_train)[drawn].sum(1) / hits[drawn].sum(1)
    assert quick.mean() == pytest.approx(slow.mean(), abs=0.01)
    assert quick.std() == pytest.approx(slow.std(), rel=0.05)


def test_copy_test_breaks_ties_without_regard_to_the_split():
    """Twins on both sides of the split: either may count as nearest."""
    twins = torch.randn(400, 3, generator=seeded())
    result = copy_test(twins, twins, twins)
    assert result.expected == 0.5
    assert 0.4 < result.nearer_to_train < 0.6
    assert result.p_value > 0.01


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_copy_test_fields_agree_with_the_distances(n, n_train, n_held_out, seed):
    """Shares, indices and distances are those of a direct calculation."""
    points = torch.rand(n + n_train + n_held_out, 2, 3, generator=seeded(seed))
    samples, train, held_out = points.split([n, n_train, n_held_out])
    result = copy_test(samples, train, held_out, seed=seed)
    to_train = torch.cdist(samples.flatten(1).double(), train.flatten(1).double())
    to_held_out = torch.cdist(samples.flatten(1).double(), held_out.flatten(1).double())
    assert result.nearest.tolist() == to_train.argmin(1).tolist()
    assert result.nearest_held_out.tolist() == to_held_out.argmin(1).tolist()
    is_nearer = to_train.amin(1) < to_held_out.amin(1)
    assert result.nearer_to_train == pytest.approx(is_nearer.double().mean().item())
    assert result.expected == n_train / (n_train + n_held_out)
    assert 0 < result.p_value <= 1
    assert result.interval.low <= result.interval.high <= 1
    assert result.excess <= 1
    ratios = (to_train.amin(1) / to_held_out.amin(1)).numpy()
    np.testing.assert_allclose(result.ratios.numpy(), ratios, rtol=1e-5)
    suspicious = result.most_suspicious(n)
    assert (result.ratios[suspicious].diff() >= 0).all()


def test_copy_test_most_suspicious_are_the_copies():
    """Three paler copies among a hundred samples have the smallest ratios."""
    samples, held_out = shuffled_halves(seed=1)
    samples = torch.cat([samples[:97], 0.9 * TRAIN[[0, 1500, 3000]]])
    result = copy_test(samples, TRAIN, held_out)
    suspicious = result.most_suspicious(3)
    assert sorted(suspicious.tolist()) == [97, 98, 99]
    assert sorted(result.nearest[suspicious].tolist()) == [0, 1500, 3000]
    with pytest.raises(ValueError, match="from 1 to the number of samples, 100"):
        result.most_suspicious(101)


def test_copy_test_same_seed_gives_the_same_result():
    points = torch.randn(90, 3, generator=seeded())
    first, again = (copy_test(*points.split(30), seed=3) for _ in range(2))
    assert str(first) == str(again)
    assert "50.0% expected" in str(first)


@pytest.mark.parametrize("empty", ["samples", "train", "held_out"])
def test_copy_test_refuses_an_empty_set(empty):
    sets = {name: torch.rand(3, 2) for name in ("samples", "train", "held_out")}
    with pytest.raises(ValueError, match=f"{empty} must hold at least one image"):
        copy_test(**(sets | {empty: torch.rand(0, 2)}))


@pytest.mark.parametrize("broken", ["samples", "train", "held_out"])
def test_copy_test_refuses_values_that_are_not_finite(broken):
    sets = {name: torch.rand(3, 2) for name in ("samples", "train", "held_out")}
    sets[broken][1, 1] = float("nan")
    with pytest.raises(ValueError, match=f"{broken} must be finite"):
        copy_test(**sets)


def test_copy_test_refuses_different_shapes():
    """Without the shape checker of the tests, by its own sentence."""
    with pytest.raises(
        (ValueError, TypeError), match=r"they must be the same|Float\[Tensor"
    ):
        copy_test(torch.rand(3, 2), torch.rand(3, 2), torch.rand(3, 4))


texts = st.text("ab\n", min_size=1, max_size=30)


@given(texts)
def test_suffixes_are_sorted(corpus):
    order = SuffixArray(corpus).order.tolist()
    assert sorted(order) == list(range(len(corpus)))
    suffixes = [corpus[place:] for place in order]
    assert suffixes == sorted(suffixes)


@given(texts, st.text("ab\n", min_size=1, max_size=4))
def test_count_includes_overlaps(corpus, text):
    expected = sum(corpus.startswith(text, place) for place in range(len(corpus)))
    assert SuffixArray(corpus).count(text) == expected


@given(texts, texts)
def test_longest_run_equals_trying_all(corpus, text):
    stretches = [
        (start, text[start:end])
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if text[start:end] in corpus
    ]
    run = SuffixArray(corpus).longest_run(text)
    longest = max((len(stretch) for _, stretch in stretches), default=0)
    assert len(run) == longest
    if longest:
        assert corpus[run.place : run.place + longest] == run.text
        firsts = [start for start, stretch in stretches if len(stretch) == longest]
        assert (run.start, text[run.start : run.start + longest]) == (
            min(firsts),
            run.text,
        )


def test_other_alphabets_are_characters_like_any():
    array = SuffixArray("für Élise, für 🎵")
    assert array.count("für") == 2
    assert array.longest_run("a 🎵").text == " 🎵"


def test_suffix_array_rejects_empty_texts():
    with pytest.raises(ValueError, match="at least one character"):
        SuffixArray("")
    with pytest.raises(ValueError, match="occurs everywhere"):
        SuffixArray("a").count("")
