"""Augmentation: new training images out of the ones there are, by chance that is counted for each image."""
