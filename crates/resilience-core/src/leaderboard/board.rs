//! Tables: the claims that can be ranked together.

use std::fmt;

use serde::Serialize;

use super::{Claim, ThreatModel, near};
use crate::threat::Eps;

/// Claims on one data set and against one threat, from the best down.
#[derive(Clone, Debug, PartialEq)]
pub struct Board<'a> {
    /// The data set.
    pub dataset: &'a str,
    /// What the figures are against.
    pub threat: ThreatModel,
    /// The radius that most of them are at; none against corruptions.
    pub eps: Option<Eps>,
    /// How many claims there are, wanted or not.
    pub claims: usize,
    /// Those that are wanted.
    pub rows: Vec<Row<'a>>,
}

/// A claim with its rank.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Row<'a> {
    /// From 1; as many as there are better claims, and one more.
    pub rank: usize,
    /// The claim.
    #[serde(flatten)]
    pub claim: &'a Claim,
}

impl fmt::Display for Board<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dataset, self.threat)?;
        self.eps.map_or(Ok(()), |eps| write!(f, " {eps}"))
    }
}

/// All claims in tables, by data set, threat and growing radius.
pub fn tables(claims: &[Claim]) -> Vec<Board<'_>> {
    let radius = |claim: &Claim| claim.eps.map_or(0.0, Eps::value);
    let mut sorted: Vec<&Claim> = claims.iter().collect();
    sorted.sort_by(|a, b| {
        let place = |claim: &Claim| (claim.dataset.clone(), claim.threat.order());
        place(a).cmp(&place(b)).then(radius(a).total_cmp(&radius(b)))
    });
    let alike = |a: &&Claim, b: &&Claim| {
        a.dataset == b.dataset && a.threat == b.threat && near(radius(a), radius(b))
    };
    sorted.chunk_by(alike).filter_map(table).collect()
}

fn table<'a>(claims: &[&'a Claim]) -> Option<Board<'a>> {
    let first = *claims.first()?;
    let mut ranked = claims.to_vec();
    // Equal figures stand in the order of their names.
    ranked.sort_by(|a, b| b.figure().cmp(&a.figure()).then_with(|| a.id.cmp(&b.id)));
    let rank = |claim: &Claim| 1 + ranked.partition_point(|other| other.figure() > claim.figure());
    let rows = ranked.iter().map(|&claim| Row { rank: rank(claim), claim }).collect();
    let times = |eps: Eps| claims.iter().filter(|claim| claim.eps == Some(eps)).count();
    let eps = claims.iter().filter_map(|claim| claim.eps).max_by_key(|&eps| times(eps));
    let (dataset, threat) = (&first.dataset[..], first.threat);
    Some(Board { dataset, threat, eps, claims: claims.len(), rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::published;

    /// Would catch claims in another order than `RobustBench`'s, tables that are mixed, and equal
    /// figures of which one is called better.
    #[test]
    fn tables_are_those_of_robustbench() {
        let claims = published().unwrap();
        let tables = tables(&claims);
        let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
        let expected = [
            "cifar10 linf 8/255",
            "cifar10 l2 0.5",
            "cifar10 corruptions",
            "cifar100 linf 8/255",
            "cifar100 corruptions",
            "imagenet linf 4/255",
            "imagenet corruptions",
        ];
        assert_eq!(names, expected);
        let rows = &tables[0].rows;
        assert_eq!(rows[0].claim.id, "Amini2024MeanSparse_S-WRN-94-16");
        assert_eq!(rows[98].claim.figure().to_string(), "0.00");
        let ranks: Vec<usize> = rows[46..52].iter().map(|row| row.rank).collect();
        assert_eq!(ranks, [47, 48, 49, 49, 51, 52]);
        assert!(rows.windows(2).all(|pair| pair[0].claim.figure() >= pair[1].claim.figure()));
    }
}
