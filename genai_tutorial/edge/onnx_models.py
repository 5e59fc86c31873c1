"""Exported decoder steps, run by onnxruntime on one CPU thread."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import require, write_atomically

from .onnx_step import CONTEXT_LENGTH


class OnnxStep:
    """A decoder step in onnxruntime, and the state after the tokens read so far.

    Args:
        path: A file from `export_step`.

    Raises:
        ImportError: If onnxruntime is not installed.
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or not from `export_step`.
    """

    def __init__(self, path: Path | str):
        runtime = require("onnxruntime", extra="export")
        _check_file(path)
        self.name = Path(path).name
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # the error says it
        try:
            self.session = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base class
            raise ValueError(
                f"{self.name} is damaged or not an ONNX file: {error}"
            ) from None
        notes = self.session.get_modelmeta().custom_metadata_map
        shapes = {value.name: value.shape for value in self.session.get_inputs()}
        longest = notes.get(CONTEXT_LENGTH, "")
        is_step = "ids" in shapes and len(shapes.get("keys", ())) == 5
        if not longest.isdecimal() or not is_step:
            raise ValueError(f"{self.name} is damaged or not from export_step.")
        self.longest = int(longest)
        self.reset()

    def reset(self) -> None:
        """Forget the text: no keys, and zeros before the first token."""
        self.state = {
            value.name: _zeros(value.shape, value.type)
            for value in self.session.get_inputs()
            if value.name != "ids"
        }

    def read(self, token: int) -> Float[Tensor, "vocab"]:
        """Read one token and return the logits of the next one.

        Raises:
            ValueError: If the context window is full, or onnxruntime cannot compute
                the step: the token is not in the vocabulary, or the file is damaged.
        """
        if self.state["keys"].shape[3] >= self.longest:
            raise ValueError(
                f"The context window of {self.longest} tokens is full: call reset, and "
                "read the end of the text again."
            )
        ids = np.array([[token]], dtype=np.int64)
        try:
            logits, *state = self.session.run(None, {"ids": ids, **self.state})
            self.state = dict(zip(self.state, state, strict=True))
        except Exception as error:  # onnxruntime's errors have no common base class
            raise ValueError(
                f"onnxruntime cannot read token {token} with {self.name}: {error}"
            ) from None
        return torch.from_numpy(logits)[0]

    def generate(self, ids: list[int], max_new_tokens: int) -> list[int]:
        """Return the most probable continuation (greedy decoding) of a text, from an
        empty cache; both together must fit into the context window.

        Raises:
            ValueError: If the prompt is empty.
        """
        if not ids:
            raise ValueError("The prompt must have at least one token.")
        self.reset()
        for token in ids:
            logits = self.read(token)
        written = []
        for _ in range(max_new_tokens):
            written.append(int(logits.argmax()))
            if len(written) < max_new_tokens:
                logits = self.read(written[-1])
        return written


def quantize_onnx(source: Path | str, path: Path | str) -> Path:
    """Write a copy of an ONNX file with 8-bit matrices, a scale for each column."""
    quantization = require("onnxruntime.quantization", extra="export")
    _check_file(source)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "quantized.onnx"
        disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it advises a step that changes nothing here
        try:
            quantization.quantize_dynamic(
                source,
                written,
                weight_type=quantization.QuantType.QInt8,
                per_channel=True,
            )
        finally:
            logging.disable(disabled)
        with write_atomically(path) as file:
            file.write(written.read_bytes())
    return Path(path)


def _check_file(path: Path | str) -> None:
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"There is no file {path}: write one with export_onnx or export_step."
        )


def _zeros(shape: list[int | str], kind: str) -> np.ndarray:
    """Return zeros; a size with a name is the length of the past, which is empty."""
    sizes = [size if isinstance(size, int) else 0 for size in shape]
    return np.zeros(sizes, dtype=np.int64 if "int64" in kind else np.float32)
