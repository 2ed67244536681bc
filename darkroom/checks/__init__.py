"""What is expected of the data, and what came of it."""
