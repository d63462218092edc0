#!/usr/bin/env bash
# Does an evaluation as a real Slurm array: on a cluster of this one machine, with daemons, ports and
# keys of its own in a temporary folder. Needs no root, and touches no Slurm that is there already.
# Of four tasks one is requeued in the middle, one is told that its time is nearly up, one is killed;
# all go on, are merged, and have to equal a run without shards in every outcome.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
me=slurm-test
# shellcheck source=scripts/common.sh
. "$here/common.sh"
PATH=$PATH:/usr/sbin:/sbin

for program in slurmctld slurmd sbatch munged python3 pgrep; do
    command -v "$program" >/dev/null ||
        fail "$program is not installed" \
            "  Debian, Ubuntu: sudo apt-get install slurm-wlm munge python3 procps"
done

cargo=${CARGO:-cargo}
cd "$here/.."
"$cargo" build --package resilience-cli --locked --quiet
target=$("$cargo" metadata --format-version 1 --no-deps --locked |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
resilience=$target/debug/resilience

cluster=$(mktemp -d "${TMPDIR:-/tmp}/resilience-slurm.XXXXXX")
# A blank in every path: what is not quoted shows.
work="$cluster/my work"
mkdir "$cluster/state" "$cluster/spool" "$cluster/logs" "$work"

finish() {
    code=$?
    trap - EXIT
    scancel --user "$(id -un)" 2>/dev/null || true
    for daemon in slurmctld slurmd munged; do
        [ ! -f "$cluster/$daemon.pid" ] || kill "$(cat "$cluster/$daemon.pid")" 2>/dev/null || true
    done
    if [ "$code" -eq 0 ]; then
        sleep 1
        rm -rf "$cluster"
    else
        echo "$me: everything is left in $cluster, logs of daemons in logs/" >&2
    fi
    exit "$code"
}
trap finish EXIT

start_cluster() {
    local user host ports
    user=$(id -un)
    host=$(hostname -s)
    read -r -a ports < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))')
    (umask 077 && head -c 128 /dev/urandom >"$cluster/munge.key")
    munged --force --socket="$cluster/munge.socket" --key-file="$cluster/munge.key" \
        --pid-file="$cluster/munged.pid" --seed-file="$cluster/munge.seed" \
        --log-file="$cluster/logs/munged.log"
    cat >"$cluster/slurm.conf" <<CONF
ClusterName=resilience
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
SlurmctldPort=${ports[0]}
SlurmdPort=${ports[1]}
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
SlurmctldLogFile=$cluster/logs/slurmctld.log
SlurmdLogFile=$cluster/logs/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
# Four tasks at once, however many cores there are.
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    export SLURM_CONF="$cluster/slurm.conf"
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF"
    wait_for 60 "the node to be idle" node_is_idle
}

