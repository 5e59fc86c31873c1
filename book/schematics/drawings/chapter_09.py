"""The schematics of chapter 9."""

from book.schematics.drawings.chapter_08 import NOISE
from book.schematics.kit import Schematic

SCENE = ("0000000", "0006600", "0006600", "0000000", "0999900", "0999900", "0999900")


def clip() -> Schematic:
    """Return CLIP on a batch of two pairs."""
    drawing = Schematic(
        "clip",
        262,
        "CLIP on two images and two captions",
        """An image encoder and a text encoder turn two images and two captions into
        vectors. A table holds the four scores 4, 1, 3 and 2; the pairs on its diagonal
        belong together. Rows and columns are choices with a loss.""",
    )
    for index in range(2):
        drawing.box(f"image {index + 1}", 12, 44 + 40 * index, 86, 32, face="")
        drawing.box(f"caption {index + 1}", 12, 168 + 40 * index, 86, 32, face="")
    image_encoder = drawing.box(
        "image\nencoder", 126, 46, 96, 68, "train", shape="narrow"
    )
    text_encoder = drawing.box(
        "text\nencoder", 126, 170, 96, 68, "train", shape="narrow"
    )
    left, top, wide, high = 330, 36, 62, 44
    scores = (("4", "ok"), ("1", "no")), (("3", "no"), ("2", "ok"))
    for row, line in enumerate(scores):
        y = top + row * high
        vector = drawing.box(f"u_{{{row + 1}}}", 270, y + 8, 40, 28, face="i")
        drawing.arrow(image_encoder.right, vector.left, via=[(246, 80), (246, y + 22)])
        for column, (score, kind) in enumerate(line):
            drawing.box(score, left + column * wide, y, wide, high, kind, shape="map")
    for column in range(2):
        x = left + (column + 0.5) * wide
        vector = drawing.box(f"w_{{{column + 1}}}", x - 20, 150, 40, 28, face="i")
        drawing.arrow(text_encoder.right, vector.bottom, via=[(x, 204)])
    drawing.text("scores: s times the cosine", left + wide, 24, "s")
    for index in range(2):
        drawing.arrow((98, 60 + 40 * index), (126, 72 + 16 * index))
        drawing.arrow((98, 184 + 40 * index), (126, 196 + 16 * index))
    rows = drawing.box(
        "choices of images", 494, 27, 140, 62, note="losses per row:\n0.05 and 1.31"
    )
    columns = drawing.box(
        "choices of texts", 494, 113, 140, 62, note="losses per column:\n0.31 and 0.31"
    )
    loss = drawing.box("loss 0.497", 514, 208, 100, 46, "loss", note="mean of four")
    drawing.arrow((left + 2 * wide, 58), rows.left)
    drawing.arrow((left + 2 * wide, 102), columns.left, via=[(474, 102), (474, 144)])
    drawing.arrow(rows.right, loss.right, via=[(656, 58), (656, 231)])
    drawing.arrow(columns.bottom, loss.top)
    return drawing


def unet_text() -> Schematic:
    """Return the U-Net with the caption and the timestep."""
    drawing = Schematic(
        "unet_text",
        380,
        "The U-Net with text",
        """A U: noisy image 3×32×32, stem, 32×16×16, residual block, downsampling to
        96×8×8, two middle blocks, upsampling, skip connection, residual block,
        velocity. The words enter the middle; timestep and mean of words all blocks.""",
    )
    high, middle, low = 84, 174, 262
    feature_map = drawing.feature_map
    noisy, velocity = feature_map(42, high, 10, 104), feature_map(628, high, 10, 104)
    drawing.text("noisy image", 47, 22, "b")
    drawing.text("velocity", 633, 22, "b")
    drawing.text("3×32×32", 60, 132, "c", "L")
    drawing.text("3×32×32", 620, 132, "c", "R")
    first, second = feature_map(118, middle, 22, 60), feature_map(222, middle, 22, 60)
    copy = feature_map(411, middle, 22, 60, "copy")
    up, last = feature_map(433, middle, 22, 60), feature_map(536, middle, 22, 60)
    drawing.text("32×16×16", 110, middle + 4, "c", "R")
    drawing.text("32×16×16", 566, middle + 4, "c", "L")
    drawing.text("64×16×16", 433, middle - 39, "c")
    down, bottom = feature_map(209, low, 48, 32), feature_map(420, low, 48, 32)
    drawing.text("96×8×8", 201, low + 4, "c", "R")
    drawing.text("96×8×8", 476, low + 4, "c", "L")
    blocks = drawing.box(
        "2 middle blocks",
        277,
        low - 33,
        124,
        66,
        "train",
        note="residual, self- and\ncross-attention",
    )
    drawing.arrow(noisy.right, first.top, "stem", via=[(129, high)])
    drawing.arrow(last.top, velocity.left, "head", via=[(547, high)])
    for one, other in ((first, second), (up, last)):
        x = (one.right[0] + other.left[0]) / 2
        drawing.arrow(one.right, other.left)
        drawing.operation("e", x - 2, middle)
        drawing.text("residual", x, middle - 35, "s")
        drawing.text("block", x, middle - 20, "s")
    drawing.arrow(second.bottom, down.top, "downsample", shift=(-9, 3), side="R")
    drawing.arrow(bottom.top, (444, middle + 30), "upsample", shift=(9, 3), side="L")
    drawing.arrow(second.right, copy.left, "skip connection: a copy", "skip")
    drawing.arrow(down.right, blocks.left)
    drawing.arrow(blocks.right, bottom.left)
    caption = drawing.box("caption", 24, 331, 80, 34)
    encoder = drawing.box("text encoder", 136, 326, 116, 44, "train", shape="narrow")
    plus = drawing.operation("+", 478, 348)
    time = drawing.box("timestep", 558, 331, 84, 34)
    drawing.arrow(caption.right, encoder.left)
    drawing.arrow(encoder.right, plus.left, "mean of the words", at=0.7)
    drawing.arrow(time.left, plus.right)
    drawing.arrow((339, 348), blocks.bottom, "all words", shift=(-8, 6), side="R")
    drawing.branch(339, 348)
    drawing.arrow(plus.top, (478, 325))
    drawing.operation("e", 478, 313)
    drawing.text("into every residual block", 497, 317, "s", "L")
    return drawing


