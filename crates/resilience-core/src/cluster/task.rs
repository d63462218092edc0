//! Which shard a task of a Slurm array, or a pod of an indexed Kubernetes job, is to do.

use super::TaskError;
use crate::plan::Shard;

const SLURM_ID: &str = "SLURM_ARRAY_TASK_ID";
const SLURM_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const SLURM_MIN: &str = "SLURM_ARRAY_TASK_MIN";
const SLURM_MAX: &str = "SLURM_ARRAY_TASK_MAX";
const SLURM_STEP: &str = "SLURM_ARRAY_TASK_STEP";
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";
const KUBERNETES_COUNT: &str = "JOB_COMPLETIONS";

/// The shard that the scheduler's variables mean; `variable` looks one of them up.
///
/// Without `of`, the array or job is all of the run, and its tasks are the shards in order. With it
/// there are `of` shards, and a task does the one of its own number (Slurm: from 1, Kubernetes: from
/// 0), so that an array of a few of them, submitted once more, does those few.
pub fn shard(
    of: Option<u64>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Shard, TaskError> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    match (set(SLURM_ID), set(KUBERNETES_INDEX)) {
        (Some(slurm), Some(kubernetes)) => Err(TaskError::Both { slurm, kubernetes }),
        (None, None) => Err(TaskError::Neither),
        (Some(_), None) => match of {
            None => of_array(&set),
            Some(of) => numbered(SLURM_ID, number(&set, SLURM_ID)?, 1, of),
        },
        (None, Some(_)) => of_job(of, &set),
    }
}

type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The place of a task among the evenly spaced ids of its array.
fn of_array(set: &Variables<'_>) -> Result<Shard, TaskError> {
    let id = number(set, SLURM_ID)?;
    let of = at_least_one(set, SLURM_COUNT)?;
    let first = if set(SLURM_MIN).is_some() { number(set, SLURM_MIN)? } else { 1 };
    let step = if set(SLURM_STEP).is_some() { at_least_one(set, SLURM_STEP)? } else { 1 };
    let contiguous = format!("submit the array with contiguous ids, --array=1-{of}");
    let last = first.saturating_add((of - 1).saturating_mul(step));
    if let Some(found) = set(SLURM_MAX)
        && found.trim().parse() != Ok(last)
    {
        return Err(TaskError::Variable {
            name: SLURM_MAX,
            found: format!("'{found}'"),
            expected: format!("{last}, where {of} ids go from {first} in steps of {step}"),
            remedy: contiguous,
        });
    }
    if !(first..=last).contains(&id) || !(id - first).is_multiple_of(step) {
        return Err(TaskError::Variable {
            name: SLURM_ID,
            found: format!("'{id}'"),
            expected: format!("one of the {of} ids from {first} to {last} in steps of {step}"),
            remedy: contiguous,
        });
    }
    Ok(Shard { index: (id - first) / step + 1, of })
}

fn of_job(of: Option<u64>, set: &Variables<'_>) -> Result<Shard, TaskError> {
    let index = number(set, KUBERNETES_INDEX)?;
    let of = match (of, set(KUBERNETES_COUNT)) {
        (Some(of), None) => of,
        (None, _) => at_least_one(set, KUBERNETES_COUNT)?,
        (Some(of), Some(found)) if found.trim().parse() == Ok(of) => of,
        (Some(of), Some(found)) => {
            return Err(TaskError::Variable {
                name: KUBERNETES_COUNT,
                found: format!("'{found}'"),
                expected: format!("{of}, as in --shard auto/{of}"),
                remedy: "give both the job's number of completions".to_owned(),
            });
        }
    };
    numbered(KUBERNETES_INDEX, index, 0, of)
}

/// The shard of this number, where they are counted from `first`.
fn numbered(name: &'static str, number: u64, first: u64, of: u64) -> Result<Shard, TaskError> {
    let last = of - 1 + first;
    if (first..=last).contains(&number) {
        return Ok(Shard { index: number - first + 1, of });
    }
    Err(TaskError::Variable {
        name,
        found: format!("'{number}'"),
        expected: format!("{first} to {last}, for {of} shards"),
        remedy: format!("number the tasks {first} to {last}"),
    })
}

fn number(set: &Variables<'_>, name: &'static str) -> Result<u64, TaskError> {
    let found = set(name);
    let number = found.as_deref().and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| TaskError::Variable {
        name,
        found: found.map_or_else(|| "nothing (it is not set)".to_owned(), |text| format!("'{text}'")),
        expected: "a whole number".to_owned(),
        remedy: match name {
            KUBERNETES_COUNT => "set it in the manifest to the job's completions, as `resilience \
                                 submit --kubernetes` does, or give --shard auto/M"
                .to_owned(),
            _ => "start the command as a task of `sbatch --array=1-M` (or of an indexed job), or name \
                  the shard with --shard K/M"
                .to_owned(),
        },
    })
}

