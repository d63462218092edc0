//! `resilience leaderboard`, as typed.

use clap::Args;
use resilience_core::leaderboard::Filter;
use resilience_core::threat::Eps;

#[derive(Debug, Args)]
#[command(
    after_help = "The claims are RobustBench's, built into the program; `eval` and `report` say where a \
    result would stand among them. Nothing is downloaded."
)]
pub struct Leaderboard {
    /// Claims on this data set, such as cifar10.
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Claims against attacks in this norm, or `corruptions`.
    #[arg(long, value_name = "NORM|corruptions")]
    pub norm: Option<String>,
    /// Claims at this radius, such as 8/255.
    #[arg(long)]
    pub eps: Option<Eps>,
    /// Claims whose architecture has this in its name, in whatever case.
    #[arg(long, value_name = "TEXT")]
    pub architecture: Option<String>,
    /// The first N of each table [default: all where any of the above is given, else 5].
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Print the claims as JSON: the fields of their files, and the rank in their table.
    #[arg(long)]
    pub json: bool,
}

/// So many of each table give an overview.
const OVERVIEW: usize = 5;

impl Leaderboard {
    /// Which claims are meant.
    pub fn filter(&self) -> Filter {
        Filter {
            dataset: self.dataset.clone(),
            threat: self.norm.clone(),
            eps: self.eps,
            architecture: self.architecture.clone(),
        }
    }

    /// Whether nothing in particular is asked for.
    pub fn is_overview(&self) -> bool {
        self.filter() == Filter::default() && self.top.is_none() && !self.json
    }

    /// How many of each table; none for all.
    pub fn top(&self) -> Option<usize> {
        self.top.or(self.is_overview().then_some(OVERVIEW))
    }
}
