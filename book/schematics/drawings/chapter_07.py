"""The schematics of chapter 7."""

from book.schematics.kit import Schematic

REAL = ("0000000", "0068600", "0400070", "0003810", "0057600", "0480000", "0789990")
FAKE = ("0000000", "0047500", "0201060", "0002700", "0036310", "0560010", "0378640")


def gan() -> Schematic:
    """Return both players of a GAN and their gradients."""
    drawing = Schematic(
        "gan",
        286,
        "A generative adversarial network with both gradients",
        """The generator turns 32 random numbers into an image. The discriminator scores
        generated and real images; the value V depends on both. Raising V trains the
        discriminator; lowering it, through the discriminator, the generator.""",
    )
    high, low, middle = 94, 196, 145
    noise = drawing.box("noise z", 14, high - 24, 92, 48, note="32 numbers")
    generator = drawing.box(
        "generator G", 130, high - 34, 104, 68, "train", shape="widen"
    )
    fake = drawing.picture(FAKE, 262, high - 31.5, 63)
    real = drawing.picture(REAL, 262, low - 31.5, 63)
    drawing.text("generated", 293.5, high + 49, "s")
    drawing.text("real", 293.5, low + 49, "s")
    judge = drawing.box(
        "discriminator D", 366, middle - 40, 126, 80, "train", shape="narrow"
    )
    score = drawing.box("D(x)", 514, middle - 24, 60, 48, note="0 to 1")
    value = drawing.box("value V", 596, middle - 26, 74, 52, "loss", note="of both")
    drawing.arrow(noise.right, generator.left)
    drawing.arrow(generator.right, fake.left)
    drawing.arrow(fake.right, (366, middle - 12), via=[(345, high), (345, middle - 12)])
    drawing.arrow(real.right, (366, middle + 12), via=[(345, low), (345, middle + 12)])
    drawing.arrow(judge.right, score.left)
    drawing.arrow(score.right, value.left)
    drawing.arrow(
        value.bottom,
        (429, middle + 34),
        "discriminator's step: raise V",
        "back",
        via=[(633, 262), (429, 262)],
    )
    drawing.arrow(
        value.top,
        (442, middle - 34),
        "generator's step: lower V ...",
        "back",
        via=[(633, 34), (442, 34)],
    )
    drawing.arrow(
        (416, middle - 36),
        generator.top,
        "... through the discriminator",
        "back",
        via=[(416, 34), (182, 34)],
    )
    return drawing


DRAWINGS = (gan,)
