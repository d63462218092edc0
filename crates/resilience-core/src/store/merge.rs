//! The shards of a run put together, into what one run over all images would have recorded.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{AttackId, FILE, MergeError, ModelId, RunStore, StoreError};
use crate::plan::{Difference, Plan, Shard, difference};
use crate::record::{AttackRecord, Provenance};

/// Examples that are copied at once: a few megabytes.
const AT_ONCE: usize = 64;

/// Makes the store of the whole run in the folder `out` out of the finished runs of all its shards,
/// given in any order. Apart from seconds, it holds what a run without shards would hold.
///
/// Nothing is left in `out` if it fails.
pub fn merge(
    dirs: &[PathBuf],
    out: &Path,
    provenance: &Provenance,
) -> Result<RunStore, MergeError> {
    let path = out.join(FILE);
    if path.symlink_metadata().is_ok() {
        return Err(MergeError::Exists { path });
    }
    let shards = in_order(dirs)?;
    fs::create_dir_all(out).map_err(|error| StoreError::io(out, error))?;
    let folder = tempfile::Builder::new().prefix(".resilience-").tempdir_in(out);
    let folder = folder.map_err(|error| StoreError::io(out, error))?;
    let plan = Plan { shard: Shard::WHOLE, ..shards[0].store.plan().clone() };
    let mut whole = RunStore::create(folder.path(), provenance, &plan)?;
    // Until it is whole, nothing of it need survive a power cut; then all of it, at once.
    whole.synchronise("OFF")?;
    for shard in &shards {
        whole.add_pictures(&shard.store.pictures()?)?;
    }
    for place in 0..plan.models.len() {
        join_model(&shards, place, &mut whole)?;
    }
    whole.finish()?;
    drop(whole);
    keep(&folder.path().join(FILE), &path).map_err(|error| StoreError::io(&path, error))?;
    Ok(RunStore::open(out)?)
}

/// Flushes the file to the disk and gives it its name, which no other may have by now.
fn keep(file: &Path, path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(file)?.sync_all()?;
    tempfile::TempPath::try_from_path(file)?.persist_noclobber(path).map_err(|error| error.error)
}

/// An opened shard.
struct Part {
    dir: PathBuf,
    store: RunStore,
}

/// Opens the shards and sees that they are all those of one run.
fn in_order(dirs: &[PathBuf]) -> Result<Vec<Part>, MergeError> {
    let mut parts: BTreeMap<u64, Part> = BTreeMap::new();
    let mut first: Option<(PathBuf, Plan)> = None;
    for dir in dirs {
        let store = RunStore::open(dir)?;
        if !store.finished()? {
            return Err(MergeError::Unfinished { dir: dir.clone() });
        }
        let (first_dir, plan) = first.get_or_insert_with(|| (dir.clone(), store.plan().clone()));
        same(dir, first_dir, "the plan", &without_shard(plan), &without_shard(store.plan()))?;
        let shard = store.plan().shard;
        if shard.of != plan.shard.of {
            return Err(MergeError::OtherShards {
                dir: dir.clone(),
                first: first_dir.clone(),
                expected: plan.shard.of,
                got: shard.of,
            });
        }
        let part = Part { dir: dir.clone(), store };
        if let Some(other) = parts.insert(shard.index, part) {
            return Err(MergeError::Twice { shard, dir: dir.clone(), other: other.dir });
        }
    }
    let Some((_, plan)) = first else { return Err(MergeError::Nothing) };
    let of = plan.shard.of;
    let mut missing = (1..=of).filter(|index| !parts.contains_key(index));
    let named: Vec<_> =
        missing.by_ref().take(10).map(|index| Shard { index, of }.to_string()).collect();
    if !named.is_empty() {
        // A shard that is not there may be one of thousands: the first ones say enough.
        let more = if missing.next().is_some() { ", …" } else { "" };
        return Err(MergeError::Gap { missing: format!("{}{more}", named.join(", ")) });
    }
    Ok(parts.into_values().collect())
}