node_is_idle() {
    [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
    local seconds=$1 what=$2
    shift 2
    for _ in $(seq "$((seconds * 5))"); do
        ! "$@" || return 0
        sleep 0.2
    done
    fail "waited $seconds s for $what, in vain"
}

# Whether a shard has outcomes and is not finished. No lock is taken that the task could run into.
in_the_middle() {
    python3 - "$work/run of 4/shard-$1/run.sqlite" <<'PYTHON'
import pathlib, sqlite3, sys
try:
    run = sqlite3.connect(pathlib.Path(sys.argv[1]).as_uri() + "?immutable=1", uri=True)
    outcomes, = run.execute("SELECT count(*) FROM outcome").fetchone()
    finished, = run.execute("SELECT finished FROM run").fetchone()
except sqlite3.Error:
    sys.exit(1)
sys.exit(not (outcomes > 0 and not finished))
PYTHON
}

# The process of a shard's program.
program_of() {
    local pid
    for pid in $(pgrep --full "shard auto/4 --out run of 4/shard-$1\$"); do
        [ "$(readlink "/proc/$pid/cwd")" != "$work" ] || echo "$pid"
    done
}

is_queued() {
    [ "$(squeue --noheader --array --format=%T --job="$1" 2>/dev/null)" = PENDING ]
}

# Requeued tasks wait for two minutes, unless they are told not to. Slurm takes a task that starts in the
# second in which it was requeued for the old one, and kills it.
hurry() {
    local task
    for task in "$@"; do
        wait_for 120 "task $task to be in the queue again" is_queued "$task"
    done
    sleep 3
    for task in "$@"; do
        scontrol update JobId="$task" StartTime=now
    done
}

over() {
    [ -z "$(squeue --noheader --job="$1" 2>/dev/null)" ]
}

states() {
    squeue --noheader --states=all --array --sort=i --format='  %i %j %T' --job="$1"
}

said() {
    grep --quiet "$2" "$work/run of 4/logs/shard-$1.err" || fail "shard $1 did not say '$2'"
}

submit() {
    local line
    sh 'run of 4/submit.sh' | tee "$cluster/submitted"
    read -r line <"$cluster/submitted"
    array=${line#array }
    merge=${line#*then merge }
    array=${array%%,*}
    merge=${merge%%;*}
}

unset RESILIENCE_DATA RESILIENCE_MODELS
export XDG_CACHE_HOME="$cluster/cache"
start_cluster
echo "$me: a cluster of one machine, $(sbatch --version)"
cd "$work"
"$resilience" train --recipe standard --data shapes10 --n 1000 --epochs 3 --threads 1 \
    --out model.pth 2>"$cluster/logs/train.err"
# Budgets by which a shard takes some seconds, and on a busy machine no hours.
cat >small.toml <<'TOML'
version = 1
about = 'small budgets'
[[attack]]
id = 'apgd-ce'
settings = { steps = 20 }
[[attack]]
id = 'apgd-t'
settings = { steps = 20, targets = 2 }
[[attack]]
id = 'square'
settings = { queries = 300 }
TOML
evaluation=(
    eval model.toml --data shapes10 --n 256 --block 16 --suite small.toml --eps 1/255,2/255
    --precision exact
)

"$resilience" submit --slurm --shards 4 --threads 1 --out 'run of 4' -- "${evaluation[@]}"
submit
wait_for 300 "shard 2 to be in the middle" in_the_middle 2
scontrol requeue "${array}_2"
echo "$me: requeued task 2 in the middle"
wait_for 300 "shard 3 to be in the middle" in_the_middle 3
scancel --batch --signal=USR1 "${array}_3"
echo "$me: told task 3 that its time is nearly up"
wait_for 300 "shard 4 to be in the middle" in_the_middle 4
victim=$(program_of 4)
[ -n "$victim" ] || fail "the program of shard 4 is not to be found"
kill -9 "$victim"
echo "$me: killed the program of task 4 in the middle"
hurry "${array}_2" "${array}_3"
wait_for 900 "the array to end" over "$array"
wait_for 120 "the merge to be given up" over "$merge"
states "$array,$merge"
for shard in 2 3; do
    said "$shard" "was begun before and goes on"
done
[ ! -e 'run of 4/whole' ] || fail "three shards were merged"

echo "$me: submitting once more"
submit
wait_for 900 "the array to end" over "$array"
wait_for 300 "the merge to end" over "$merge"
states "$array,$merge"
said 1 "is finished; only its report is written anew"
said 4 "was begun before and goes on"

"$resilience" "${evaluation[@]}" --threads 1 --out single >"$cluster/logs/single.out" 2>&1
"$resilience" verify 'run of 4/whole'
for run in single 'run of 4/whole'; do
    "$resilience" export "$run" --format csv
done
cmp single/outcomes.csv 'run of 4/whole/outcomes.csv' ||
    fail "the merged run differs from the one without shards"
echo "$me: passed: all outcomes of the merged run are those of the run without shards"
