"""What starts DVC, and when: the line as a flow, retraining, and its schedule."""
