"""Whether a candidate becomes the champion: `python -m darkroom.gate champion workspace`."""
