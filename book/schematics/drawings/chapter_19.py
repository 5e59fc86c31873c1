"""The schematics of chapter 19."""

from book.schematics.kit import Schematic

# A large circle, alone and with a small square at its upper right.
CIRCLE = (
    "00000000",
    "00000000",
    "00666000",
    "06666600",
    "06666600",
    "06666600",
    "00666000",
    "00000000",
)
TWO_SHAPES = (
    "00000000",
    "00000099",
    "00000099",
    "00666000",
    "06666600",
    "06666600",
    "06666600",
    "00666000",
)


def vision_prefix() -> Schematic:
    """Return a vision-language model with the image as a prefix."""
    drawing = Schematic(
        "vision_prefix",
        330,
        "A vision-language model with a prefix",
        """A frozen image encoder turns an image into 16 vectors. A trained projector
        maps them to the decoder's width, and they stand before six word embeddings. The
        decoder reads all 22 positions; the loss is on the answer, red.""",
    )
    for patch in range(16):
        drawing.box("", 24 + 20 * patch, 138, 17, 24, "ok", shape="map")
    words = "what", "colour", "is", "the", "circle", "?"
    for place, word in enumerate(words):
        drawing.box(word, 358 + 51 * place, 138, 48, 24, "data", face="c", shape="map")
    drawing.text("16 vectors: the prefix", 24, 180, "s", "L")
    drawing.text("6 vectors: the question", 661, 180, "s", "R")
    decoder = drawing.box(
        "decoder: 3 blocks of width 128", 24, 78, 637, 36, "train", face="b"
    )
    drawing.arrow((182, 138), (182, decoder.bottom[1]))
    drawing.arrow((510, 138), (510, decoder.bottom[1]))
    answer = drawing.box("red", 615, 22, 46, 28, "loss", face="c")
    drawing.arrow((638, 78), answer.bottom)
    drawing.text("only the answer", 602, 32, "s", "R")
    drawing.text("has a loss", 602, 48, "s", "R")
    image = drawing.picture(TWO_SHAPES, 24, 218, 64)
    drawing.text("32×32 pixels", 56, 300, "s")
    encoder = drawing.box(
        "image encoder",
        116,
        220,
        112,
        60,
        "frozen",
        note="2 blocks",
        shape="narrow",
    )
    projector = drawing.box("projector", 284, 230, 88, 40, "train")
    drawing.arrow(image.right, encoder.left)
    drawing.arrow(encoder.right, projector.left, "16 × 96")
    drawing.arrow(projector.top, (328, 162), "16 × 128", shift=(8, 8), side="L")
    embedding = drawing.box("token embeddings", 445, 212, 130, 34, "train")
    drawing.arrow(embedding.top, (510, 162), "6 × 128", shift=(-8, 9), side="R")
    text = drawing.box("what colour is the circle ?", 407, 272, 206, 28, face="c")
    drawing.arrow(text.top, embedding.bottom)
    drawing.legend(24, 322, ("frozen", "frozen"), ("train", "trained"))
    return drawing


def one_stream() -> Schematic:
    """Return the two kinds of documents that one decoder reads."""
    drawing = Schematic(
        "one_stream",
        318,
        "One stream of words and image tokens",
        """An autoencoder and a codebook turn an image into 64 tokens. One decoder is
        trained on two kinds of documents: a caption, then its image tokens; and image
        tokens, then a question and its answer. It predicts the last part of each.""",
    )
    image = drawing.picture(CIRCLE, 24, 22, 64)
    drawing.text("32×32 pixels", 56, 104, "s")
    encoder = drawing.box(
        "autoencoder", 120, 26, 104, 56, "frozen", note="encoder", shape="narrow"
    )
    codebook = drawing.box(
        "codebook", 330, 28, 118, 52, "frozen", note="nearest of 256"
    )
    drawing.arrow(image.right, encoder.left)
    drawing.arrow(encoder.right, codebook.left, "8×8 latents")
    for place, code in enumerate(("17", "203", "…", "54")):
        drawing.box(code, 498 + 41 * place, 40, 38, 28, "ok", face="c", shape="map")
    drawing.arrow(codebook.right, (498, 54))
    drawing.text("64 image tokens", 578, 88, "s")
    for y, title, parts in (
        (
            134,
            "to draw",
            (
                ("a large red circle on the left", 238, "data"),
                ("start", 54, "data"),
                ("64 image tokens", 150, "loss"),
                ("end", 46, "data"),
            ),
        ),
        (
            176,
            "to answer",
            (
                ("start", 54, "data"),
                ("64 image tokens", 132, "ok"),
                ("end", 46, "data"),
                ("what colour is the circle ?", 218, "data"),
                ("red", 46, "loss"),
            ),
        ),
    ):
        drawing.text(title, 24, y + 20, "s", "L")
        x = 96
        for text, width, kind in parts:
            face = "s" if "tokens" in text else "c"
            drawing.box(text, x, y, width, 30, kind, face=face, shape="map")
            x += width + 5
    decoder = drawing.box(
        "one decoder",
        96,
        238,
        516,
        42,
        "train",
        note="one vocabulary: 52 words, start, end and 256 image tokens",
    )
    drawing.arrow((354, 206), decoder.top)
    drawing.legend(
        96,
        310,
        ("frozen", "frozen"),
        ("train", "trained"),
        ("ok", "image tokens"),
        ("loss", "predicted, with a loss"),
    )
    return drawing


DRAWINGS = (vision_prefix, one_stream)
