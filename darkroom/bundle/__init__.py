"""The bundle that ships: sealed, opened, proven."""
