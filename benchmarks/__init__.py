"""Ours beside named peers and the measured ceilings of the machine; how to run each: `docs/benchmarks.md`."""
