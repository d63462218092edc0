//! Which claims are asked for.

use super::{Board, Claim, LeaderboardError, ThreatModel, board, near};
use crate::suggest::did_you_mean;
use crate::threat::Eps;

/// What claims must be; all of them where nothing is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// On this data set.
    pub dataset: Option<String>,
    /// Against this norm, or `corruptions`.
    pub threat: Option<String>,
    /// At this radius.
    pub eps: Option<Eps>,
    /// With this in the architecture's name, in whatever case.
    pub architecture: Option<String>,
}

/// The tables of claims that fit, each from the best down. Ranks are those among all claims of a table,
/// whatever of it is asked for.
pub fn boards<'a>(
    claims: &'a [Claim],
    filter: &Filter,
) -> Result<Vec<Board<'a>>, LeaderboardError> {
    let all = board::tables(claims);
    let dataset = filter.dataset.as_deref().map(|name| dataset(&all, name)).transpose()?;
    let threat = filter.threat.as_deref().map(|name| threat(&all, name)).transpose()?;
    let at = |board: &Board<'_>| match (filter.eps, board.eps) {
        (Some(wanted), Some(eps)) => near(wanted.value(), eps.value()),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let fits = |board: &Board<'_>| {
        dataset.is_none_or(|name| name == board.dataset)
            && threat.is_none_or(|threat| threat == board.threat)
            && at(board)
    };
    let known: Vec<String> = all.iter().map(ToString::to_string).collect();
    let mut found: Vec<Board<'a>> = all.into_iter().filter(fits).collect();
    if let Some(text) = filter.architecture.as_deref().map(str::to_lowercase) {
        for board in &mut found {
            board.rows.retain(|row| row.claim.architecture.to_lowercase().contains(&text));
        }
        found.retain(|board| !board.rows.is_empty());
    }
    if found.is_empty() {
        return Err(LeaderboardError::Nothing { wanted: wanted(filter), known: known.join("; ") });
    }
    Ok(found)
}

fn dataset<'a>(all: &[Board<'a>], name: &str) -> Result<&'a str, LeaderboardError> {
    let mut known: Vec<&'a str> = all.iter().map(|board| board.dataset).collect();
    known.dedup();
    known.iter().copied().find(|known| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
        LeaderboardError::UnknownDataset {
            name: name.to_owned(),
            suggestion: did_you_mean(name, known.iter().copied()),
            known: known.join(", "),
        }
    })
}

fn threat(all: &[Board<'_>], name: &str) -> Result<ThreatModel, LeaderboardError> {
    let mut known: Vec<ThreatModel> = Vec::new();
    for board in all {
        if !known.contains(&board.threat) {
            known.push(board.threat);
        }
    }
    known.sort_by_key(|threat| threat.order());
    let names: Vec<&str> = known.iter().map(|threat| threat.name()).collect();
    known.iter().copied().find(|known| known.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        LeaderboardError::UnknownThreat {
            name: name.to_owned(),
            suggestion: did_you_mean(name, names.iter().copied()),
            known: names.join(", "),
        }
    })
}

/// All that was asked for, in words.
fn wanted(filter: &Filter) -> String {
    let said = [
        filter.dataset.clone(),
        filter.threat.clone(),
        filter.eps.map(|eps| format!("eps {eps}")),
        filter.architecture.as_ref().map(|text| format!("an architecture with '{text}'")),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::published;

    fn filter(dataset: &str, threat: &str) -> Filter {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Filter { dataset: some(dataset), threat: some(threat), ..Filter::default() }
    }

    /// Would catch a filter that lets other claims pass, or one that counts ranks anew.
    #[test]
    fn only_what_fits_with_its_own_rank() {
        let claims = published().unwrap();
        let all = boards(&claims, &Filter::default()).unwrap();
        assert_eq!(all.iter().map(|board| board.rows.len()).sum::<usize>(), claims.len());
        let mut wanted = filter("CIFAR10", "Linf");
        let [board] = &boards(&claims, &wanted).unwrap()[..] else { panic!("one table") };
        assert_eq!((board.rows.len(), board.claims), (99, 99));
        wanted.architecture = Some("preact".to_owned());
        let [some] = &boards(&claims, &wanted).unwrap()[..] else { panic!("one table") };
        assert_eq!(some.claims, 99);
        assert!(some.rows.len() < 20 && some.rows[0].rank == 37, "{:?}", some.rows[0]);
        assert!(some.rows.iter().all(|row| row.claim.architecture.contains("PreAct")));
        // The same table by either radius that its claims are at.
        for eps in ["8/255", "0.031"] {
            let at = Filter { eps: Some(eps.parse().unwrap()), ..filter("cifar10", "") };
            assert_eq!(boards(&claims, &at).unwrap()[0].rows.len(), 99);
        }
    }

    /// Would catch an empty answer that does not say what there is.
    #[test]
    fn a_question_that_nothing_answers_is_told_what_is_known() {
        let claims = published().unwrap();
        let error = |filter: &Filter| boards(&claims, filter).unwrap_err().to_string();
        let text = error(&filter("cifr10", ""));
        assert!(text.contains("did you mean 'cifar10'") && text.contains("imagenet"), "{text}");
        let text = error(&filter("", "l1"));
        assert!(text.contains("linf, l2, corruptions"), "{text}");
        let text = error(&filter("imagenet", "l2"));
        assert!(text.contains("imagenet, l2; there are") && text.contains("l2 0.5"), "{text}");
        let eps = Some("1/255".parse().unwrap());
        let text = error(&Filter { eps, ..filter("cifar10", "corruptions") });
        assert!(text.contains("eps 1/255"), "{text}");
    }
}
