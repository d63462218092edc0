//! The arguments of `pull`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "A manifest says where its weights are to be had: url (https or http), size and sha256. What \
    comes is used only if its SHA-256 is the manifest's; what broke off goes on from there when the command is \
    run again. The weights of a manifest go beside it, those of a known model into the folder `models` of the \
    cache folder; `eval` finds both there. Weights that are here already are checked and left; another file in \
    their place is an error, and never overwritten.\n\
    On a machine without a network the command says which file has to be put where."
)]
pub struct Pull {
    /// A known model's name (see `resilience list models`), or a manifest (TOML) of a model or of an
    /// ensemble, whose members are all fetched.
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<String>,
    /// Folder for the weights, instead of the usual places.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
