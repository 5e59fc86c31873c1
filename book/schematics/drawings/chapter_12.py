"""The schematics of chapter 12."""

from itertools import pairwise

from book.schematics.kit import Schematic


def stages() -> Schematic:
    """Return the way from a random network to an assistant."""
    drawing = Schematic(
        "training_stages",
        192,
        "The three stages in which a language model is made",
        """Pre-training on 6.6 million tokens of text turns a random network into a base
        model, which continues texts. Fine-tuning on questions with answers makes it
        answer. Comparisons of answers, with PPO or DPO, make it answer better.""",
    )
    models = (
        ("random\nnetwork", ""),
        ("base model", "continues texts"),
        ("chat model", "answers"),
        ("assistant", "preferred answers"),
    )
    widths = (76, 104, 88, 120)
    lefts = (4, 186, 396, 556)
    boxes = [
        drawing.box(name, x, 128, width, 56, note=note)
        for (name, note), x, width in zip(models, lefts, widths, strict=True)
    ]
    steps = (
        ("pre-training", "this chapter", "text", "6.6 million tokens"),
        ("fine-tuning", "chapter 13", "demonstrations", "questions, answers"),
        ("PPO, DPO", "chapter 14", "comparisons", "better, worse answer"),
    )
    for (one, other), (name, note, data, kind) in zip(
        pairwise(boxes), steps, strict=True
    ):
        middle = (one.right[0] + other.left[0]) / 2
        train = drawing.box(name, middle - 48, 66, 96, 44, "train", note=note)
        source = drawing.box(data, middle - 66, 6, 132, 42, note=kind)
        drawing.arrow(source.bottom, train.top)
        drawing.arrow(one.right, other.left, kind="train")
        drawing.arrow(train.bottom, (middle, 156))
    return drawing


def pipeline() -> Schematic:
    """Return the way from raw text to batches."""
    drawing = Schematic(
        "data_pipeline",
        200,
        "From raw text to batches",
        """Raw text is normalized; filters keep 1,917 of 75,591 Factbook fields; then
        near-duplicates and leaks are removed. 940,523 tokens are packed into rows of
        128, three sources are mixed, the order is fixed by a seed: batches of 8.""",
    )
    drawing.text("remove text", 8, 18, "h", "L")
    drawing.text("make batches", 76, 120, "h", "L")
    rows = (
        (
            30,
            ("raw text", "5.7 million\ncharacters", "data"),
            ("normalize", "one form per\ncharacter", "op"),
            ("filter", "75,591 fields,\n1,917 kept", "op"),
            ("deduplicate", "1,917 texts,\n1,850 kept", "op"),
            ("decontaminate", "1 of 269 texts\nwas cut", "op"),
        ),
        (
            128,
            ("tokenize", "940,523\ntokens", "op"),
            ("pack", "rows of\n128 tokens", "op"),
            ("mix", "3 sources,\n4 : 1 : 3", "op"),
            ("order", "seed and\nposition", "op"),
            ("batch", "8 rows", "data"),
        ),
    )
    lines = []
    for top, *parts in rows:
        line = [
            drawing.box(name, 8 + 137 * index, top, 112, 64, kind, note=note)
            for index, (name, note, kind) in enumerate(parts)
        ]
        for one, other in pairwise(line):
            drawing.arrow(one.right, other.left)
        lines.append(line)
    (x, y), end = lines[0][-1].bottom, lines[1][0].top
    drawing.arrow((x, y), end, via=[(x, 103), (end[0], 103)])
    return drawing


def parallel() -> Schematic:
    """Return data parallelism with two processes."""
    drawing = Schematic(
        "data_parallel",
        214,
        "Data parallelism with two processes",
        """A batch of eight rows is divided between two processes, four rows each. Each
        has the same model and computes a gradient. The two gradients are averaged, and
        both processes make the same update with the mean.""",
    )
    batch = drawing.box("batch", 8, 78, 84, 52, note="8 rows")
    mean = drawing.box("mean", 468, 76, 92, 56, "op", note="all-reduce")
    for index, top in enumerate((12, 132)):
        drawing.group(f"process {index + 1}", 124, top, 316, 74)
        middle = top + 45
        rows = drawing.box("4 rows", 140, middle - 17, 66, 34, face="")
        model = drawing.box(
            "model", 236, middle - 20, 84, 40, "train", note="same copy"
        )
        gradient = drawing.box("gradient", 352, middle - 17, 76, 34, face="")
        drawing.arrow(batch.right, rows.left, via=[(108, 104), (108, middle)])
        drawing.arrow(rows.right, model.left)
        drawing.arrow(model.right, gradient.left, kind="back")
        above = index == 0
        drawing.arrow(
            gradient.right,
            mean.top if above else mean.bottom,
            kind="back",
            via=[(514, middle)],
        )
    update = drawing.box("same update", 588, 78, 86, 52, note="of both", face="")
    drawing.arrow(mean.right, update.left, kind="train")
    return drawing


DRAWINGS = (stages, pipeline, parallel)
