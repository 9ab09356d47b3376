#!/bin/sh
# The environment of a container, from requirements.lock without what is for non-commercial use only:
# sh containers/install.sh CUDA, where CUDA is 0 (PyTorch for the CPU) or 1 (the lock's, for cards).
set -eu
cuda=$1
skip='bm3d|bm4d|pyiqa'
[ "$cuda" = 1 ] || skip="$skip|torch|torchvision|cuda-[a-z0-9-]*|nvidia-[a-z0-9-]*"
lock=${TMPDIR:-/tmp}/container.lock
awk -v skip="^($skip)==" '/^[a-z]/ { keep = $0 !~ skip } keep' requirements.lock > "$lock"
python -m pip install --no-cache-dir --no-deps --require-hashes --requirement "$lock"
if [ "$cuda" != 1 ]; then
    # uv knows where PyTorch publishes its builds for the CPU.
    uv pip install --system --no-cache --no-deps --torch-backend=cpu \
        $(sed -n 's/^\(torch\|torchvision\)==\([^ ]*\).*/\1==\2/p' requirements.lock)
fi
rm "$lock"
