"""The schematics of chapter 8."""

import math
import random
from itertools import pairwise

from book.schematics.kit import Point, Schematic


def chain() -> Schematic:
    """Return the forward and the reverse process."""
    drawing = Schematic(
        "diffusion_chain",
        236,
        "The forward and the reverse process of diffusion",
        """Four clouds of points from left to right: two moons, blurred moons, an oval,
        round noise. Arrows to the right add noise and are fixed; thick arrows back to
        the left remove a little noise and use the trained network.""",
    )
    side, top = 112, 60
    names = ("x_{0}", "x_{100}", "x_{250}", "x_{1000}")
    notes = ("data", "", "", "pure noise")
    panels = []
    for index, (kept, name, note) in enumerate(
        zip((1, 0.895, 0.524, 0), names, notes, strict=True)
    ):
        x = 16 + index * (side + 66.5)
        panels.append(drawing.box("", x, top, side, side, "data"))
        cloud = [
            (x + side / 2 + 20 * a, top + side / 2 - 20 * b)
            for a, b in noisy_moons(kept)
            if max(abs(a), abs(b)) < 2.6
        ]
        drawing.points(cloud)
        drawing.text(name, x + side / 2, top + side + 19, "b")
        drawing.text(note, x + side / 2, top + side + 36, "s")
    for (first, second), steps in zip(pairwise(panels), (100, 150, 750), strict=True):
        (x, y), (end, _) = first.right, second.left
        drawing.arrow((x + 6, y - 18), (end - 6, y - 18))
        drawing.arrow((end - 6, y + 18), (x + 6, y + 18), kind="train")
        drawing.text(f"{steps} steps", (x + end) / 2, y + 4, "s")
    drawing.text(
        "forward process: each step adds a little noise (fixed)", 16, 24, "", "L"
    )
    drawing.arrow((346, 19), (664, 19))
    drawing.arrow((664, 226), (430, 226), kind="train")
    drawing.text(
        "reverse process: each step removes a little noise (learned)", 16, 231, "", "L"
    )
    return drawing


def noisy_moons(kept: float, count: int = 130) -> list[Point]:
    """Return points on two moons, of which this share of the variance is kept."""
    draw, points = random.Random(0), []
    for index in range(count):
        angle = math.pi * draw.random()
        x, y = math.cos(angle), math.sin(angle)
        x, y = (x, y) if index % 2 else (1 - x, 0.5 - y)
        moon = (1.2 * (x - 0.5) + draw.gauss(0, 0.06), 1.2 * (y - 0.25))
        signal, noise = math.sqrt(kept), math.sqrt(1 - kept)
        points.append(
            (
                signal * moon[0] + noise * draw.gauss(0, 1),
                signal * moon[1] + noise * draw.gauss(0, 1),
            )
        )
    return points


SEVEN = ("0000000", "0899980", "0000790", "0001920", "0008600", "0039100", "0057000")
NOISE = ("3160482", "7205931", "0482617", "9036250", "1570893", "6218047", "4093716")
GUESS = ("3251472", "6205831", "1482617", "8136240", "1561893", "6217146", "4183726")
NOISY = ("2140261", "4568964", "0271748", "5013831", "1358541", "3148104", "2155413")


