"""From a bundle and image files to predictions: `python -m darkroom.predict BUNDLE IMAGE…`."""
