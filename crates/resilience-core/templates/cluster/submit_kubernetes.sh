#!/bin/bash
# {{ heading }}
# Run where `resilience submit` was run: submits the shards, waits for all of them, and submits the
# merge. To try a failed job again, `kubectl delete job {{ name }}` and run this once more: shards that
# are finished stay, the others go on.
set -eu
{%- if let Some(claim) = claim %}
kubectl apply --filename={{ claim }}
{%- endif %}
kubectl apply --filename={{ shards }}
# A job ends in one of two ways, and `kubectl wait` waits for one.
kubectl wait --for=condition=complete --timeout=-1s job/{{ name }} &
complete=$!
kubectl wait --for=condition=failed --timeout=-1s job/{{ name }} &
failed=$!
trap 'kill "$complete" "$failed" 2>/dev/null || true' EXIT
while kill -0 "$complete" 2>/dev/null && kill -0 "$failed" 2>/dev/null; do
    sleep 1
done
if kill -0 "$complete" 2>/dev/null || ! wait "$complete"; then
    echo "job {{ name }} did not complete; kubectl describe job {{ name }} says which shards" >&2
    exit 1
fi
kubectl apply --filename={{ merge }}
kubectl wait --for=condition=complete --timeout=1h job/{{ name }}-merge
echo "the whole run is in "{{ whole }}