fn at_least_one(set: &Variables<'_>, name: &'static str) -> Result<u64, TaskError> {
    match number(set, name)? {
        0 => Err(TaskError::Variable {
            name,
            found: "'0'".to_owned(),
            expected: "a whole number from 1".to_owned(),
            remedy: "leave the variable to the scheduler, or name the shard with --shard K/M"
                .to_owned(),
        }),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(of: Option<u64>, variables: &[(&str, &str)]) -> Result<Shard, TaskError> {
        shard(of, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// What Slurm sets in the task `id` of an array.
    fn array(
        id: &str,
        count: &str,
        min: &str,
        max: &str,
        step: &str,
    ) -> [(&'static str, String); 5] {
        [
            (SLURM_ID, id),
            (SLURM_COUNT, count),
            (SLURM_MIN, min),
            (SLURM_MAX, max),
            (SLURM_STEP, step),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    }

    fn of_slurm(of: Option<u64>, variables: &[(&'static str, String)]) -> Result<Shard, TaskError> {
        let pairs: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        found(of, &pairs)
    }

    /// Would catch tasks that do the same shard, or none at all: those of an array, wherever its ids
    /// begin and however they are spaced, are all the shards.
    #[test]
    fn the_tasks_of_an_array_are_all_the_shards() {
        for (first, step) in [(0, 1), (1, 1), (5, 1), (1, 2), (0, 3)] {
            let max = (first + 3 * step).to_string();
            let shards: Vec<String> = (0..4)
                .map(|place| {
                    let id = (first + place * step).to_string();
                    let variables = array(&id, "4", &first.to_string(), &max, &step.to_string());
                    of_slurm(None, &variables).unwrap().to_string()
                })
                .collect();
            assert_eq!(shards, ["1/4", "2/4", "3/4", "4/4"], "from {first} by {step}");
        }
        let fewest = [(SLURM_ID, "2"), (SLURM_COUNT, "4")];
        assert_eq!(found(None, &fewest).unwrap(), Shard { index: 2, of: 4 });
    }

    /// Would catch a part of the run that nobody does, or that is done twice: `--array=1,2,9`.
    #[test]
    fn arrays_with_gaps_are_refused() {
        let error = of_slurm(None, &array("9", "3", "1", "9", "1")).unwrap_err().to_string();
        for words in ["SLURM_ARRAY_TASK_MAX", "'9'", "expected 3", "--array=1-3"] {
            assert!(error.contains(words), "'{words}' is not in: {error}");
        }
        let error = of_slurm(None, &array("2", "3", "1", "5", "2")).unwrap_err().to_string();
        assert!(error.contains("SLURM_ARRAY_TASK_ID: expected one of the 3 ids"), "{error}");
    }

    /// Would catch one task, submitted once more, that does the whole run.
    #[test]
    fn a_part_of_an_array_does_its_own_shards() {
        let alone = array("3", "1", "3", "3", "1");
        assert_eq!(of_slurm(Some(4), &alone).unwrap(), Shard { index: 3, of: 4 });
        for id in ["0", "5"] {
            let error = of_slurm(Some(4), &array(id, "1", id, id, "1")).unwrap_err().to_string();
            assert!(error.contains("1 to 4, for 4 shards"), "{error}");
        }
    }

    /// Would catch indices taken as if they were counted from one.
    #[test]
    fn the_pods_of_an_indexed_job_are_all_the_shards() {
        let of = |of: Option<u64>, index: &str, completions: &str| {
            found(of, &[(KUBERNETES_INDEX, index), (KUBERNETES_COUNT, completions)])
        };
        for index in 0..4 {
            let text = index.to_string();
            let expected = Shard { index: index + 1, of: 4 };
            assert_eq!(of(None, &text, "4").unwrap(), expected);
            assert_eq!(of(Some(4), &text, "4").unwrap(), expected);
            assert_eq!(found(Some(4), &[(KUBERNETES_INDEX, &text)]).unwrap(), expected);
        }
        let error = of(None, "4", "4").unwrap_err().to_string();
        assert!(error.contains("JOB_COMPLETION_INDEX: expected 0 to 3"), "{error}");
        let error = of(Some(5), "4", "4").unwrap_err().to_string();
        assert!(error.contains("JOB_COMPLETIONS: expected 5"), "{error}");
    }

    /// Would catch an error that does not name the variable, what it holds, what it should, and what to
    /// do; and a guess where the environment says two things, or nothing.
    #[test]
    fn mistakes_are_named_with_their_remedy() {
        let cases: [(&[_], &[_]); 7] = [
            (&[], &["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "not set", "--shard K/M"]),
            (&[(SLURM_ID, " ")], &["not set"]),
            (
                &[(SLURM_ID, "1"), (KUBERNETES_INDEX, "0")],
                &["at once", "SLURM_ARRAY_TASK_ID is '1'", "JOB_COMPLETION_INDEX is '0'", "unset"],
            ),
            (&[(SLURM_ID, "one"), (SLURM_COUNT, "4")], &["'one'", "a whole number", "sbatch"]),
            (&[(SLURM_ID, "1")], &["SLURM_ARRAY_TASK_COUNT", "nothing", "a whole number"]),
            (&[(SLURM_ID, "1"), (SLURM_COUNT, "0")], &["SLURM_ARRAY_TASK_COUNT", "'0'", "from 1"]),
            (&[(KUBERNETES_INDEX, "0")], &["JOB_COMPLETIONS", "nothing", "manifest", "auto/M"]),
        ];
        for (variables, words) in cases {
            let error = found(None, variables).unwrap_err().to_string();
            for word in words {
                assert!(error.contains(word), "{variables:?}: '{word}' is not in: {error}");
            }
        }
    }
}
