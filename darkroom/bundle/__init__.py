"""The bundle: written, opened, and checked against the evaluated model."""
