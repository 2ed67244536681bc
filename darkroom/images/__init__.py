"""From file bytes to pixels: decoding, fingerprints, the manifest, splitting and packing."""
