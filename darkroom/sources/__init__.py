"""One file for each kind of place that images come from."""
