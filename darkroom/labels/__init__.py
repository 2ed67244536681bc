"""What reviewers decided about labels."""
