#!/usr/bin/env bash
# Runs benches/peers/run.py: our binary against PyTorch, on CIFAR-10 in $RESILIENCE_DATA. The peer's
# Python is $PEER_PYTHON, else a virtual environment in the cache folder, made the first time. That
# is large, because PyPI's torch for Linux cannot be imported without its CUDA libraries.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
me=bench
# shellcheck source=scripts/common.sh
. "$here/common.sh"

data=${RESILIENCE_DATA:-}
[ -n "$data" ] || fail "set RESILIENCE_DATA to the folder of CIFAR-10's binary version"
# Where `resilience` looks too: $RESILIENCE_MODELS, else the folder `models` beside the data.
weights=${WEIGHTS:-${RESILIENCE_MODELS:-$data/../models}/resnet32_standard.pt}
[ ! -d "$data/cifar-10-batches-bin" ] || data=$data/cifar-10-batches-bin
[ -f "$data/data_batch_1.bin" ] ||
    fail "no data_batch_1.bin in $data: PyTorch's side reads CIFAR-10's binary version"

imports_peer() {
    "$1" -c 'import numpy, torch; assert torch.__version__.startswith("2.11")' 2>/dev/null
}

peer=${PEER_PYTHON:-}
if [ -n "$peer" ]; then
    imports_peer "$peer" || fail "PEER_PYTHON=$peer does not import numpy and torch 2.11"
else
    folder=$(cache_folder)/peer-python-2.11.0
    peer=$folder/bin/python
    if ! imports_peer "$peer"; then
        echo "bench: installing PyTorch 2.11.0 for the comparison into $folder, once" >&2
        python3 -m venv "$folder" >&2 ||
            fail "python3 cannot make a virtual environment" \
                "  Debian, Ubuntu: sudo apt-get install python3-venv" \
                "  or set PEER_PYTHON to a Python with numpy and torch 2.11"
        "$peer" -m pip install --quiet torch==2.11.0 numpy >&2 ||
            fail "pip could not install torch==2.11.0 and numpy; its message stands above" \
                "  or set PEER_PYTHON to a Python that has them"
    fi
fi

target=$("${CARGO:-cargo}" metadata --format-version 1 --no-deps --locked |
    "$peer" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
set -- --binary "$target/release/resilience" --python "$peer" --data "$data" "$@"
if [ -f "$weights" ]; then
    set -- --model "${MODEL:-$here/../models/resnet32-standard.toml}" --weights "$weights" "$@"
else
    echo "bench: FGSM on ResNet-32 is left out, because there is no $weights" >&2
fi
exec "$peer" "$here/../benches/peers/run.py" speed "$@"
