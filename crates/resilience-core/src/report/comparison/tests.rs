//! The page, the table and the Markdown of made-up comparisons.

use std::path::Path;

use super::*;
use crate::comparison::Measure;
use crate::testdata;

fn page(comparison: &Comparison) -> String {
    page::html(comparison).unwrap()
}

/// Would catch a table that loses a figure, a method, or what is to be known about them.
#[test]
fn terminal_table() {
    let comparison = testdata::comparison();
    insta::assert_snapshot!("terminal_plain", comparison_table(&comparison, None).unwrap());
    insta::assert_snapshot!("terminal_120", comparison_table(&comparison, Some(120)).unwrap());
}

/// Would catch lines that do not fit the terminal that was asked about.
#[test]
fn terminal_keeps_to_the_width() {
    for width in [80, 100, 120, 200] {
        let text = comparison_table(&testdata::large_comparison(), Some(width)).unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}

/// Would catch Markdown that says something else than the table.
#[test]
fn markdown_lines() {
    insta::assert_snapshot!("markdown", comparison_markdown(&testdata::comparison()));
}

/// Would catch a part that is missing, in another place, or empty, and a method that a part forgets.
#[test]
fn page_has_every_part_with_every_method() {
    let comparison = testdata::large_comparison();
    let page = page(&comparison);
    let ids = [
        "headline",
        "figures",
        "front",
        "curve",
        "spread",
        "pairs",
        "training",
        "conditions",
        "runs",
        "limits",
    ];
    let find =
        |id: &&str| page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("{id}"));
    let places: Vec<usize> = ids.iter().map(find).collect();
    assert!(places.is_sorted());
    assert_eq!(page.matches("<section").count(), ids.len());
    for id in ["figures", "front", "curve", "spread", "pairs", "conditions", "runs"] {
        let start = find(&id);
        let section = &page[start..start + page[start..].find("</section>").unwrap()];
        for group in &comparison.groups {
            let name = group.title.replace('\'', "&#39;");
            assert!(section.contains(&name), "{id}: {name}");
        }
    }
    for figure in comparison.groups.iter().flat_map(|group| &group.figures) {
        assert!(page.contains(&format!("{:.2}</b>", 100.0 * figure.mean)), "{figure:?}");
    }
    assert!(page.contains("<title>Training methods compared on CIFAR-10</title>"));
}

/// Would catch elements that are not closed, in the page and in its plots, ids that repeat, and a page
/// that needs anything but itself.
#[test]
fn page_is_balanced_and_self_contained() {
    let page = page(&testdata::large_comparison());
    assert!(!page.contains("<script") && !page.contains("@import") && !page.contains("url("));
    assert!(!page.contains("http://") && !page.contains("https://"));
    let mut open: Vec<&str> = Vec::new();
    let body = &page[page.find("<body").unwrap()..page.find("</html>").unwrap()];
    for (at, _) in body.match_indices('<') {
        let rest = &body[at + 1..];
        let tag = &rest[..rest.find('>').unwrap()];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "near {}", &body[at.saturating_sub(80)..at + 20]);
        } else if !tag.ends_with('/') && !["br", "img", "meta", "link"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    let ids = page.match_indices(" id=\"");
    let mut ids: Vec<&str> =
        ids.map(|(at, found)| page[at + found.len()..].split('"').next().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "ids repeat");
    let svgs = &page[page.find("<svg").unwrap()..];
    assert!(!svgs.contains("fill=\"#") && !svgs.contains("stroke=\"#"), "a fixed colour");
}

