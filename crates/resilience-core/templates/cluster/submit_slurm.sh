#!/bin/sh
# {{ heading }}
# Submits the array and, behind it, the merge. After a failure submit once more: shards that are
# finished stay, the others go on.
set -eu
cd {{ at }}
array=$(sbatch --parsable {{ array }})
# On a federation the cluster's name follows the number.
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes {{ merge }})
merge=${merge%%;*}
echo "array $array, then merge $merge; the whole run will be in "{{ whole }}
echo "squeue --job $array,$merge"
