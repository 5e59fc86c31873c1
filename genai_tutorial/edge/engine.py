"""The engine that runs a packed model in a web page, as JavaScript without any library.

A page can insert it with a `<script>` element, which works on a server and in a file on
a disk alike, where browsers refuse `fetch`. So models, too, are scripts, with their
bytes as base64.
"""

import base64
import json
from functools import cache
from importlib.resources import files

from .assembler import assemble
from .pack import PackedModel

SOURCES = ("kernel.js", "bpe.js", "sampling.js", "decoder.js", "matvec.wat")
EXPORTS = (
    "BPETokenizer",
    "Decoder",
    "chatPrompt",
    "generate",
    "nextTokenProbabilities",
    "streamDecoder",
)
DEFINE = "const genaiEdge = (globalThis.genaiEdge ??= { models: {} });"


def engine_source(name: str) -> str:
    """Return one of the engine's files, to read it.

    Args:
        name: kernel.js, bpe.js, sampling.js, decoder.js or matvec.wat.

    Raises:
        ValueError: If there is no such file.
    """
    if name not in SOURCES:
        raise ValueError(
            f"The engine has the files {', '.join(SOURCES)}, not {name!r}."
        )
    return (files("genai_tutorial.edge") / "web" / name).read_text("utf8")


@cache
def kernel_code() -> bytes:
    """Return the WebAssembly module that `matvec.wat` assembles to."""
    return assemble(engine_source("matvec.wat"))


def engine_script() -> str:
    """Return the whole engine as one script, which defines `genaiEdge` in a page: the
    names in `EXPORTS`, and the kernel's bytes as `kernelCode`.
    """
    kernel = base64.b64encode(kernel_code()).decode("ascii")
    sources = [engine_source(name) for name in SOURCES if name.endswith(".js")]
    names = ", ".join((*EXPORTS, "fromBase64", "kernelCode"))
    return _script(
        *sources,
        f'const kernelCode = fromBase64("{kernel}");',
        DEFINE,
        f"Object.assign(genaiEdge, {{ {names} }});",
    )


def tokenizer_script() -> str:
    """Return the part of the engine that a tokenizer needs, as one script, which
    defines `genaiEdge.BPETokenizer` and `genaiEdge.streamDecoder`.
    """
    return _script(
        engine_source("bpe.js"),
        DEFINE,
        "Object.assign(genaiEdge, { BPETokenizer, streamDecoder });",
    )


def model_script(packed: PackedModel) -> str:
    """Return a packed model as a script, which puts it into `genaiEdge.models` under
    its name.
    """
    content = json.dumps({"digest": packed.digest, "content": packed.base64})
    return _script(
        DEFINE,
        f"genaiEdge.models[{json.dumps(packed.name)}] = {content};",
    )


def _script(*parts: str) -> str:
    return "\n".join(['(function () {\n"use strict";', *parts, "})();\n"])
