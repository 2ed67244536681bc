"""Bundle and image files in, answers out."""
