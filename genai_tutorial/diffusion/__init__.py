"""Diffusion: noise an image step by step, learn to take the noise away, and draw images from nothing but noise."""
