"""Variational autoencoders: a code for each image, with a distribution that one can draw from."""
