//! The arguments of `inspect`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "What is said of the file goes to standard error, the manifest to standard output:\n    \
    resilience inspect model.pth > model.toml\n\
    Nothing in the file is executed."
)]
pub struct Inspect {
    /// The model's file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Hold weights against this architecture, and list every tensor that does not fit.
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    /// List all tensors, not only the first ones.
    #[arg(long)]
    pub tensors: bool,
}
