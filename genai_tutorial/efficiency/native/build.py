"""The C code: compiled on this machine, once, into the cache folder, and the order in
which it reads weights.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt32
from torch import Tensor

from genai_tutorial.runtime import cache_folder, write_atomically
from genai_tutorial.transformer import DecoderLM

from ..quantization import quantize_affine, quantize_symmetric

FOLDER = Path(__file__).parent
KERNELS = ("rows", "columns", "lanes", "vnni")
ON_ARM = platform.machine().lower() in ("arm64", "aarch64")
INSTRUCTIONS = {
    "native": ["-mcpu=native" if ON_ARM else "-march=native"],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "sse4.2": ["-msse4.2"],
}
# Not -ffast-math: a library linked with it makes the whole process, and so PyTorch,
# round numbers near zero to zero, see https://github.com/llvm/llvm-project/issues/57589
FLAGS = ["-O3", "-fno-math-errno", "-shared", "-fPIC", "-Wno-psabi"]
if sys.platform == "linux":  # an error for functions that no library has
    FLAGS.append("-Wl,-z,defs")
TIMEOUT = 120  # seconds; it takes about one


class NativeBuildError(RuntimeError):
    """Raised when the C code can't be built or loaded on this machine."""


def find_compiler() -> str | None:
    """Return the path of a C compiler: `$CC`, the one that built Python, or `cc`, `gcc`
    or `clang`; None if there is none.
    """
    built_python = shlex.split(sysconfig.get_config_var("CC") or "")[:1]
    for name in (os.environ.get("CC"), *built_python, "cc", "gcc", "clang"):
        if name and (path := shutil.which(name)):
            return path
    return None


def build_native(kernel: str, instructions: str) -> Path:
    """Compile the decoding step with one of the matrix products, unless the cache has
    it, and return the shared library.
    """
    _check(kernel, "kernel", KERNELS)
    _check(instructions, "instructions", tuple(INSTRUCTIONS))
    compiler = find_compiler()
    if compiler is None:
        raise NativeBuildError(
            "There is no C compiler (cc, gcc or clang): install one, for example with "
            '`apt install gcc`, or use quantized(model, "int4").'
        )
    sources = [FOLDER / "decode.c", FOLDER / f"matvec_{kernel}.c"]
    flags = FLAGS + INSTRUCTIONS[instructions]
    texts = [path.read_text("utf-8") for path in (*sources, FOLDER / "matvec.h")]
    named = "\0".join([*texts, *flags, compiler, platform.machine(), _cpu_features()])
    name = f"{kernel}-{hashlib.sha256(named.encode()).hexdigest()[:16]}.so"
    library = cache_folder() / "native" / name
    if not library.is_file():
        compiled = _compile(compiler, flags, sources)
        try:
            library.parent.parent.mkdir(parents=True, exist_ok=True)
            library.parent.mkdir(mode=0o700, exist_ok=True)
            with write_atomically(library) as file:
                file.write(compiled)
            library.chmod(0o600)
        except OSError as error:
            raise NativeBuildError(
                f"The library could not be written to {library.parent} ({error}): make "
                "room there, or set another cache folder."
            ) from error
    for path in (library.parent, library):
        _check_owner(path)
    return library


def load_native(kernel: str, instructions: str) -> ctypes.CDLL:
    """Compile the C code if necessary, and load it."""
    library = build_native(kernel, instructions)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise NativeBuildError(
            f"{library} could not be loaded ({error}): delete it, or set another cache "
            "folder."
        ) from error


def kernel_source(name: str) -> str:
    """Return the C code of a matrix product, or of the decoding step around it.

    Args:
        name: "rows", "columns", "lanes", "vnni" or "decode".

    Raises:
        ValueError: If there is no such code.

    >>> "matvec4" in kernel_source("lanes")
    True
    """
    _check(name, "name", (*KERNELS, "decode"))
    file = "decode.c" if name == "decode" else f"matvec_{name}.c"
    return (FOLDER / file).read_text("utf-8")


