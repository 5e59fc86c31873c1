"""The cost of attention over space and time, in multiplications."""

from dataclasses import dataclass


def joint_multiplications(frames: int, places: int, width: int) -> int:
    """Return the number of multiplications of full attention over all tokens of a clip,
    for the scores and for the weighted sums of the values.

    The four linear layers of an attention layer cost the same in both kinds of
    attention and are not counted.

    Args:
        places: The number of positions in a frame, N.
        width: The number of features of a token, over all heads, d.

    Returns:
        2 (F N)² d.

    >>> joint_multiplications(frames=2, places=3, width=1)
    72
    """
    return 2 * (frames * places) ** 2 * width


def factorized_multiplications(frames: int, places: int, width: int) -> int:
    """Return the number of multiplications of attention within each frame, followed by
    attention over time at each position; arguments as in `joint_multiplications`.

    Returns:
        2 F N² d + 2 N F² d.

    >>> factorized_multiplications(frames=2, places=3, width=1)
    60
    """
    return 2 * frames * places * (places + frames) * width


@dataclass(frozen=True)
class VideoSize:
    """The size of a film, and the settings that turn it into tokens.

    Attributes:
        time_compression: The number of frames per frame of latents.
        space_compression: The number of pixels per latent along each side.
        patch_size: The number of latents per token along each side.
    """

    seconds: float | int
    frames_per_second: int
    height: int
    width: int
    time_compression: int = 1
    space_compression: int = 8
    patch_size: int = 2

    @property
    def frames(self) -> int:
        """The number of frames of latents."""
        return int(self.seconds * self.frames_per_second) // self.time_compression

    @property
    def places(self) -> int:
        """The number of tokens per frame of latents.

        >>> VideoSize(2, 8, height=256, width=256).places
        256
        """
        side = self.space_compression * self.patch_size
        return (self.height // side) * (self.width // side)

    @property
    def tokens(self) -> int:
        """The number of tokens of the film."""
        return self.frames * self.places
