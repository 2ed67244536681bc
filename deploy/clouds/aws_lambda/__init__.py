"""AWS Lambda. The folder can't be named `lambda`, which Python keeps for itself."""