def _compile(compiler: str, flags: list[str], sources: list[Path]) -> bytes:
    """Return the library, for several threads if the compiler has OpenMP."""
    problem = ""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "decode.so")
        for threads in (["-fopenmp"], []):
            files = [str(path) for path in sources]
            command = [compiler, *flags, *threads, "-o", str(output), *files, "-lm"]
            try:
                done = subprocess.run(
                    command,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=TIMEOUT,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise NativeBuildError(f"{compiler} did not run: {error}.") from error
            if done.returncode == 0:
                return output.read_bytes()
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            problem = lines[0] if lines else done.stderr.strip()[-200:]
    raise NativeBuildError(
        f"{compiler} could not compile {sources[1].name} for this machine: {problem}"
    )


def _check_owner(path: Path) -> None:
    """Refuse what others may write: code from it would run with this user's rights."""
    found = path.stat()
    is_foreign = hasattr(os, "getuid") and found.st_uid != os.getuid()
    if is_foreign or found.st_mode & 0o022:
        raise NativeBuildError(
            f"{path} can be written by other users, so code from it is not run: delete "
            "it, or set GENAI_TUTORIAL_CACHE to a folder of your own."
        )


def _cpu_features() -> str:
    """Return what the CPU can do, because a home folder may serve several machines."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    features = ("flags", "Features")
    return next((x for x in text.splitlines() if x.startswith(features)), "")


def _check(value: str, name: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}.")


COLUMNS = 32  # in a block
GROUP = 16  # rows side by side


def pack_layers(model: DecoderLM, interleaved: bool) -> UInt32[np.ndarray, "words"]:
    """Return the matrices of all blocks in 4 bits, one behind the other."""
    parts = []
    for block in model.blocks:
        attention, feed_forward = block.attention, block.feed_forward
        for layers in (
            (attention.query, attention.key, attention.value),
            (attention.output,),
            (feed_forward.gate, feed_forward.widen),
            (feed_forward.output,),
        ):
            weight = torch.cat([layer.weight.detach() for layer in layers])
            parts.append(pack(weight, 4, interleaved))
    return np.concatenate(parts)


def pack(
    weight: Float[Tensor, "rows columns"], bits: int, interleaved: bool
) -> UInt32[np.ndarray, "words"]:
    """Quantize a matrix in groups of 32 columns and return its words."""
    missing = -weight.shape[0] % GROUP
    if missing:
        weight = torch.cat((weight, weight.new_zeros(missing, weight.shape[1])))
    blocks = _words4(weight) if bits == 4 else _words8(weight)
    if interleaved:
        groups = blocks.reshape(-1, GROUP, *blocks.shape[1:])
        blocks = groups.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(blocks).reshape(-1)


def _words4(weight: Tensor) -> UInt32[np.ndarray, "rows blocks 5"]:
    matrix = quantize_affine(weight, 4, COLUMNS)
    levels = matrix.levels.to(torch.uint8).numpy()
    pairs = levels[:, ::2] | levels[:, 1::2] << 4  # the first column in the lower half
    header = torch.stack((matrix.scale, matrix.offset), dim=-1).half().numpy()
    return _join(header, pairs)


def _words8(weight: Tensor) -> UInt32[np.ndarray, "rows blocks 9"]:
    matrix = quantize_symmetric(weight, 8, COLUMNS)
    levels = matrix.levels.to(torch.int8).numpy()
    return _join(matrix.scale.numpy()[..., None], levels)


def _join(header: np.ndarray, levels: np.ndarray) -> UInt32[np.ndarray, "r b words"]:
    rows, blocks = header.shape[:2]
    words = np.ascontiguousarray(levels).view(np.uint32).reshape(rows, blocks, -1)
    return np.concatenate((np.ascontiguousarray(header).view(np.uint32), words), axis=2)
