"""Check a service that runs, over the network, on the test images of this clone.

python -m serving.check http://localhost:8080 [--bundle models/export] [--images N] [--key KEY]

Every test image goes through the forms in which clients send images, and must have the probabilities of the graph that the
bundle serves.
"""

import argparse
import asyncio
from pathlib import Path

import httpx
import numpy as np

from darkroom.bundle.bundle import INDEX, load_bundle
from darkroom.bundle.reference_predictions import load_reference
from darkroom.runtime import paths
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.stage import user_errors
from serving.asking import FORMS, VERTEX_ROUTE
from serving.parity import FormParity, form_parity, require_parity


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m serving.check", description="Check a service that runs on the test images of this clone."
    )
    parser.add_argument("address", help="of the service: http://localhost:8080")
    parser.add_argument("--bundle", type=Path, default=paths.BUNDLE, help="what it serves; models/export without it")
    parser.add_argument("--images", type=int, metavar="N", default=10**9, help="an even sample; all without it")
    parser.add_argument(
        "--forms",
        default=",".join(form for form in FORMS if form != "Vertex AI"),
        help=f"some of {', '.join(FORMS)}; all but the last without it, which asks {VERTEX_ROUTE} (AIP_PREDICT_ROUTE)",
    )
    parser.add_argument("--key", help="an API key, where the service needs one")
    arguments = parser.parse_args()
    with user_errors():
        check(arguments.address, arguments.bundle, arguments.images, arguments.forms.split(","), arguments.key)


def check(address: str, folder: Path, images: int, forms: list[str], key: str | None) -> None:
    """Ask for test images, print a line for each form, and stop where an answer is too far from the graph's.

    Args:
        address: of the service.
        folder: of the bundle that it serves.
        images: in each form, at most.
        forms: some of `serving.asking.FORMS`.
        key: an API key; None where the service needs none.

    Raises:
        DarkroomError: when the service can't be reached, serves another bundle, refuses a test image, or differs.
    """
    if unknown := [form for form in forms if form not in FORMS]:
        raise DarkroomError(f"there is no form {', '.join(unknown)}: those here are {', '.join(FORMS)}")
    bundle = load_bundle(folder)
    predictions = paths.EVALUATE_REPORTS / "predictions.parquet"
    reference = load_reference(paths.INGEST, paths.ARRAYS / "test", predictions, bundle.classes, images)
    expected = bundle.predict(np.asarray(reference.pixels))
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def ask() -> dict[str, FormParity]:
        found = {}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
            await _require_bundle(client, file_hash(folder / INDEX))
            for form in forms:
                shards = paths.INGEST / "shards"
                each = await form_parity(client, form, reference, expected, bundle.classes.names, shards, images)
                print(
                    f"  {form:{max(map(len, FORMS))}}  {each.images:,} images  same class {each.label_agreement:.2%}"
                    f"  largest difference {each.largest_difference:.6f}",
                    flush=True,
                )
                found[form] = each
        return found

    print(f"check: {address} beside {folder / bundle.graph}")
    require_parity(asyncio.run(ask()), address)


async def _require_bundle(client: httpx.AsyncClient, expected: str) -> None:
    """Stop unless the service serves this bundle."""
    try:
        response = await client.get("/v1/model")
    except httpx.HTTPError as error:
        raise DarkroomError(f"{client.base_url} can't be reached ({str(error) or type(error).__name__})") from None
    if response.status_code != 200:
        raise DarkroomError(f"/v1/model answered with {response.status_code}: {response.text[:300]}")
    if (found := response.json().get("hash")) != expected:
        raise DarkroomError(
            f"{client.base_url} serves the bundle {found}, and this one is {expected}: give its folder with --bundle"
        )


if __name__ == "__main__":
    main()
