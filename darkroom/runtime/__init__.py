"""What every room stands on: errors, whole files, seeds, threads, locks and caches."""
