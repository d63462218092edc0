//! `resilience submit`: writes what a scheduler needs to do an evaluation in shards, and submits nothing.

use std::fs;
use std::path::Path;

use clap::Parser;
use resilience_core::cluster::{self, Job, JobFile, Kubernetes, SUBMIT, Slurm, Storage, WHOLE};
use resilience_core::format::atomic;
use resilience_core::report::count;

use super::eval;
use crate::args::{Cli, Command, Eval, Submit};
use crate::environment::{Environment, quoted};
use crate::error::CliError;
use crate::screen::Screen;

/// Where data and models are looked for; a Slurm job learns it from its script.
const VARIABLES: [&str; 2] = ["RESILIENCE_DATA", "RESILIENCE_MODELS"];

/// What `submit` says itself to every shard.
const OURS: [&str; 4] = ["--out", "--shard", "--resume", "--overwrite"];

/// Checks the evaluation, writes the files, and says what to run next.
pub fn run(
    arguments: &Submit,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let (evaluation, threads) = evaluation(arguments, environment)?;
    let n = check(&evaluation, arguments, screen)?;
    let job = job(arguments, threads)?;
    let files = if arguments.slurm {
        cluster::slurm(&job, &slurm(arguments)?)?
    } else {
        cluster::kubernetes(&job, &kubernetes(arguments))?
    };
    write(&arguments.out, &files, arguments)?;
    let images = n.map_or_else(String::new, |n| format!("{} images in ", count(n)));
    let (shards, block) = (count(arguments.shards), evaluation.block);
    screen.print(&format!(
        "{images}{shards} shards of whole blocks of {block}, each with --threads {threads}:"
    ));
    for file in &files {
        screen.print(&format!("  {}", arguments.out.join(file.name).display()));
    }
    let script = quoted(&arguments.out.join(SUBMIT).to_string_lossy());
    let interpreter = if arguments.slurm { "sh" } else { "bash" };
    let whole = arguments.out.join(WHOLE);
    screen.print(&format!(
        "Nothing is submitted yet. Next:\n  {interpreter} {script}\nThe whole run will be in {}.",
        whole.display()
    ));
    Ok(())
}

/// The evaluation as `eval` itself would read it, and the number of threads of each shard.
fn evaluation(arguments: &Submit, environment: &Environment) -> Result<(Eval, u32), CliError> {
    let words = &arguments.eval;
    if words.first().is_none_or(|word| word != "eval") {
        return Err(CliError::Usage(format!(
            "after --: expected an evaluation, `eval MODEL …`, found '{}'; only evaluations have shards",
            words.first().map_or("", String::as_str)
        )));
    }
    let ours = OURS.iter().find(|ours| {
        words.iter().any(|word| word == *ours || word.starts_with(&format!("{ours}=")))
    });
    if let Some(ours) = ours {
        return Err(CliError::Usage(format!(
            "after --: {ours} is said to every shard by `submit` itself, from --out and --shards; leave it \
             out"
        )));
    }
    let shard = format!("auto/{}", arguments.shards);
    let whole = ["--shard", &shard, "--out", "shard"].map(str::to_owned);
    let line = std::iter::once("resilience".to_owned()).chain(words.iter().cloned()).chain(whole);
    let cli = Cli::try_parse_from(line).map_err(|error| {
        let text = error.to_string();
        let text = text.trim_start_matches("error: ").trim_end();
        CliError::Usage(format!("after --: {text}"))
    })?;
    let threads = match (cli.threads, environment.threads()) {
        (Some(inner), Some(outer)) if inner != outer => {
            return Err(CliError::Usage(format!(
                "--threads is both {outer} and, after --, {inner}; give it once"
            )));
        }
        (inner, outer) => inner.or(outer).ok_or_else(|| {
            CliError::Usage(
                "--threads must be given: shards make a whole only if all have the same number, and the \
                 scheduler has to keep so many cores free; for example --threads 4"
                    .to_owned(),
            )
        })?,
    };
    match cli.command {
        Command::Eval(evaluation) => Ok((evaluation, threads)),
        _ => Err(CliError::Usage("after --: expected `eval MODEL …`".to_owned())),
    }
}

/// Whether a shard would come as far as to its first image; gives the number of images, where it is known.
fn check(
    evaluation: &Eval,
    arguments: &Submit,
    screen: &mut Screen,
) -> Result<Option<u64>, CliError> {
    let n = if arguments.unchecked {
        eval::check_attacks(evaluation)?;
        evaluation.n
    } else {
        let images = eval::prepare(evaluation, screen)?.images;
        Some(images.len() as u64)
    };
    if let Some(n) = n {
        eval::check_shards(arguments.shards, n, evaluation.block)?;
    }
    Ok(n)
}

fn job(arguments: &Submit, threads: u32) -> Result<Job, CliError> {
    let folder = text(&arguments.out)?;
    let mut words = arguments.eval.clone();
    if !words.iter().any(|word| word == "--threads" || word.starts_with("--threads=")) {
        words.extend(["--threads".to_owned(), threads.to_string()]);
    }
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None if arguments.kubernetes => "resilience".to_owned(),
        None => {
            let find = |source| CliError::Io { doing: "find", path: "resilience".into(), source };
            text(&Environment::program().map_err(find)?)?
        }
    };
    let name = arguments.name.clone().unwrap_or_else(|| usual_name(&arguments.out));
    Ok(Job { name, program, words, shards: arguments.shards, threads, folder })
}

fn slurm(arguments: &Submit) -> Result<Slurm, CliError> {
    let find = |source| CliError::Io { doing: "find", path: ".".into(), source };
    let variables = VARIABLES
        .iter()
        .filter_map(|name| Environment::variable(name).map(|value| ((*name).to_owned(), value)));
    Ok(Slurm {
        at: text(&Environment::folder().map_err(find)?)?,
        options: arguments.sbatch.clone(),
        variables: variables.collect(),
    })
}

fn kubernetes(arguments: &Submit) -> Kubernetes {
    Kubernetes {
        // clap has seen to it that there is one.
        image: arguments.image.clone().unwrap_or_default(),
        storage: match &arguments.claim {
            Some(claim) => Storage::Claim(claim.clone()),
            None => Storage::Size(arguments.storage.clone()),
        },
        memory: arguments.memory.clone(),
    }
}

/// A name that every scheduler takes, after the folder.
fn usual_name(folder: &Path) -> String {
    let last = folder.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let words: String = last.chars().map(plain).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    let name: String = format!("resilience-{}", words.join("-")).chars().take(40).collect();
    name.trim_end_matches('-').to_owned()
}

/// Writes the files, unless others are there that nobody asked to replace.
fn write(folder: &Path, files: &[JobFile], arguments: &Submit) -> Result<(), CliError> {
    let differs = |file: &&JobFile| {
        fs::read(folder.join(file.name)).is_ok_and(|there| there != file.text.as_bytes())
    };
    if let Some(file) = files.iter().find(differs)
        && !arguments.overwrite
    {
        return Err(CliError::Usage(format!(
            "{} is there already and says something else; choose another --out, or replace it with \
             --overwrite",
            folder.join(file.name).display()
        )));
    }
    // Slurm makes no folder for what a job prints.
    let made = if arguments.slurm { folder.join("logs") } else { folder.to_owned() };
    fs::create_dir_all(&made).map_err(|source| CliError::Io {
        doing: "create folder",
        path: made,
        source,
    })?;
    for file in files {
        atomic::write(&folder.join(file.name), file.text.as_bytes())?;
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, CliError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        CliError::Usage(format!(
            "{}: expected a path in UTF-8, as job files are; rename it",
            path.display()
        ))
    })
}
