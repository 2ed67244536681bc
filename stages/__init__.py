"""The stages of the line, each run as `python -m stages.<name>`."""
