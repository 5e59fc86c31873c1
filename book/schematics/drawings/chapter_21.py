"""The schematics of chapter 21."""

from itertools import pairwise

from book.schematics.kit import Schematic


def rag() -> Schematic:
    """Return retrieval-augmented generation: what runs once, and what per question."""
    drawing = Schematic(
        "rag",
        336,
        "Retrieval-augmented generation, from the text to the source",
        """Once: texts are cut into 2,238 passages; MiniLM turns each into a vector. Per
        question: MiniLM, a search, a check of the best cosine; then SmolLM2 answers
        from a prompt with passages and cites one, or the system declines.""",
    )
    drawing.group("once: build the library", 6, 6, 668, 102)
    texts = drawing.box("texts", 20, 40, 104, 50, note="articles, facts")
    passages = drawing.box("passages", 210, 40, 104, 50, note="2,238 texts")
    drawing.arrow(texts.right, passages.left, "chunking", shift=(0, -8))
    encoder = drawing.box("MiniLM", 346, 40, 84, 50, "frozen", note="encoder")
    drawing.arrow(passages.right, encoder.left)
    vectors = drawing.box("vectors", 536, 40, 122, 50, note="2,238 × 384 numbers")
    drawing.arrow(encoder.right, vectors.left, "mean pooling", shift=(0, -8))
    drawing.group("for each question", 6, 124, 668, 206)
    question = drawing.box(
        "question", 16, 158, 122, 62, note="France’s main\nbuyer of exports?"
    )
    encoder = drawing.box("MiniLM", 158, 164, 76, 50, "frozen", note="encoder")
    search = drawing.box("search", 254, 158, 98, 62, "op", note="BM25, dense,\nor both")
    check = drawing.box(
        "confident?", 372, 158, 108, 62, "op", note="best cosine\n≥ 0.65"
    )
    prompt = drawing.box("prompt", 500, 158, 70, 62, note="best k +\nquestion")
    model = drawing.box("SmolLM2", 588, 158, 78, 62, "frozen", note="answers")
    for before, after in (
        (question, encoder),
        (encoder, search),
        (search, check),
        (check, prompt),
        (prompt, model),
    ):
        drawing.arrow(before.right, after.left)
    drawing.arrow(vectors.bottom, search.top, via=[(597, 116), (303, 116)])
    declined = drawing.box("I do not know.", 366, 264, 120, 46, "no", note="abstention")
    drawing.arrow(check.bottom, declined.top, "no", shift=(8, 4), side="L")
    answer = drawing.box(
        "Germany [1]", 540, 258, 126, 58, "ok", note="from: Factbook,\nFrance"
    )
    drawing.arrow(model.bottom, (627, answer.y), "cite", shift=(-8, 4), side="R")
    drawing.legend(20, 276, ("data", "data"), ("op", "computation"))
    drawing.legend(20, 302, ("frozen", "pre-trained, not changed"))
    return drawing


def vote_of_passages() -> Schematic:
    """Return three passages in one prompt, and the same three with a vote."""
    drawing = Schematic(
        "vote_of_passages",
        326,
        "A poisoned passage: one prompt against a vote of sources",
        """Left: two true passages and a false one in one prompt; on average 43% of the
        answers are true and 50% false. Right: the model answers from each passage
        alone, and the three answers vote: 68% true, 4% false, the rest undecided.""",
    )
    drawing.group("all passages in one prompt", 6, 6, 300, 314)
    drawing.group("each alone, then a vote", 318, 6, 356, 314)
    rows = (
        ("... is Oceania.", "an encyclopedia", "data"),
        ("... is Central America.", "anonymous", "no"),
        ("... is Oceania.", "a school atlas", "data"),
    )

    def passages(x: float) -> list:
        return [
            drawing.box(
                text, x, 42 + 62 * row, 152, 46, kind, note=f"source: {source}", face=""
            )
            for row, (text, source, kind) in enumerate(rows)
        ]

    passages(18)
    drawing.box("", 176, 42, 4, 170, shape="map")
    model = drawing.box("SmolLM2", 206, 100, 86, 54, "frozen", note="one answer")
    drawing.arrow((180, 127), model.left)
    answer = drawing.box("Central America", 182, 226, 116, 32, "no", face="")
    drawing.arrow(model.bottom, (249, answer.y))
    drawing.text("true 43%, false 50%", 156, 286, "b")
    drawing.text("five draws of 24 questions", 156, 306, "s")
    alone = passages(330)
    vote = drawing.box("vote", 606, 102, 56, 50, "op", note="2 to 1")
    for row, node in enumerate(alone):
        model = drawing.box("SmolLM2", 500, node.y + 5, 76, 36, "frozen")
        drawing.arrow(node.right, model.left)
        x, y = model.right
        if row == 1:
            drawing.arrow((x, y), vote.left)
        else:
            end = vote.top if row == 0 else vote.bottom
            drawing.arrow((x, y), end, via=[(end[0], y)])
    drawing.text("true 68%, false 4%", 496, 286, "b")
    drawing.text("one vote per source; a tie gives no answer", 496, 306, "s")
    return drawing


