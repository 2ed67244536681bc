"""S3 as moto has it, on a port of this machine, and credentials that it takes."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 that is empty but for the bucket `photos`; its address and credentials are in the environment."""
    for package in ("s3fs", "flask", "flask_cors"):
        pytest.importorskip(package, reason=f"{package} of requirements-dev.txt is not installed")
    server = pytest.importorskip("moto.server", reason="moto of requirements-dev.txt is not installed")
    import fsspec

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    # What a server of an earlier test had is still there: its buckets belong to the process.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    try:
        with pytest.MonkeyPatch.context() as patched:
            for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
                patched.setenv(name, value)
            for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3"):
                patched.delenv(name, raising=False)
            # fsspec keeps file systems with the address and the credentials that they had.
            fsspec.filesystem("s3").clear_instance_cache()
            fsspec.filesystem("s3", skip_instance_cache=True).mkdir("photos")
            yield f"http://{host}:{port}"
    finally:
        running.stop()
