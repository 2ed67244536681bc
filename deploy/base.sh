#!/bin/sh
# A base image from Debian's packages, where no public one can be had or trusted: `deploy/base.sh`, as root or with user
# namespaces. It needs mmdebstrap and podman, and makes two images: darkroom-build (155 MB) has pip and a shell to build with,
# darkroom-base (65 MB) has Python and the libraries it needs, no shell, no package manager.
set -eu
SUITE=bookworm # Python 3.11

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

make() { # name, variant, packages, more options
  name=$1 variant=$2 packages=$3
  shift 3
  mmdebstrap --quiet --variant="$variant" --include="$packages" "$@" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' "$SUITE" "$folder/$name.tar"
  podman import --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' "$folder/$name.tar" "$name"
}

make darkroom-build essential python3,python3-venv,binutils
# Unpacked, not installed: no package's script runs, so that Python's own modules are compiled here.
make darkroom-base extract python3,libstdc++6,libgcc-s1 \
  --customize-hook='chroot "$1" /usr/bin/python3.11 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11'
