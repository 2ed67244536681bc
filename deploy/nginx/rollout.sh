#!/bin/sh
# Change the two replicas behind nginx.conf to another image, one after the other, without a lost request:
#   deploy/nginx/rollout.sh darkroom:2
# The new one must be ready before the other one stops. When it is not within a minute, all stops here: the replica that is left
# goes on answering. What is given after the image are further options of `podman run`.
set -eu
image=$1
shift
tool=${TOOL:-podman}

ready() { # port
  python3 -c 'import sys, urllib.request; urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/readyz", timeout=2)' "$1" 2>/dev/null
}

for port in 8081 8082; do
  name=darkroom-$port
  if "$tool" container inspect "$name" >/dev/null 2>&1; then
    # SIGTERM: it answers what it has and what still comes, then ends.
    "$tool" stop --time 40 "$name" >/dev/null
    "$tool" rm "$name" >/dev/null
  fi
  "$tool" run --detach --name "$name" --network host --env DARKROOM_HOST=127.0.0.1 --env "DARKROOM_PORT=$port" \
    --memory 1g \
    --read-only --cap-drop all --security-opt no-new-privileges --restart unless-stopped \
    "$@" "$image" >/dev/null
  waited=0
  until ready "$port"; do
    waited=$((waited + 1))
    if [ "$waited" -gt 60 ] || [ "$("$tool" inspect --format '{{.State.Running}} {{.RestartCount}}' "$name")" != "true 0" ]; then
      "$tool" logs "$name" >&2
      echo "error: $name is not ready with $image (its log is above); the other replica still has the image before" >&2
      exit 1
    fi
    sleep 1
  done
  echo "$name answers with $image"
done
