"""MiniLM, a real sentence encoder with 22.6 million parameters, in the book's own
blocks.
"""
