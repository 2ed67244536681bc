"""The settings: declared once, read, checked, and documented."""
