"""Samplers: from a network to samples, by DDPM, DDIM, an ODE solver or DPM-Solver++;
guidance and editing change what they draw.
"""
