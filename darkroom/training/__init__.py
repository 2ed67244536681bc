"""Fitting a network: batches, the loop, optimizers, checkpoints."""
