#!/usr/bin/env bash
# Runs benches/peers/run.py: our binary against PyTorch, on CIFAR-10 in $RESILIENCE_DATA, and beside
# the checkout of fra31/auto-attack in $AUTOATTACK where that is set. The peer's Python is
# $PEER_PYTHON, else a virtual environment in the cache folder, made the first time. That is large,
# because PyPI's torch for Linux cannot be imported without its CUDA libraries.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
me=bench
# shellcheck source=scripts/common.sh
. "$here/common.sh"

data=${RESILIENCE_DATA:-}
[ -n "$data" ] || fail "set RESILIENCE_DATA to the folder of CIFAR-10's binary version"
# Where `resilience` looks too: $RESILIENCE_MODELS, else the folder `models` beside the data.
models=${RESILIENCE_MODELS:-$data/../models}
weights=${WEIGHTS:-$models/resnet32_standard.pt}
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
if [ -n "${AUTOATTACK:-}" ]; then
    [ -d "$AUTOATTACK/autoattack" ] ||
        fail "AUTOATTACK=$AUTOATTACK is no checkout of fra31/auto-attack"
    set -- --autoattack "$AUTOATTACK" "$@"
fi
# Each model with the radius that its robustness is usually given at.
while read -r name file eps; do
    if [ -f "$models/$file" ]; then
        set -- --suite "$here/../models/$name.toml" "$models/$file" "$eps" "$@"
    elif [ -n "${AUTOATTACK:-}" ]; then
        echo "bench: AutoAttack on $name is left out, because there is no $models/$file" >&2
    fi
done <<MODELS
resnet2b resnet2b.pth 2/255
resnet32-linf8-adversarial resnet32_linf8_adversarial.pt 8/255
resnet32-standard resnet32_standard.pt 8/255
MODELS
exec "$peer" "$here/../benches/peers/run.py" speed "$@"
