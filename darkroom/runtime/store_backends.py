"""The object stores that are known: which package reads each, what it is told, and how one gets credentials."""

from typing import Any, NamedTuple

# Seconds until a server must take a connection, and until it must give the next bytes; how often a request is tried. A server
# that takes connections and never answers stops the line after four minutes.
CONNECT, READ, TRIES = 10, 30, 4
# Requests wait for the network and not for a core: with 32 at a time a store gives some thousand small objects a second.
AT_ONCE = 32


class Backend(NamedTuple):
    """A kind of store: the package that reads it, its extra, where its errors come from, and how to get credentials."""

    package: str
    extra: str
    errors: tuple[str, ...]
    credentials: str
    options: dict[str, Any]


BACKENDS = {
    "s3": Backend(
        "s3fs",
        "requirements-s3.txt",
        ("botocore.exceptions.BotoCoreError", "botocore.exceptions.ClientError", "aiohttp.ClientError"),
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; FSSPEC_S3_ANON=true reads a public bucket",
        {
            "use_listings_cache": False,
            "config_kwargs": {
                "connect_timeout": CONNECT,
                "read_timeout": READ,
                "max_pool_connections": AT_ONCE,
                "retries": {"max_attempts": TRIES, "mode": "standard"},
            },
        },
    ),
    "gs": Backend(
        "gcsfs",
        "requirements-gs.txt",
        ("google.auth.exceptions.GoogleAuthError", "gcsfs.retry.HttpError", "aiohttp.ClientError"),
        "set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`",
        {"use_listings_cache": False, "requests_timeout": READ},
    ),
    "az": Backend(
        "adlfs",
        "requirements-az.txt",
        ("azure.core.exceptions.AzureError", "aiohttp.ClientError", "builtins.ValueError"),
        "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        {"use_listings_cache": False, "connection_timeout": CONNECT, "read_timeout": READ},
    ),
    # In this process alone; tests use it.
    "memory": Backend("fsspec", "requirements.txt", (), "", {}),
}
SCHEMES = ", ".join(f"{scheme}://" for scheme in BACKENDS if scheme != "memory")
