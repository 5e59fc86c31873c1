import itertools

import matplotlib
import numpy as np
import pytest

from genai_tutorial.notebook import COLORS
from genai_tutorial.notebook.figures import use_style

# Colour vision without red, green or blue cones, simulated as by Machado, Oliveira and
# Fernandes (2009), severity 1.
EYES = {
    "usual": np.eye(3),
    "protanopia": [
        [0.1523, 1.0526, -0.2049],
        [0.1145, 0.7863, 0.0992],
        [-0.0039, -0.0481, 1.0520],
    ],
    "deuteranopia": [
        [0.3673, 0.8607, -0.2280],
        [0.2801, 0.6725, 0.0474],
        [-0.0118, 0.0429, 0.9689],
    ],
    "tritanopia": [
        [1.2555, -0.0767, -0.1788],
        [-0.0784, 0.9308, 0.1476],
        [0.0047, 0.6914, 0.3039],
    ],
}


def linear(color: str) -> np.ndarray:
    channels = np.array(matplotlib.colors.to_rgb(color))
    return np.where(
        channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
    )


def lab(light: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(light, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", EYES)
def test_palette_colours_are_distinguishable(eyes: str):
    # A difference of 2 is just visible side by side; 15 is seen across a figure.
    for one, other in itertools.combinations(COLORS, 2):
        difference = np.linalg.norm(
            lab(EYES[eyes] @ linear(one)) - lab(EYES[eyes] @ linear(other))
        )
        assert difference > 15, f"{one} and {other} look alike with {eyes}"


def test_palette_first_five_contrast_with_white():
    for color in COLORS[:5]:
        luminance = linear(color) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 3, color


def test_style_sets_opaque_background_and_colour_cycle():
    with matplotlib.rc_context():
        use_style()
        assert [
            entry["color"] for entry in matplotlib.rcParams["axes.prop_cycle"]
        ] == list(COLORS)
        assert matplotlib.colors.to_rgba(matplotlib.rcParams["savefig.facecolor"]) == (
            1,
            1,
            1,
            1,
        )
