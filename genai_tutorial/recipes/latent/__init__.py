"""Recipes for the latent diffusion models."""
