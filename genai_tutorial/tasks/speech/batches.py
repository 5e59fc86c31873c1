"""Batches of recordings of similar length, to keep the padding small."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .recordings import Recordings, encode_transcripts

SpeechBatch = tuple[
    Float[Tensor, "batch mel frame"],
    Int[Tensor, "batch"],
    Int[Tensor, "batch longest"],
    Int[Tensor, "batch"],
]
"""Spectrograms, their numbers of frames, transcripts and their numbers of labels."""


def pad_recordings(recordings: Recordings) -> SpeechBatch:
    """Return all recordings as one batch, padded at the end with zeros."""
    lengths = torch.tensor([one.shape[1] for one in recordings.features])
    features = torch.nn.utils.rnn.pad_sequence(
        [one.T.float() for one in recordings.features], batch_first=True
    )
    return features.mT, lengths, *encode_transcripts(recordings.sentences)


class SpeechBatches:
    """Endless batches of recordings of similar length: neighbours in the order of
    length.

    Args:
        batch_size: The number of recordings in a batch, over all processes.
        rank: The number of this process, from 0.
        world_size: The number of processes that share each batch.

    Raises:
        ValueError: If there are fewer recordings than `batch_size`, or the processes
            cannot share a batch evenly.
    """

    def __init__(
        self,
        recordings: Recordings,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
    ):
        if not 1 <= batch_size <= len(recordings) or batch_size % world_size:
            raise ValueError(
                f"batch_size must be a multiple of {world_size} (the processes) and at "
                f"most {len(recordings)} (the recordings), got {batch_size}."
            )
        by_length = sorted(
            range(len(recordings)),
            key=lambda place: recordings.features[place].shape[1],
        )
        self.recordings = recordings.choose(by_length)
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "SpeechBatches":
        return self

    def __next__(self) -> SpeechBatch:
        """Return the next batch."""
        starts = len(self.recordings) - self.batch_size + 1
        start = int(torch.randint(starts, (), generator=self._generator))
        places = range(start + self.rank, start + self.batch_size, self.world_size)
        return pad_recordings(self.recordings.choose(places))

    def state_dict(self) -> dict:
        """Return the state that determines all further batches."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._generator.set_state(state["generator"])
