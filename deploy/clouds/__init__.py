"""The clouds: for each the files and the few commands, in a folder of its own."""
