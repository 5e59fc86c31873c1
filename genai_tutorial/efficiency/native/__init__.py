"""A decoding step in C: compiled on this machine, read by ctypes, and held equal to the
PyTorch model.
"""

from genai_tutorial.efficiency.native.build import (
    NativeBuildError,
    build_native,
    find_compiler,
    kernel_source,
)
from genai_tutorial.efficiency.native.decoder import (
    fastest_decoder,
    generate_natively,
    native,
)

__all__ = [
    "NativeBuildError",
    "build_native",
    "fastest_decoder",
    "find_compiler",
    "generate_natively",
    "kernel_source",
    "native",
]
