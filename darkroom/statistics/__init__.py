"""Counts, intervals, calibration, shifts and paired tests: numbers about numbers."""
