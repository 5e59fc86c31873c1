"""A decoding step in C: compiled on this machine, read by ctypes, and held equal to the
PyTorch model.
"""
