"""The schematics of chapter 10."""

from book.schematics.kit import Schematic


def latent_diffusion() -> Schematic:
    """Return training and sampling in the latent space of an autoencoder."""
    drawing = Schematic(
        "latent_diffusion",
        286,
        "Latent diffusion",
        """Training: a frozen encoder turns an image of 3×32×32 numbers into latents of
        4×8×8, which are scaled; noise is added, and a U-Net learns to remove it.
        Sampling: from noise of 4×8×8, the U-Net takes 25 steps; the frozen decoder
        makes an image.""",
    )
    drawing.group("training", 8, 8, 664, 116)
    image = drawing.box("image", 24, 52, 76, 52, note="3×32×32")
    encoder = drawing.box("encoder", 122, 46, 84, 64, "frozen", shape="narrow")
    latents = drawing.box("latents", 258, 52, 76, 52, note="4×8×8")
    noisy = drawing.box("noisy latents", 402, 52, 100, 52, note="at t")
    network = drawing.box("U-Net", 572, 46, 84, 64, "train", note="text, t")
    drawing.arrow(image.right, encoder.left)
    drawing.arrow(encoder.right, latents.left, "scale")
    drawing.arrow(latents.right, noisy.left, "+ noise")
    drawing.arrow(noisy.right, network.left, "predict")
    drawing.group("sampling", 8, 140, 664, 138)
    noise = drawing.box("noise", 24, 188, 76, 52, note="4×8×8")
    again = drawing.box("U-Net", 160, 182, 84, 64, "train", note="text, t")
    clean = drawing.box("latents", 338, 188, 76, 52, note="4×8×8")
    decoder = drawing.box("decoder", 466, 182, 84, 64, "frozen", shape="widen")
    made = drawing.box("image", 580, 188, 76, 52, note="3×32×32")
    drawing.arrow(noise.right, again.left)
    drawing.arrow(again.right, clean.left, "25 steps", at=0.6)
    drawing.branch(262, 214)
    drawing.arrow((262, 214), again.bottom, kind="back", via=[(262, 266), (202, 266)])
    drawing.arrow(clean.right, decoder.left, "unscale")
    drawing.arrow(decoder.right, made.left)
    return drawing


def latent_inpainting() -> Schematic:
    """Return one sampling step of inpainting."""
    drawing = Schematic(
        "latent_inpainting",
        200,
        "One step of inpainting in the latents",
        """The U-Net predicts the clean latents from the noisy ones. Their left half is
        replaced by the known latents of the picture; the right half stays as
        predicted. The sampler then takes a step with this mixture, and the next step
        begins.""",
    )

    def grid(x: float, y: float, left: str, right: str) -> None:
        for column, kind in enumerate((left, right)):
            drawing.box("", x + 36 * column, y, 36, 72, kind, shape="map")

    drawing.text("noisy latents", 52, 44, "b")
    grid(16, 56, "copy", "copy")
    network = drawing.box("U-Net", 140, 64, 84, 56, "train", note="caption")
    drawing.text("predicted", 302, 44, "b")
    grid(266, 56, "map", "map")
    known = drawing.box("known latents", 254, 160, 96, 30, "ok")
    drawing.text("mixture", 458, 44, "b")
    grid(422, 56, "ok", "map")
    step = drawing.box("sampler step", 556, 64, 104, 56, note="to the next t")
    drawing.arrow((88, 92), network.left)
    drawing.arrow(network.right, (266, 92))
    drawing.arrow((338, 92), (422, 92), "right half")
    drawing.arrow(known.right, (440, 128), "left half", via=[(440, 175)])
    drawing.arrow((494, 92), step.left)
    drawing.arrow(step.top, (52, 30), kind="back", via=[(608, 16), (52, 16)])
    return drawing


DRAWINGS = (latent_diffusion, latent_inpainting)
