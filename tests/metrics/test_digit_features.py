import pytest
import torch

from genai_tutorial import recipes
from genai_tutorial.data import load_mnist_split
from genai_tutorial.metrics import (
    DigitClassifier,
    ball_radii,
    expected_calibration_error,
    frechet_distance,
    in_balls,
    precision_recall,
    read_digits,
)


@pytest.fixture(scope="module")
def classifier():
    return recipes.load("digit-classifier")


@pytest.fixture(scope="module")
def held_out():
    return load_mnist_split()[1]


def test_digit_classifier_generalizes(classifier, held_out):
    reading = read_digits(classifier, held_out.images)
    right = reading.labels == held_out.labels
    assert right.double().mean() > 0.985
    for digit in range(10):
        assert right[held_out.labels == digit].double().mean() > 0.95
    assert expected_calibration_error(reading.confidences, right) < 0.02
    # Those that it gets wrong are those that it is less sure of.
    assert reading.confidences[~right].mean() < reading.confidences[right].mean() - 0.1


def test_read_digits_agrees_with_the_classifier(classifier, held_out):
    images = held_out.images[::100]
    whole = read_digits(classifier, images)
    torch.testing.assert_close(whole.features, classifier.features(images))
    with torch.no_grad():
        probabilities = classifier(images).softmax(dim=1)
    torch.testing.assert_close(probabilities.max(dim=1).values, whole.confidences)
    assert torch.equal(probabilities.argmax(dim=1), whole.labels)


@pytest.mark.slow
def test_features_separate_noise_from_digits(classifier, held_out):
    real, more = (
        read_digits(classifier, held_out.images[start::2]).features for start in (0, 1)
    )
    noise = torch.rand(500, 28, 28, generator=torch.Generator().manual_seed(0))
    blurred = torch.nn.functional.avg_pool2d(
        held_out.images[1::2], 5, stride=1, padding=2
    )
    as_noise, as_blurs = (
        read_digits(classifier, images).features for images in (noise, blurred)
    )
    floor = frechet_distance(real, more)
    assert floor < frechet_distance(real, as_blurs) < frechet_distance(real, as_noise)
    assert precision_recall(real, more).recall > 0.8
    assert precision_recall(real, as_noise).recall < 0.05


def test_precision_of_noise_comes_from_the_balls_of_outliers(classifier, held_out):
    real = read_digits(classifier, held_out.images[::2]).features
    noise = read_digits(
        classifier, torch.rand(500, 28, 28, generator=torch.Generator().manual_seed(0))
    ).features
    radii = ball_radii(real, k=3)
    usual = radii <= radii.quantile(0.8)
    assert in_balls(noise, real, radii).double().mean() > 0.5
    assert in_balls(noise, real[usual], radii[usual]).double().mean() < 0.1


def test_digit_classifier_initial_weights_depend_on_the_seed_only():
    torch.manual_seed(1)
    first, again, other = (
        DigitClassifier(seed=seed).body[0].weight for seed in (3, 3, 4)
    )
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # and leave torch's own generator where it was
    assert torch.equal(torch.rand(1), drawn)


def test_read_digits_invalid_arguments_raise(classifier):
    with pytest.raises(ValueError, match="is in training mode"):
        read_digits(DigitClassifier(), torch.zeros(1, 28, 28))
    with pytest.raises(ValueError, match="at least one image"):
        read_digits(classifier, torch.zeros(0, 28, 28))