fn join_model(shards: &[Part], place: usize, whole: &mut RunStore) -> Result<(), MergeError> {
    let mut models = Vec::new();
    let mut clean = Vec::new();
    for shard in shards {
        let model = shard.store.models()?.into_iter().nth(place);
        let (id, record) = model.ok_or_else(|| shard.lacks(&format!("model {}", place + 1)))?;
        clean.extend(shard.store.clean(id)?);
        models.push((id, record));
    }
    let record = &models[0].1;
    for (shard, (_, other)) in shards.iter().zip(&models) {
        same(&shard.dir, &shards[0].dir, &format!("model '{}'", record.name), record, other)?;
    }
    let model = whole.add_model(record, &clean)?;
    let mut attacks = Vec::new();
    for (shard, (id, _)) in shards.iter().zip(&models) {
        let by_stage = shard.store.attacks(*id)?;
        attacks.push(by_stage.into_iter().map(|(id, r)| (r.stage, (id, r))).collect());
    }
    for stage in 0..whole.plan().stages.len() as u64 {
        join_attack(shards, stage, &attacks, whole, model)?;
    }
    Ok(())
}

fn join_attack(
    shards: &[Part],
    stage: u64,
    attacks: &[BTreeMap<u64, (AttackId, AttackRecord)>],
    whole: &mut RunStore,
    model: ModelId,
) -> Result<(), MergeError> {
    let mut parts = Vec::new();
    for (shard, attacks) in shards.iter().zip(attacks) {
        let attack = attacks.get(&stage);
        let (id, record) = attack.ok_or_else(|| shard.lacks(&format!("stage {stage}")))?;
        let first = parts.first().map_or(record, |&(_, _, first)| first);
        let what = format!("the attack at stage {stage}");
        same(&shard.dir, &shards[0].dir, &what, &without_totals(first), &without_totals(record))?;
        parts.push((shard, *id, record));
    }
    let records = || parts.iter().map(|(_, _, record)| record);
    let begun = AttackRecord {
        attacked: records().map(|record| record.attacked).sum(),
        forwards: records().map(|record| record.forwards).sum(),
        backwards: records().map(|record| record.backwards).sum(),
        seconds: records().map(|record| record.seconds).sum(),
        finished: false,
        ..parts[0].2.clone()
    };
    let attack = whole.begin_attack(model, &begun)?;
    for (shard, id, _) in &parts {
        let units: Vec<_> = shard.store.units(*id)?.into_iter().collect();
        whole.write_rows(attack, &units, &shard.store.outcomes(*id)?, &[])?;
        for found in shard.store.nearest(*id)?.chunks(AT_ONCE) {
            let mut examples = Vec::new();
            for nearest in found {
                examples.extend(shard.store.nearest_example(*id, nearest.index)?);
            }
            whole.record_nearest(attack, found, &examples)?;
        }
        for indices in shard.store.example_indices(*id)?.chunks(AT_ONCE) {
            let mut examples = Vec::new();
            for &index in indices {
                examples.extend(shard.store.example(*id, index)?);
            }
            whole.record(attack, &[], &examples)?;
        }
    }
    // One that was broken off in a shard is broken off as a whole.
    if records().all(|record| record.finished) {
        whole.finish_attack(attack, &AttackRecord { finished: true, ..begun })?;
    }
    Ok(())
}

impl Part {
    fn lacks(&self, what: &str) -> MergeError {
        let path = self.store.path().to_owned();
        let what = format!("{what} of the plan is not in it, though the run is finished");
        StoreError::Damaged { path, what }.into()
    }
}

/// The plan as all shards share it: how fast the machine was changes no outcome.
fn without_shard(plan: &Plan) -> Plan {
    let mut plan = Plan { shard: Shard::WHOLE, ..plan.clone() };
    for model in &mut plan.models {
        model.forward_seconds = 0.0;
        model.backward_seconds = 0.0;
        model.reference_forward_seconds = 0.0;
        model.reference_backward_seconds = 0.0;
    }
    plan
}

fn without_totals(record: &AttackRecord) -> AttackRecord {
    AttackRecord {
        attacked: 0,
        forwards: 0,
        backwards: 0,
        seconds: 0.0,
        finished: false,
        ..record.clone()
    }
}

/// Fails with the first field in which `got`, found in `dir`, is not as in the first folder.
fn same<T: Serialize>(
    dir: &Path,
    first: &Path,
    what: &str,
    expected: &T,
    got: &T,
) -> Result<(), MergeError> {
    match difference(expected, got) {
        None => Ok(()),
        Some(Difference { field, expected, found }) => Err(MergeError::Differs {
            dir: dir.to_owned(),
            first: first.to_owned(),
            field: format!("{what}: {field}"),
            expected,
            got: found,
        }),
    }
}
