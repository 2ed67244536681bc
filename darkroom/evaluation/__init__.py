"""Numbers about predictions, each with its interval, and the page that shows them."""
