"""The flows of `make schedule` as deployments in a work pool of your team's Prefect server, whose workers then run them.

    export PREFECT_API_URL=https://prefect.example/api
    prefect work-pool create --type process darkroom
    python -m flows.team darkroom                          # runs in this folder, on the machine of a worker with it
    prefect worker start --pool darkroom

    prefect work-pool create --type kubernetes darkroom-k8s
    python -m flows.team darkroom-k8s --image=registry/darkroom-line:1 --folder=/darkroom   # a job for each run, of this image

The folder holds a clone with its environment, on a volume that lasts where runs are jobs. Times and limits are those of
`make schedule`; retraining goes by the cron of params.yaml.

In the place of `prefect deploy --all`: Prefect 3.8.8 applies the first deployment, then asks for the pool's workers with a
limit of null to word its advice, which FastAPI 0.154, and so a server of our own lock, answers with 422.
"""

import argparse
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from flows import server
from flows.deployments import cron_schedule, make_deployments


def deploy(pool: str, folder: Path, image: str) -> list[str]:
    """Create or update the deployments.

    Args:
        pool: name of a work pool that is there.
        folder: with the clone, where the work is done; absolute.
        image: of a container, for pools that take one; or empty.

    Returns:
        Their full names, such as `retrain/darkroom`.

    Raises:
        DarkroomError: when there is no such pool, or the server refuses a deployment.
    """
    from prefect import get_client
    from prefect.deployments.runner import DeploymentApplyError
    from prefect.exceptions import ObjectNotFound
    from prefect.runner.storage import LocalStorage

    with get_client(sync_client=True) as client:
        try:
            kind = client.read_work_pool(pool).type
        except ObjectNotFound:
            raise DarkroomError(
                f"no work pool {pool} at {server.address()}: `prefect work-pool create --type process {pool}` makes one"
            ) from None
    if image and kind == "process":
        raise DarkroomError(f"the work pool {pool} runs processes, which take no image: leave --image away")
    made = make_deployments(cron_schedule(read_params().schedule), pool)
    for deployment in made:
        deployment.storage = LocalStorage(str(folder))
        # The flows are imported before the folder is the current one.
        deployment.job_variables = {"env": {"PYTHONPATH": str(folder)}}
        try:
            deployment.apply(work_pool_name=pool, image=image or None)
        except DeploymentApplyError as error:
            raise DarkroomError(f"the server refuses {deployment.flow_name}: {error}") from None
    return [f"{deployment.flow_name}/{deployment.name}" for deployment in made]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.team", description="Deploy the flows to a work pool.")
    parser.add_argument("pool", help="name of a work pool of the server that PREFECT_API_URL names")
    parser.add_argument("--folder", default=".", type=Path, help="the clone, where the workers see it; this one")
    parser.add_argument("--image", default="", help="of a container with what the clone needs")
    arguments = parser.parse_args()
    with user_errors():
        if not server.running():
            raise DarkroomError("deployments are made at a server of your team's: set PREFECT_API_URL")
        server.require(server.address())
        print("\n".join(deploy(arguments.pool, arguments.folder.absolute(), arguments.image)))


if __name__ == "__main__":
    main()
