"""Recipes of the latent diffusion models."""
