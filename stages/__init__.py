"""The eight stages of the line, each run as `python -m stages.<name>`."""
