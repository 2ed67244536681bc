"""The library behind the line: it imports no stage, no flow and no server, and nothing that it uses reports to its maker."""

import os

from darkroom.runtime.cores import set_thread_defaults

# Here, since each is read when its package is imported or first used, and nothing that reads one is imported before this.
# Processes that are started from here have them, too.
# - onnxruntime 1.32 looks up a host when a session opens and writes a number of this device below the home;
#   `disable_telemetry_events()` does not stop it, and `CI=true` hides it.
# - Prefect, huggingface_hub (below timm) and others honour DO_NOT_TRACK; Prefect's server asks for its own.
os.environ |= {
    "ORT_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
set_thread_defaults()
