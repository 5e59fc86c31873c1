"""How much attention over space and time costs: multiplications, by formula."""

from dataclasses import dataclass


def joint_multiplications(frames: int, places: int, width: int) -> int:
    """Return the multiplications of joint attention over all tokens of a clip, for the
    scores and for the weighted sums of the values.

    The four linear layers before and after cost the same in both kinds of attention and
    are not counted.

    Args:
        frames: The number of frames, F.
        places: The number of places of a frame, N.
        width: The number of features of a token, in all heads together, d.

    Returns:
        2 (F N)² d.

    >>> joint_multiplications(frames=2, places=3, width=1)
    72
    """
    return 2 * (frames * places) ** 2 * width


def factorized_multiplications(frames: int, places: int, width: int) -> int:
    """Return the multiplications of attention within each frame, followed by attention
    between the frames at each place; arguments as in `joint_multiplications`.

    Returns:
        2 F N² d + 2 N F² d.

    >>> factorized_multiplications(frames=2, places=3, width=1)
    60
    """
    return 2 * frames * places * (places + frames) * width


@dataclass(frozen=True)
class VideoSize:
    """The size of a film, and how it is turned into tokens.

    Attributes:
        seconds: The duration.
        frames_per_second: The number of frames per second.
        height: The height in pixels.
        width: The width in pixels.
        time_compression: The number of frames per frame of latents.
        space_compression: The number of pixels per latent, along each side.
        patch_size: The side of the patches of latents that become a token.
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
