"""A GPT from scratch, in one file: `gpt` computes its own gradients and imports only
Python's standard library. It is also a script: `python gpt.py my_text.txt`.
"""

from .gpt import GPT, Vector, learn, linear, loss_of, write
