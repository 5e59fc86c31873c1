"""Efficiency: the same model with fewer bits a weight, and the loop that makes use of them."""

from genai_tutorial.efficiency.linear import Int4Linear, Int8Linear
from genai_tutorial.efficiency.quantization import QuantizedMatrix, quantize_affine, quantize_symmetric

__all__ = ["Int4Linear", "Int8Linear", "QuantizedMatrix", "quantize_affine", "quantize_symmetric"]
