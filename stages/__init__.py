"""The stages of the line, each run as `python -m stages.<name>`."""

import gc

# An import of torch, or an export, makes a million objects that stay. Python looks for circles among them each time that 700
# more have been made: 0.3 of the 2.0 s of an import, 0.6 of the 7.1 s of an export.
gc.set_threshold(50_000, 20, 20)