/// Would catch a name from a suite, a manifest or a notice that becomes a part of the page.
#[test]
fn names_are_harmless() {
    let evil = "<script>alert(\"x\")</script><img src=x onerror='y'>|*\u{1b}[31m";
    let mut comparison = testdata::comparison();
    evil.clone_into(&mut comparison.about);
    evil.clone_into(&mut comparison.name);
    evil.clone_into(&mut comparison.threat.eps_text);
    comparison.missing.push(evil.to_owned());
    for stage in &mut comparison.stages {
        evil.clone_into(&mut stage.attack);
        evil.clone_into(&mut stage.threat.eps);
        stage.suite = Some(evil.to_owned());
        stage.settings = serde_json::json!({evil: evil});
    }
    for group in &mut comparison.groups {
        evil.clone_into(&mut group.title);
        for member in &mut group.members {
            evil.clone_into(&mut member.folder);
            for curve in &mut member.curves {
                evil.clone_into(&mut curve.attack);
            }
            let run = &mut member.summary.run;
            run.notices.push(evil.to_owned());
            evil.clone_into(&mut run.command);
            evil.clone_into(&mut run.machine.cpu);
            for model in &mut member.summary.models {
                evil.clone_into(&mut model.architecture);
                evil.clone_into(&mut model.source);
                evil.clone_into(&mut model.weights_sha256);
                evil.clone_into(&mut model.dataset.name);
            }
            if let Some(training) = &mut member.training {
                evil.clone_into(&mut training.settings[1].0);
                evil.clone_into(&mut training.settings[1].1);
                evil.clone_into(&mut training.dataset.name);
            }
        }
    }
    let lower = page(&comparison).to_lowercase();
    assert!(!lower.contains("<script") && !lower.contains("<img src=x"));
    assert!(!comparison_markdown(&comparison).contains("<script"));
    assert!(!comparison_table(&comparison, Some(120)).unwrap().contains('\u{1b}'));
}

/// Would catch a comparison with holes that looks whole, and notices that drown in repetition.
#[test]
fn what_is_missing_is_said_first() {
    let mut comparison = testdata::comparison();
    for member in comparison.groups.iter_mut().flat_map(|group| &mut group.members) {
        member.summary.run.notices = vec!["This ran on shapes10.".to_owned()];
    }
    let page = page(&comparison);
    assert!(page.contains("<title>Training methods compared on CIFAR-10 (incomplete)</title>"));
    assert_eq!(page.matches("This ran on shapes10.").count(), 1);
    let header = &page[page.find("<header").unwrap()..page.find("</header>").unwrap()];
    assert!(header.contains("trades, seed 1; trades, seed 2"), "{header}");
    let text = comparison_table(&comparison, None).unwrap();
    assert!(text.contains("CIFAR-10 (incomplete)\n") && text.starts_with("!!!"), "{text}");
    assert!(comparison_markdown(&comparison).contains("(incomplete)"));
}

/// Would catch a part that needs what a comparison need not have: other groups, figures, epochs, curves.
#[test]
fn little_is_enough() {
    let whole = testdata::comparison();
    let mut alone = whole.clone();
    alone.groups.truncate(1);
    alone.differences.clear();
    let mut bare = alone.clone();
    bare.stages.clear();
    bare.groups[0].figures.retain(|figure| figure.measure == Measure::Clean);
    bare.groups[0].gaps.clear();
    for member in &mut bare.groups[0].members {
        member.curves.clear();
        member.training = None;
        member.summary.models.clear();
    }
    let mut short = whole.clone();
    for training in
        short.groups.iter_mut().flat_map(|g| &mut g.members).flat_map(|m| &mut m.training)
    {
        training.epochs.truncate(1);
    }
    let mut nothing = alone.clone();
    nothing.groups.clear();
    for comparison in [alone, bare, short, nothing] {
        let page = page(&comparison);
        assert!(!page.contains("NaN") && !page.contains("inf\""));
        comparison_table(&comparison, Some(100)).unwrap();
        assert!(!comparison_markdown(&comparison).contains("NaN"));
    }
}

/// Would catch a page that is left half written.
#[test]
fn page_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    write_comparison(&testdata::comparison(), &path).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("</html>\n"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Writes a page to look at: `RESILIENCE_PREVIEW=page.html cargo test -p resilience-core comparison --
/// --ignored preview`.
#[test]
#[ignore = "writes a page for the eye"]
fn preview() {
    let path = std::env::var_os("RESILIENCE_PREVIEW").expect("RESILIENCE_PREVIEW=page.html");
    let comparison = match std::env::var_os("RESILIENCE_PREVIEW_SMALL") {
        Some(_) => testdata::comparison(),
        None => testdata::large_comparison(),
    };
    write_comparison(&comparison, Path::new(&path)).unwrap();
}
