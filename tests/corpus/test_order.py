"""Mixture and order of batches: resumable at any step, split over processes."""

import json
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.corpus import (
    DataMixture,
    Decontaminator,
    PackedBatches,
    deduplicate,
    filter_documents,
    held_out_grams,
    normalize,
    passes,
    write_shards,
)
from genai_tutorial.tokenization import train_bpe
from tests.corpus.test_cleaning import BAD, PROSE

LENGTH = 4


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Return two sources of 25 and 10 rows, in which no token occurs twice."""

    def line(name, first, count):
        tokens = range(first, first + count * LENGTH)
        sizes = {"vocab_size": 1000, "shard_length": 17}
        folder = tmp_path_factory.mktemp(name)
        return write_shards(folder, [tokens], end_of_document=0, **sizes)

    return {"large": line("large", 100, 25), "small": line("small", 500, 10)}


def _batches(sources, **changes):
    settings = {"row_length": LENGTH, "batch_size": 6, "seed": 3} | changes
    return PackedBatches(sources, **settings)


def _rows(batches, count):
    return torch.cat([next(batches)[0] for _ in range(count)])[:, 0].tolist()


@given(
    st.dictionaries(st.text(min_size=1), st.integers(1, 1000), min_size=1, max_size=6)
)
@settings(max_examples=40)
def test_data_mixture_is_balanced_at_every_point(weights):
    mixture, total = DataMixture(weights), sum(weights.values())
    for place in range(1, 100):
        next(mixture)
        ahead = {
            name: taken - place * weights[name] / total
            for name, taken in mixture.taken.items()
        }
        assert sum(mixture.taken.values()) == place
        assert max(ahead.values()) < 1
        assert min(ahead.values()) > -(len(weights) - 1) or len(weights) == 1


def test_passes_count_repetitions_of_each_source(sources):
    batches = _batches(sources, weights={"large": 1, "small": 1})
    starts = Counter(_rows(batches, 25))  # 150 rows
    large, small = (
        [count for start, count in starts.items() if low <= start < low + 400]
        for low in (100, 500)
    )
    sizes = {"large": 25 * LENGTH, "small": 10 * LENGTH}
    expected = passes({"large": 1, "small": 1}, sizes, 150 * LENGTH)
    assert sum(large) / 25 == expected["large"] == 3
    assert sum(small) / 10 == expected["small"] == 7.5
    # every row is read once before any is repeated
    assert (set(large), set(small)) == ({3}, {7, 8})


def test_packed_batches_reshuffle_each_pass(sources):
    """A pass reads every row once, and the next one reads them in another order."""
    alone = _batches({"large": sources["large"]}, batch_size=5)
    first, second = _rows(alone, 5), _rows(alone, 5)
    assert sorted(first) == sorted(second) == list(range(100, 200, LENGTH))
    assert first != second
    assert first != sorted(first)


def test_packed_batches_targets_are_shifted_inputs(sources):
    inputs, targets = next(_batches(sources))
    assert inputs.shape == targets.shape == (6, LENGTH)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    last = (inputs == 199) | (inputs == 539)
    assert torch.equal(torch.where(last, 0, inputs + 1), targets)


def test_packed_batches_default_weights_are_sizes(sources):
    batches = _batches(sources, batch_size=7)
    next(batches)
    assert batches.state_dict()["taken"] == {"large": 5, "small": 2}


def test_packed_batches_resume_from_any_step(sources):
    straight = _batches(sources)
    states, expected = [], []
    for _ in range(20):
        # the state must survive JSON
        states.append(json.loads(json.dumps(straight.state_dict())))
        expected.append(next(straight)[0])
    for step, state in enumerate(states):
        resumed = _batches(sources)
        resumed.load_state_dict(state)
        assert all(
            torch.equal(next(resumed)[0], inputs)
            for inputs in expected[step : step + 3]
        )


@pytest.mark.parametrize("world_size", [2, 3])
def test_packed_batches_ranks_partition_the_batch(sources, world_size):
    joint = _batches(sources)
    shares = [
        _batches(sources, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    for _ in range(8):
        parts = [next(share)[0] for share in shares]
        assert torch.equal(torch.stack(parts, dim=1).flatten(0, 1), next(joint)[0])
    states = [share.state_dict() for share in shares]
    # any number of processes can resume from it
    assert states == [joint.state_dict()] * world_size


def test_packed_batches_seed_determines_order(sources):
    first, again, other = (_rows(_batches(sources, seed=seed), 2) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row_length": 0}, "must be at least 1; got 0, 6"),
        ({"row_length": 50}, r"A row needs 50 tokens .*; \['small'\] have fewer"),
        ({"weights": {"large": 1}}, r"the sources \['large', 'small'\], got \['large'"),
        ({"weights": {"large": 1, "small": 0}}, "needs a weight above 0"),
        ({"rank": 2, "world_size": 2}, "rank must be below world_size"),
        ({"world_size": 4}, "batch_size a multiple of it"),
    ],
)
def test_packed_batches_arguments_are_validated(sources, changes, message):
    with pytest.raises(ValueError, match=message):
        _batches(sources, **changes)


def test_packed_batches_reject_the_state_of_another_run(sources):
    state = _batches(sources).state_dict()
    with pytest.raises(ValueError, match=r"'seed': 3.*'seed': 4"):
        _batches(sources, seed=4).load_state_dict(state)
    with pytest.raises(ValueError, match="The state is of the sources"):
        DataMixture({"large": 1}).load_state_dict(state)


def test_pipeline_from_raw_text_to_batches(tmp_path):
    """Of thirteen documents, each that is removed has a reason."""
    held_out = (
        "It was on the ninth of May that the last of the lamps went out, and nobody "
        "came to light them again."
    )
    leaking = f"{'Nothing of the kind is to be found in that book. ' * 12}{held_out}"
    raw = [*BAD.values(), PROSE.replace(" ", "\u00a0"), f"{PROSE} ", leaking]
    texts = [normalize(text) for text in raw]
    texts = [texts[place] for place in filter_documents(texts).kept]
    assert len(texts) == 3
    texts = [texts[place] for place in deduplicate(texts).kept]
    guard = Decontaminator(held_out_grams([held_out]))
    texts = [piece for text in texts for piece in guard.clean(text)]
    assert texts == [PROSE, leaking[: -len(held_out) - 200]]
    tokenizer = train_bpe(texts, 300, special_tokens=["<|end|>"])
    shards = write_shards(
        tmp_path, map(tokenizer.encode, texts), vocab_size=300, end_of_document=0
    )
    whole = "".join(f"{text}<|end|>" for text in texts)
    assert tokenizer.decode(shards.read(0, len(shards)).tolist()) == whole
    inputs, _ = next(PackedBatches({"texts": shards}, 16, 2, seed=0))
    assert all(tokenizer.decode(row.tolist()) in whole for row in inputs)