def training() -> Schematic:
    """Return one step of training."""
    drawing = Schematic(
        "diffusion_training",
        224,
        "One training step of a diffusion model",
        """A clean image and random noise are mixed at a random timestep t. The network
        reads the noisy image and t and predicts the noise. The loss is the squared
        difference from the true noise; its gradient trains the network.""",
    )
    clean = drawing.picture(SEVEN, 16, 24, 63)
    drawing.picture(NOISE, 16, 129, 63)
    drawing.text("clean image", 47.5, 16, "b")
    drawing.text("random noise", 47.5, 212, "b")
    mix = drawing.box("mix", 128, 84, 62, 48, note="at t")
    noisy = drawing.picture(NOISY, 236, 76.5, 63)
    drawing.text("noisy image", 267.5, 68, "b")
    network = drawing.box("network", 354, 82, 92, 52, "train", note="trained")
    timestep = drawing.box("timestep t", 222, 14, 91, 30)
    guess = drawing.picture(GUESS, 500, 76.5, 63)
    drawing.text("predicted noise", 531.5, 68, "b")
    loss = drawing.box("loss", 582, 146, 92, 52, "loss", note="mean square")
    drawing.arrow(clean.right, (146, 84), via=[(146, clean.right[1])])
    drawing.arrow((79, 150), mix.bottom, via=[(159, 150)])
    drawing.arrow(timestep.left, (174, 84), via=[(174, 29)])
    drawing.arrow(timestep.right, network.top, via=[(400, 29)])
    drawing.arrow(mix.right, noisy.left)
    drawing.arrow(noisy.right, network.left)
    drawing.arrow(network.right, guess.left)
    drawing.arrow(guess.right, loss.top, via=[(628, 108)])
    drawing.arrow((79, 182), (582, 182), "true noise", at=0.3)
    drawing.arrow(
        (582, 162), network.bottom, "gradient", "back", via=[(400, 162)], at=0.6
    )
    return drawing


def unet() -> Schematic:
    """Return the U-Net with the sizes of its feature maps."""
    drawing = Schematic(
        "unet",
        364,
        "The U-Net of this chapter",
        """A U of feature maps. Left, down: image 1×28×28, stem, 16×14×14, residual
        block, downsampling to 64×7×7. Bottom: two blocks with attention. Right, up:
        16×14×14 joined by a skip connection, residual block, velocity 1×28×28.""",
    )
    high, middle, low = 90, 178, 262
    feature_map = drawing.feature_map
    image, velocity = feature_map(40, high, 8, 112), feature_map(632, high, 8, 112)
    drawing.text("noisy image", 44, 24, "b")
    drawing.text("velocity", 636, 24, "b")
    drawing.text("1×28×28", 56, 138, "c", "L")
    drawing.text("1×28×28", 624, 138, "c", "R")
    first, second = feature_map(104, middle, 20, 56), feature_map(230, middle, 20, 56)
    copy = feature_map(410, middle, 20, 56, "copy")
    up, last = feature_map(430, middle, 20, 56), feature_map(556, middle, 20, 56)
    drawing.text("16×14×14", 96, middle + 4, "c", "R")
    drawing.text("16×14×14", 584, middle + 4, "c", "L")
    drawing.text("32×14×14", 430, middle - 37, "c")
    down, bottom = feature_map(210, low, 60, 28), feature_map(410, low, 60, 28)
    drawing.text("64×7×7", 202, low + 4, "c", "R")
    drawing.text("64×7×7", 478, low + 4, "c", "L")
    bottleneck = drawing.box(
        "bottleneck", 288, low - 33, 104, 66, "train", note="2 blocks with\nattention"
    )
    drawing.arrow(image.right, first.top, "stem", via=[(114, high)], at=0.5)
    drawing.arrow(last.top, velocity.left, "head", via=[(566, high)], at=0.5)
    for one, other in ((first, second), (up, last)):
        x = (one.right[0] + other.left[0]) / 2 - 35
        block = drawing.box("", x, middle - 22, 70, 44, "train", note="residual\nblock")
        drawing.arrow(one.right, block.left)
        drawing.arrow(block.right, other.left)
    drawing.arrow(second.bottom, down.top, "downsample", shift=(-9, 4), side="R")
    drawing.arrow(bottom.top, up.bottom, "upsample", shift=(9, 4), side="L")
    drawing.arrow(second.right, copy.left, "skip connection: a copy", "skip")
    drawing.arrow(down.right, bottleneck.left)
    drawing.arrow(bottleneck.right, bottom.left)
    timestep = drawing.box("timestep embedding", 140, 326, 152, 28, face="")
    label = drawing.box("label embedding", 388, 326, 152, 28, face="")
    plus = drawing.operation("+", 340, 340)
    drawing.arrow(timestep.right, plus.left)
    drawing.arrow(label.left, plus.right)
    drawing.arrow(
        plus.top, bottleneck.bottom, "into every block", shift=(9, 2), side="L"
    )
    drawing.legend(8, 312, ("map", "feature map"))
    drawing.legend(8, 333, ("copy", "its copy"))
    drawing.legend(8, 354, ("train", "trained block"))
    return drawing