def text_to_image() -> Schematic:
    """Return sampling with guidance by a caption."""
    drawing = Schematic(
        "text_to_image",
        256,
        "From a caption to an image",
        """The caption becomes ten vectors of 64 numbers. Starting from noise, the U-Net
        predicts the velocity with the text and without it, guidance combines both, and
        a DDIM step removes some noise; twelve times.""",
    )
    caption = drawing.box(
        "caption", 14, 16, 148, 62, note="a small red circle above\na large blue square"
    )
    encoder = drawing.box("text encoder", 192, 22, 110, 50, "train", shape="narrow")
    words = drawing.box("10 words", 336, 22, 118, 50, note="64 numbers each")
    row = 158
    noise = drawing.picture(NOISE, 20, row - 31.5, 63)
    drawing.text("noise", 51.5, row + 49, "b")
    network = drawing.box("U-Net", 192, row - 37, 96, 74, "train", note="two passes")
    with_text = drawing.box("with text", 336, row - 43, 96, 34, face="")
    without = drawing.box("without text", 336, row + 9, 96, 34, face="")
    guidance = drawing.box("guidance", 466, row - 25, 80, 50, note="weight 2")
    step = drawing.box("DDIM step", 574, row - 25, 90, 50, note="less noise")
    result = drawing.picture(SCENE, 587.5, 18, 63)
    drawing.text("image", 619, 12, "b")
    drawing.arrow(caption.right, encoder.left)
    drawing.arrow(encoder.right, words.left)
    drawing.arrow((364, 72), (262, row - 37), via=[(364, 96), (262, 96)])
    drawing.arrow(noise.right, network.left)
    drawing.arrow(network.right, with_text.left, via=[(312, row), (312, row - 26)])
    drawing.arrow(network.right, without.left, via=[(312, row), (312, row + 26)])
    drawing.arrow(with_text.right, guidance.left, via=[(449, row - 26), (449, row)])
    drawing.arrow(without.right, guidance.left, via=[(449, row + 26), (449, row)])
    drawing.arrow(guidance.right, step.left)
    drawing.arrow(
        step.bottom,
        network.bottom,
        "the next of 12 steps",
        via=[(619, 238), (240, 238)],
        at=0.5,
    )
    drawing.arrow(step.top, result.bottom, "after the\nlast", shift=(-8, 8), side="R")
    return drawing


def dit_block() -> Schematic:
    """Return a block of a Diffusion Transformer with adaptive layer normalization."""
    drawing = Schematic(
        "dit_block",
        322,
        "A block of a Diffusion Transformer",
        """Two rows, joined at A: tokens are normalized, scaled and shifted, pass a
        layer (attention, then feed-forward), are gated and added. A linear layer
        computes shift, scale and gate from timestep and words.""",
    )
    nodes = {}
    for row, layer in ((66, "self-attention"), (264, "feed-forward")):
        if row < 150:
            start = drawing.box("tokens", 14, row - 20, 74, 40)
        else:
            start = drawing.operation("A", 50, row)
        norm = drawing.box("layer norm", 132, row - 20, 92, 40, face="")
        modulate = drawing.box("scale, shift", 252, row - 20, 96, 40, face="")
        learned = drawing.box(layer, 376, row - 24, 118, 48, "train")
        gate = drawing.box("gate", 522, row - 18, 54, 36, face="")
        plus = drawing.operation("+", 612, row)
        for one, other in (
            (start, norm), (norm, modulate), (modulate, learned), (learned, gate),
            (gate, plus),
        ):  # fmt: skip
            drawing.arrow(one.right, other.left)
        away = -46 if row < 150 else 44
        end = plus.top if row < 150 else plus.bottom
        drawing.arrow(
            (108, row), end, kind="skip", via=[(108, row + away), (612, row + away)]
        )
        drawing.branch(108, row)
        if row < 150:
            drawing.arrow(plus.right, drawing.operation("A", 654, row).left)
        else:
            drawing.arrow(plus.right, (672, row))
        nodes[row] = start, modulate, gate, plus
    embedding = drawing.box("timestep + words", 150, 148, 136, 38, face="")
    linear = drawing.box("linear layer", 326, 146, 108, 42, "train", note="")
    drawing.arrow(embedding.right, linear.left)
    for row, side in ((66, "bottom"), (264, "top")):
        _, modulate, gate, _ = nodes[row]
        x, y = getattr(modulate, side)
        edge = linear.top if side == "bottom" else linear.bottom
        bend = (edge[1] + y) / 2
        drawing.arrow(edge, (x, y), "", "train", via=[(edge[0], bend), (x, bend)])
        x, y = getattr(gate, side)
        drawing.arrow(edge, (x, y), "", "train", via=[(edge[0], bend), (x, bend)])
    drawing.text("zero at the start", 452, 164, "s", "L")
    drawing.text("of training", 452, 179, "s", "L")
    return drawing


DRAWINGS = (clip, unet_text, text_to_image, dit_block)
