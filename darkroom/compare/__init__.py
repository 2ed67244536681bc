"""Two models on the same test images, side by side: `python -m darkroom.compare REV_A REV_B [--out FOLDER]`."""