def guidance() -> Schematic:
    """Return classifier-free guidance."""
    drawing = Schematic(
        "guidance",
        250,
        "Classifier-free guidance",
        """Left: the same network reads the noisy image twice, with the label 7 and with
        no label. Right: from the prediction without a label, guidance moves towards the
        one with it, and with weight 2 goes on as far again.""",
    )
    drawing.group("two forward passes", 6, 6, 396, 238)
    drawing.group("one guided prediction", 414, 6, 260, 238)
    noisy = drawing.picture(NOISY, 26, 101.5, 63)
    drawing.text("noisy image", 57.5, 184, "s")
    above = drawing.box("network", 190, 76, 92, 46, "train")
    below = drawing.box("network", 190, 144, 92, 46, "train")
    drawing.arrow(noisy.right, above.left, via=[(130, 133), (130, 99)])
    drawing.arrow(noisy.right, below.left, via=[(130, 133), (130, 167)])
    drawing.branch(130, 133)
    drawing.text("same network", 143, 138, "s", "L")
    label = drawing.box("label 7", 196, 36, 80, 24, face="s")
    no_label = drawing.box("no label", 196, 206, 80, 24, face="s")
    drawing.arrow(label.bottom, above.top)
    drawing.arrow(no_label.top, below.bottom)
    with_label = drawing.box("with label", 312, 80, 78, 38, face="")
    without = drawing.box("without", 312, 148, 78, 38, face="")
    drawing.arrow(above.right, with_label.left)
    drawing.arrow(below.right, without.left)
    start, once, twice = (446, 196), (530, 136), (614, 76)
    drawing.arrow(start, once)
    drawing.arrow(once, twice, kind="back")
    for point, text, shift in (
        (start, "weight 0: without label", (10, 14)),
        (once, "weight 1: with label", (12, 12)),
        (twice, "weight 2: guided", (-12, -4)),
    ):
        drawing.branch(*point)
        side = "R" if text == "weight 2: guided" else "L"
        drawing.text(text, point[0] + shift[0], point[1] + shift[1], "s", side)
    return drawing


def average_velocity() -> Schematic:
    """Return a step along the tangent of a path and one along its chord."""
    drawing = Schematic(
        "average_velocity",
        232,
        "Two velocities of a curved path",
        """Twice the same dotted path from noise at time t down to a sample at time r.
        Left, a long step along the velocity at t leaves the path and misses the end.
        Right, a step along the average velocity, the chord, ends at the sample.""",
    )
    for left, name, ending in (
        (10, "the velocity at time t", "misses"),
        (346, "the average velocity", "arrives"),
    ):
        drawing.group(name, left, 6, 324, 218)
        start, end = (left + 44, 70), (left + 240, 186)
        curve = [
            (
                start[0] + (end[0] - start[0]) * (part / 60),
                start[1] + (end[1] - start[1]) * (part / 60) ** 3,
            )
            for part in range(1, 60)
        ]
        drawing.points(curve)
        drawing.branch(*start)
        drawing.branch(*end)
        drawing.text("noise", start[0] - 14, start[1] - 12, "b", "L")
        drawing.text("sample", end[0] + 8, end[1] + 22, "b")
        if ending == "misses":
            target = (left + 240, 70)
            drawing.arrow(start, target, kind="no")
            drawing.text("one step along v", left + 150, 58, "s")
            drawing.text("the error", left + 248, 132, "s", "L")
            drawing.arrow(target, (end[0], end[1] - 8), kind="back")
        else:
            drawing.arrow(start, (end[0] - 5, end[1] - 3), kind="train")
            drawing.text("one step along u", left + 88, 152, "s")
        drawing.text("t", start[0] - 18, start[1] + 5, "c")
        drawing.text("r", end[0] + 18, end[1] + 5, "c")
    return drawing


DRAWINGS = (chain, training, unet, guidance, average_velocity)
