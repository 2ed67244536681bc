"""The bundle over HTTP: `python -m serving BUNDLE`. Needs neither torch, pandas, DVC nor Prefect."""
