"""Denoising networks: the U-Net, the Diffusion Transformer, and their embeddings of
timesteps, labels and texts.
"""