def hnsw() -> Schematic:
    """Return the layers of an HNSW graph, and a search from the top to the bottom."""
    drawing = Schematic(
        "hnsw",
        392,
        "HNSW: a search through layers of a graph",
        """Three layers, from few points with long links to all points with short links.
        The search enters at the top, moves to the neighbour nearest to the query until
        none is nearer, and continues one layer below from there.""",
    )
    layers = (
        ("layer 2", "14 points, long links", 10),
        ("layer 1", "61 points", 134),
        ("layer 0", "all 300 points, short links", 258),
    )
    # Positions within a layer: those of the layer above are in each lower one.
    points = {
        "a": (40, 34), "b": (176, 74), "c": (316, 30), "d": (440, 70),
        "e": (96, 78), "f": (246, 34), "g": (396, 86), "h": (136, 28),
        "i": (20, 74), "j": (206, 96), "k": (286, 72), "l": (410, 30), "m": (330, 62),
        "n": (64, 52), "o": (430, 96), "p": (306, 106), "q": (140, 54), "r": (460, 36),
    }  # fmt: skip
    members = ("abcd", "abcdefgh", "abcdefghijklmnopqr")
    links = (
        ("ab", "bc", "cd"),
        ("ae", "eb", "bf", "fc", "cg", "gd", "ah", "hf"),
        ("an", "ni", "ie", "ne", "eq", "qb", "hq", "ah", "hf", "fc", "cm", "mk", "kf",
         "bj", "jp", "pk", "gm", "go", "od", "lc", "lr", "rd", "pg"),
    )  # fmt: skip
    paths = ("abc", "cg", "gm")
    left = 196
    for (name, note, y), names, pairs, path in zip(
        layers, members, links, paths, strict=True
    ):
        drawing.box("", left, y, 478, 114, "frame")
        drawing.text(name, 10, y + 48, "b", "L")
        drawing.text(note, 10, y + 66, "s", "L")
        at = {p: (left + points[p][0], y + points[p][1]) for p in names}
        lines = [(*at[one], *at[two]) for one, two in pairs]
        path_of_links = "".join(f"M{a} {b}L{c} {d}" for a, b, c, d in lines)
        drawing.parts.append(f'<path class="line ghost" d="{path_of_links}"/>')
        drawing.parts += [
            f'<circle class="mark skip" cx="{u}" cy="{v}" r="4"/>'
            for u, v in at.values()
        ]
        for one, two in pairwise(path):
            drawing.arrow(at[one], at[two], kind="train")
        drawing.operation("?", left + 350, y + 84, 9)
    for end, y in (("c", 10), ("g", 134)):
        x, start = left + points[end][0], y + points[end][1]
        drawing.arrow((x, start + 5), (x, start + 120), kind="back")
    drawing.text("start", left + 40, 34, "s")
    drawing.text("? is the query.", 10, 128, "s", "L")
    drawing.text("Only some points", 10, 352, "s", "L")
    drawing.text("are drawn.", 10, 368, "s", "L")
    return drawing


def rerankers() -> Schematic:
    """Return three ways to compare a question with a passage."""
    drawing = Schematic(
        "rerankers",
        304,
        "Bi-encoder, late interaction and cross-encoder",
        """Three ways to score a passage. A bi-encoder compares one vector of each:
        cosine 0.69. Late interaction compares all token vectors: mean best match 0.66.
        A cross-encoder reads both texts together, one pass per pair.""",
    )
    panels = (
        ("bi-encoder: search", 6),
        ("late interaction", 232),
        ("cross-encoder", 458),
    )
    for title, x in panels:
        drawing.group(title, x, 6, 216, 292)
    for x, count in ((6, (1, 1)), (232, (4, 6))):
        ends = []
        for text, left, cells in (
            ("question", x + 10, count[0]),
            ("passage", x + 112, count[1]),
        ):
            source = drawing.box(text, left, 38, 94, 32)
            encoder = drawing.box("MiniLM", left, 90, 94, 34, "frozen")
            drawing.arrow(source.bottom, encoder.top)
            width = 14 if cells > 1 else 60
            first = left + 47 - cells * width / 2
            for cell in range(cells):
                drawing.box("", first + cell * width, 146, width, 18, shape="map")
            drawing.arrow(encoder.bottom, (left + 47, 146))
            ends.append((left + 47, 164))
        what, note = (
            ("cosine", "one vector each")
            if count == (1, 1)
            else ("max, then mean", "one vector per token")
        )
        score = drawing.box(what, x + 48, 196, 120, 50, "op", note=note, face="")
        for end, shift in zip(ends, (-28, 28), strict=True):
            middle = score.top[0] + shift
            drawing.arrow(end, (middle, 196), via=[(end[0], 180), (middle, 180)])
    for x, value in ((6, "0.69"), (232, "0.66")):
        drawing.arrow((x + 108, 246), (x + 108, 268))
        drawing.text(value, x + 108, 285, "b")
    question = drawing.box("question", 468, 38, 94, 32)
    passage = drawing.box("passage", 570, 38, 94, 32)
    reader = drawing.box(
        "one Transformer", 486, 110, 160, 54, "train", note="reads both, trained for it"
    )
    drawing.arrow(question.bottom, (515, 110))
    drawing.arrow(passage.bottom, (617, 110))
    score = drawing.box(
        "score", 506, 196, 120, 50, "op", note="a pass per pair", face=""
    )
    drawing.arrow(reader.bottom, score.top)
    drawing.text("not run here", 566, 285, "s")
    return drawing


DRAWINGS = (rag, vote_of_passages, hnsw, rerankers)
