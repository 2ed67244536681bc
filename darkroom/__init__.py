"""The library behind the line: it imports no stage, no flow and no server."""
