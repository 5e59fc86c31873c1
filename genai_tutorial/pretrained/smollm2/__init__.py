"""SmolLM2, a real chat model with 135 million parameters, in the book's own decoder.

`find` locates it, `gguf` and `hugging_face` read the two file formats, and `load`
assigns the weights.
"""
