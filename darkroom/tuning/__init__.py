"""Tuning: the space of settings, the trials in it, and what the best of them changes."""
