"""The choice of network and weights for the images at hand."""
