"""What is expected of the data, checked by Great Expectations, which costs about 3 s to import: only `validate` comes here."""

import os

# Read by Great Expectations when it is imported; other 1.x versions than the locked one report their use without it.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
