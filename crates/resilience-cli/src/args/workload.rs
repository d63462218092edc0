//! Arguments of the hidden command that `make bench` measures with.

use clap::{Args, Subcommand};
use resilience_core::threat::{Eps, Norm};
use resilience_core::view::View;

use super::{DataArgs, positive};

#[derive(Debug, Args)]
pub struct WorkloadArgs {
    #[command(subcommand)]
    pub workload: Workload,
}

#[derive(Debug, Subcommand)]
pub enum Workload {
    /// Training steps of ResilienceCNN, augmentation included.
    Train {
        #[command(flatten)]
        data: DataArgs,
        /// Steps to time, after as many that are not.
        #[arg(long, default_value_t = 60)]
        steps: u32,
        /// Recipe id.
        #[arg(long, default_value = "fgsm-joint")]
        recipe: String,
    },
    /// FGSM and the prediction on its examples.
    Fgsm {
        #[command(flatten)]
        data: DataArgs,
        /// Manifest or known name.
        #[arg(long)]
        model: String,
        /// Test images.
        #[arg(long, default_value_t = 10_000)]
        n: u64,
    },
    /// Products of square matrices in libtorch: what the machine can do.
    Ceiling,
    /// Forward passes, and forward passes with the gradient of the images, over random images.
    Pass {
        /// The architecture, with random weights.
        #[arg(long, value_name = "NAME", default_value = "resnet18", conflicts_with = "model")]
        arch: String,
        /// Manifest or known name, for its weights.
        #[arg(long)]
        model: Option<String>,
        /// Images a pass.
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
        batch: u32,
        /// Seconds to measure for, after a warm-up.
        #[arg(long, default_value_t = 5.0, value_parser = positive)]
        seconds: f64,
        /// The form of the network to look at; the fastest without it.
        #[arg(long)]
        view: Option<View>,
    },
    /// A suite at one radius.
    Suite {
        #[command(flatten)]
        data: DataArgs,
        /// Manifest or known name.
        #[arg(long)]
        model: String,
        /// Test images.
        #[arg(long, default_value_t = 100)]
        n: u64,
        /// Its name or file.
        #[arg(long, default_value = "autoattack-standard")]
        suite: String,
        /// Norm of the perturbation.
        #[arg(long, default_value = "linf", ignore_case = true)]
        norm: Norm,
        /// Radius.
        #[arg(long, default_value = "8/255")]
        eps: Eps,
    },
}
