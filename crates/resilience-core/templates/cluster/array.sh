#!/bin/bash
# {{ heading }}
# Submit with submit.sh, which merges them afterwards; one shard alone again with
# `sbatch --array=K` and this file. A shard that was begun goes on where it was.
#SBATCH --job-name={{ name }}
#SBATCH --chdir={{ at }}
#SBATCH --array=1-{{ job.shards }}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={{ job.threads }}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={{ out }}
#SBATCH --error={{ err }}
#SBATCH --signal=B:USR1@120
{%- for option in slurm.options %}
#SBATCH {{ option }}
{%- endfor %}
{%- for variable in variables %}
export {{ variable }}
{%- endfor %}

# USR1 comes two minutes before the time limit. The program then ends at its next safe point, and the
# task goes back into the queue, where it goes on.
limit=
trap 'limit=near; kill -TERM "$task"' USR1

{{ command }} &
task=$!
wait "$task"
code=$?
if [ -n "$limit" ] && [ "$code" -gt 128 ]; then
    # The first `wait` ended with the signal, this one ends with the program.
    wait "$task"
    code=$?
    [ "$code" -ne 130 ] || scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
