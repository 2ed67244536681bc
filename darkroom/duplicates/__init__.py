"""Copies and near-copies, and the groups that they form."""
