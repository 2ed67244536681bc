"""A page that classifies without a server: `python -m serving.offline BUNDLE PAGE` writes one HTML file."""
