#!/bin/bash
# {{ heading }}
# Merges them, when all are finished.
#SBATCH --job-name={{ name }}
#SBATCH --chdir={{ at }}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --open-mode=append
#SBATCH --output={{ out }}
#SBATCH --error={{ err }}
{%- for option in slurm.options %}
#SBATCH {{ option }}
{%- endfor %}
{%- for variable in variables %}
export {{ variable }}
{%- endfor %}

exec {{ command }}
