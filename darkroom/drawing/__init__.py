"""Self-contained pages and the drawings in them."""
