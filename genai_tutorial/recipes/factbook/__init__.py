"""Recipes of the language model in three stages: pre-trained, fine-tuned, trained by
PPO.
"""
