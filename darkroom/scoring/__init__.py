"""Numbers about predictions, each with its interval."""
