"""Recipes for one language model in three stages: pre-trained, fine-tuned, and trained
with PPO.
"""
