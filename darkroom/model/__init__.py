"""What a model is without its weights: class list, specification, provenance."""
