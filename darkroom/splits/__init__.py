"""Which image goes to train, validation and test."""
