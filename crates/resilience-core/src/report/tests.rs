//! The page, the table and the Markdown of made-up runs.

mod bench;
mod ensemble;
mod published;
mod robust;

use std::fs;
use std::sync::LazyLock;

use super::*;
use crate::metric::{Paired, mcnemar};
use crate::record::{CleanOutcome, LabelSource};
use crate::summary::{Correct, StageSummary};
use crate::testdata;

const N: usize = 1000;

/// Made once: every store that is written waits for the disk.
fn run() -> Run {
    static RUN: LazyLock<Run> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        Run::from_store(&testdata::store(dir.path(), N)).unwrap()
    });
    RUN.clone()
}

/// A ladder: every attack on all images that are right.
fn ladder() -> Run {
    static RUN: LazyLock<Run> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        Run::from_store(&testdata::ladder(dir.path(), N)).unwrap()
    });
    RUN.clone()
}

/// A run of FGSM alone, as the paper has it.
fn one_step() -> Run {
    let mut run = run();
    run.summary.pairs.clear();
    for model in &mut run.summary.models {
        model.evaluations.clear();
        (model.robust, model.robust_threat) = (None, None);
    }
    run
}

/// A section of the page.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("{id}"));
    &page[start..start + page[start..].find("</section>").unwrap()]
}

fn fallback() -> Run {
    let mut run = run();
    run.summary.run.notices =
        vec!["CIFAR-10 was neither found nor reachable, so this ran on shapes10.".to_owned()];
    for model in &mut run.summary.models {
        "shapes10".clone_into(&mut model.dataset.name);
        for at in &mut model.evaluations {
            at.place = None;
        }
        if let Some(training) = &mut model.training {
            "shapes10".clone_into(&mut training.dataset.name);
        }
    }
    run
}

/// Would catch a table that loses a figure, its interval, the convention of labels or the mark on
/// the paper's rows.
#[test]
fn terminal_table() {
    insta::assert_snapshot!("terminal_plain", terminal(&[run()], None).unwrap());
    insta::assert_snapshot!("terminal_100", terminal(&[run()], Some(100)).unwrap());
}

/// Would catch a doubt that does not stand before the figures, in the page or in the terminal, without
/// what to do about it; a check that could not run being called clear; and an audit of a run that nobody
/// audited.
#[test]
fn doubts_stand_before_the_figures() {
    let mut run = run();
    assert!(!html(&[run.clone()]).unwrap().contains("id=\"audit\""));
    run.summary.models[0].audit = Some(testdata::audit());
    let page = html(&[run.clone()]).unwrap();
    assert!(page.find("id=\"audit\"").unwrap() < page.find("id=\"robustness\"").unwrap());
    let audit = section(&page, "audit");
    let doubtful = "doubtful, for 1 reason (2 checks ran, 1 could not)";
    for words in
        [doubtful, "80.0 % of the images", "What to do:</em> Judge it", "<td>could not</td>"]
    {
        assert!(audit.contains(words), "{words}: {audit}");
    }
    let text = terminal(&[run.clone()], None).unwrap();
    assert!(text.contains(doubtful) && text.contains("- the attack raises accuracy"), "{text}");
    assert!(markdown(&[run]).unwrap().contains(doubtful));
}

/// Would catch a matrix that is turned around, a model's own row that is not marked, an attack that was broken
/// off being counted, and two attacks in one matrix.
#[test]
fn transfers_are_a_matrix_of_models() {
    let mut run = run();
    let names: Vec<String> = run.summary.models.iter().map(|model| model.name.clone()).collect();
    for (column, model) in run.summary.models.iter_mut().enumerate() {
        let at = model.evaluations.iter_mut().find(|at| at.eps_text == "8/255").unwrap();
        let stage = at.attacks[0].clone();
        for (row, source) in names.iter().enumerate() {
            let left = Correct::of(10 * row as u64 + column as u64, 1000);
            at.attacks.push(StageSummary {
                id: "pgd".to_owned(),
                source: Some(source.clone()),
                alone: (row + column < 4).then_some(left),
                ..stage.clone()
            });
        }
    }
    let page = html(&[run.clone()]).unwrap();
    let transfer = section(&page, "transfer");
    assert_eq!(transfer.matches("<table").count(), 1);
    // Made on the second, shown to the third; and the second's own.
    for words in [">1.20<small>", "<b>1.10</b>", "incomplete", "no attack"] {
        assert_eq!(transfer.matches(words).count(), 1, "{words}: {transfer}");
    }
    let text = terminal(&[run], None).unwrap();
    assert!(text.contains("Examples of one model shown to another, % left: PGD"), "{text}");
    assert!(text.contains(" made on ResNet-32, standard"), "{text}");
}

/// Would catch distances that are left out of the page or the terminal, images that nothing was found of
/// being passed over, and models on the same images that are not drawn together.
#[test]
fn distances_are_shown_where_they_were_looked_for() {
    let mut run = run();
    let (page, text) = (html(&[run.clone()]).unwrap(), terminal(&[run.clone()], None).unwrap());
    assert!(!page.contains("id=\"distances\"") && !text.contains("Distances of"));
    for (model, median) in run.summary.models.iter_mut().zip([0.02, 0.004]) {
        model.distances = vec![testdata::distances(median)];
    }
    let page = html(&[run.clone()]).unwrap();
    let distances = section(&page, "distances");
    for words in [
        "half within 0.0200 (5.1/255)",
        "of 10 none was found",
        "those of 10 lie beyond",
        "<td>FMN, 100\u{a0}steps</td><td class=\"n\">350 of 360</td>",
    ] {
        assert!(distances.contains(words), "{words}: {distances}");
    }
    // A curve for both, wide and narrow, and a histogram for each.
    assert_eq!(distances.matches("<svg").count(), 6);
    let text = terminal(&[run], None).unwrap();
    let line = "linf by FMN and FAB-T, of 360 images that are right: a quarter within 0.0020 (0.5/255), \
                half within 0.0040 (1.0/255), three quarters within 0.0060 (1.5/255); of 10 none was found";
    assert!(text.contains(line), "{text}");
}

/// Would catch a notice that drowns, or shapes10 under another name.
#[test]
fn terminal_notice() {
    insta::assert_snapshot!("terminal_notice", terminal(&[fallback()], Some(80)).unwrap());
}

/// Would catch lines that do not fit the terminal that was asked about.
#[test]
fn terminal_keeps_to_the_width() {
    for width in [80, 100, 200] {
        let text = terminal(&[fallback()], Some(width)).unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}

/// Would catch a ranking by images that were wrong until the attack moved them by accident. The
/// counts are those of two real networks, of which either is ahead by one convention of labels.
#[test]
fn accidents_do_not_rank() {
    let mut run = one_step();
    run.summary.models.remove(0);
    let counts = [(855, [(107, 0), (178, 71)]), (928, [(109, 6), (114, 11)])];
    for (model, (clean, attacked)) in run.summary.models.iter_mut().zip(counts) {
        model.clean = Correct::of(clean, 1000);
        for (attack, (correct, gained)) in model.attacks.iter_mut().zip(attacked) {
            attack.adversarial = Correct::of(correct, 1000);
            let lost = clean + gained - correct;
            attack.paired = Paired { lost, gained, p: mcnemar(lost, gained) };
        }
    }
    let text = markdown(&[run]).unwrap();
    assert!(text.contains("no model is clearly ahead"), "{text}");
    assert!(text.contains("right on 10.70\u{a0}% ") && text.contains("to 10.30\u{a0}% "), "{text}");
    assert!(text.contains("right on 178 attacked images, of which 71 were wrong"), "{text}");
}

/// Would catch a model that leaks labels being praised, or its curve being shown, without that.
#[test]
fn leaking_is_said_wherever_it_shows() {
    let page = html(&[run()]).unwrap();
    assert!(page.contains("the FGSM curve of ResilienceCNN shows the convention in which labels"));
    assert!(section(&page, "headline").contains("labels leak through the attack"));
    let mut run = one_step();
    let page = html(&[run.clone()]).unwrap();
    assert!(page.contains("But for ResilienceCNN this attack does not tell"));
    for curve in run.summary.models.iter_mut().flat_map(|model| &mut model.curves) {
        curve.labels = LabelSource::Predicted;
    }
    assert!(!html(&[run]).unwrap().contains("the convention in which labels leak"));
}

/// Would catch Markdown that says something else than the table.
#[test]
fn markdown_lines() {
    insta::assert_snapshot!("markdown", markdown(&[run()]).unwrap());
}

/// Would catch a page that needs anything but itself.
#[test]
fn page_is_self_contained() {
    let page = html(&[run()]).unwrap();
    assert!(!page.contains("<script"));
    assert!(!page.contains("@import") && !page.contains("url("));
    assert!(!page.contains("http://") && !page.contains("https://"));
    for attribute in ["src=\"", "href=\""] {
        for (at, _) in page.match_indices(attribute) {
            let target = &page[at + attribute.len()..];
            assert!(target.starts_with("data:") || target.starts_with('#'), "{}", &target[..40]);
        }
    }
}

/// Would catch a part that is missing, in another place, or empty.
#[test]
fn page_has_every_part_in_order() {
    let page = html(&[run()]).unwrap();
    let ids = [
        "headline",
        "robustness",
        "published",
        "attacks",
        "curve",
        "cost",
        "pairs",
        "figures",
        "comparison",
        "leaking",
        "training",
        "architecture",
        "gallery",
        "moves",
        "paper",
        "provenance",
        "limits",
    ];
    let places: Vec<usize> = ids
        .iter()
        .map(|id| page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("{id}")))
        .collect();
    assert!(places.is_sorted());
    assert_eq!(page.matches("<section").count(), ids.len());
    // The examples of both conventions are the same, so that they are shown once.
    assert_eq!(page.matches("8 are, pixel for pixel, those made with true labels").count(), 3);
    assert!(page.contains(": broken by APGD-"));
    let ours = run();
    for model in &ours.summary.models {
        for rate in [model.clean.rate, model.attacks[0].adversarial.rate] {
            assert!(page.contains(&format!("<b>{:.2}</b>", 100.0 * rate)));
        }
    }
    assert!(page.contains("[10.1, 30.5] %") && page.contains("the paper’s, not ours"));
}

/// Would catch elements that are not closed, in the page and in its plots, and ids that repeat.
#[test]
fn page_is_balanced() {
    let page = html(&[run(), fallback(), ladder()]).unwrap();
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
    let mut ids: Vec<&str> = page
        .match_indices(" id=\"")
        .map(|(at, found)| page[at + found.len()..].split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "ids repeat");
}

/// Would catch a plot that keeps a fixed colour and so vanishes in the dark.
#[test]
fn plots_take_the_colours_of_the_page() {
    let page = html(&[run()]).unwrap();
    let svgs = &page[page.find("<svg").unwrap()..];
    assert!(!svgs.contains("fill=\"#") && !svgs.contains("stroke=\"#"));
    assert!(svgs.contains("fill=\"var(--clean)\""));
    assert!(svgs.contains("<text"), "text stays text");
}

/// Would catch a name from a manifest, a class or a notice that becomes a part of the page.
#[test]
fn names_are_harmless() {
    let evil = "<script>alert(\"x\")</script><img src=x onerror='y'>|*\u{1b}[31m";
    let mut run = fallback();
    run.summary.run.notices.push(evil.to_owned());
    evil.clone_into(&mut run.summary.run.command);
    for model in &mut run.summary.models {
        for text in [&mut model.name, &mut model.architecture, &mut model.source] {
            evil.clone_into(text);
        }
        evil.clone_into(&mut model.dataset.name);
        for class in &mut model.dataset.classes {
            evil.clone_into(class);
        }
        for layer in &mut model.layers {
            evil.clone_into(&mut layer.name);
            evil.clone_into(&mut layer.kind);
        }
        if let Some(training) = &mut model.training {
            evil.clone_into(&mut training.recipe);
            evil.clone_into(&mut training.settings[0].1);
            for epoch in &mut training.epochs {
                evil.clone_into(&mut epoch.scalars[0].0);
            }
        }
        for at in &mut model.evaluations {
            evil.clone_into(&mut at.eps_text);
            at.suite = Some(evil.to_owned());
            for stage in &mut at.attacks {
                evil.clone_into(&mut stage.id);
                stage.settings = serde_json::json!({evil: evil});
            }
        }
        for attack in &mut model.attacks {
            evil.clone_into(&mut attack.id);
            evil.clone_into(&mut attack.eps_text);
        }
    }
    for pair in &mut run.summary.pairs {
        evil.clone_into(&mut pair.a);
        evil.clone_into(&mut pair.b);
        pair.eps_text = Some(evil.to_owned());
    }
    let page = html(std::slice::from_ref(&run)).unwrap();
    let lower = page.to_lowercase();
    assert!(!lower.contains("<script") && !lower.contains("<img src=x"));
    assert!(!markdown(std::slice::from_ref(&run)).unwrap().contains("<script"));
    assert!(!terminal(&[run], Some(100)).unwrap().contains('\u{1b}'));
}

/// Would catch a figure on the fallback data under CIFAR-10's name.
#[test]
fn fallback_is_in_the_title() {
    let page = html(&[fallback()]).unwrap();
    assert!(page.contains("<title>Adversarial robustness on shapes10</title>"));
    assert!(page.contains("class=\"notice\""));
    assert!(page.contains("Ours on shapes10 are on other images"));
    let figures =
        &page[page.find("id=\"figures\"").unwrap()..page.find("id=\"comparison\"").unwrap()];
    let ours = &figures[..figures.find("class=\"paper\"").unwrap()];
    assert!(!ours.contains("CIFAR"));
    let comparison = &page[page.find("id=\"comparison\"").unwrap()..];
    let comparison = &comparison[..comparison.find("</section>").unwrap()];
    assert!(!comparison.contains("paper") && !comparison.contains("CIFAR"), "{comparison}");
    assert!(comparison.contains("ResilienceCNN · shapes10"));
    let joined = html(&[run(), fallback()]).unwrap();
    assert!(joined.contains("ResilienceCNN (run 1) · CIFAR-10"));
    assert!(joined.contains("custom AI Resilience model · CIFAR-10"));
}

/// Would catch a CIFAR-10 that was altered under the name of the real one, or beside the figures
/// of the paper.
#[test]
fn altered_data_is_in_the_title() {
    let mut run = run();
    for model in &mut run.summary.models {
        "cifar10-altered".clone_into(&mut model.dataset.name);
    }
    let page = html(&[run]).unwrap();
    assert!(page.contains("<title>Adversarial robustness on altered CIFAR-10</title>"));
    assert!(!page.contains("id=\"paper\"") && !page.contains("the paper’s"));
}

/// Would catch a run that was broken off being shown as if it were whole.
#[test]
fn unfinished_runs_say_so() {
    let mut broken = run();
    broken.summary.finished = false;
    let runs = [run(), broken];
    let page = html(&runs).unwrap();
    assert!(page.contains("<title>Adversarial robustness on CIFAR-10 (incomplete)</title>"));
    assert!(page.contains("was broken off: models and attacks"));
    let text = terminal(&runs, None).unwrap();
    assert!(text.contains("CIFAR-10 (incomplete)\n") && text.contains("NOTICE: The run started"));
    assert!(markdown(&runs).unwrap().starts_with("## Adversarial robustness on CIFAR-10 (incom"));
    assert!(!html(&runs[..1]).unwrap().contains("(incomplete)"));
}

/// Would catch one seed being claimed where several were trained, and runs of one seed counted
/// twice.
#[test]
fn seeds_are_counted_over_all_runs() {
    let mut other = run();
    other.summary.models[0].training.as_mut().unwrap().seed = 1;
    assert!(html(&[run(), run()]).unwrap().contains("trained here: one seed of fgsm-joint"));
    assert!(html(&[run(), other]).unwrap().contains("trained here: 2 seeds of fgsm-joint"));
}

/// Would catch runs that hide each other when joined.
#[test]
fn several_runs_join() {
    let page = html(&[run(), fallback()]).unwrap();
    assert!(page.contains("Adversarial robustness on CIFAR-10 and shapes10"));
    assert!(page.contains("ResilienceCNN (run 1)") && page.contains("ResilienceCNN (run 2)"));
    assert!(matches!(html(&[]), Err(ReportError::NoRun)));
}

/// Would catch a part that needs what a run of `--attack none` does not have.
#[test]
fn a_run_without_attacks_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let plan = testdata::plan(7, &["alone"], &[]);
    let mut store = RunStore::create(dir.path(), &testdata::provenance(), &plan).unwrap();
    let (record, clean): (_, Vec<CleanOutcome>) = testdata::model("alone", 7);
    store.add_model(&record, &clean).unwrap();
    let run = Run::from_store(&store).unwrap();
    let page = html(std::slice::from_ref(&run)).unwrap();
    assert!(page.contains("it was not attacked"));
    assert!(!page.contains("id=\"paper\"") && !page.contains("id=\"leaking\""));
    terminal(std::slice::from_ref(&run), Some(80)).unwrap();
    markdown(&[run]).unwrap();
}

/// Would catch a page that is left half written, or a folder that is not there being ignored.
#[test]
fn page_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    write_html(&[run()], &path).unwrap();
    assert!(fs::read_to_string(&path).unwrap().ends_with("</html>\n"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let error = write_html(&[run()], &dir.path().join("none/report.html")).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

/// Writes a page to look at: `RESILIENCE_PREVIEW=page.html cargo test -p resilience-core preview
/// -- --ignored`, of a real run where `RESILIENCE_PREVIEW_RUN` is its folder.
#[test]
#[ignore = "writes a page for the eye"]
fn preview() {
    let path = std::env::var_os("RESILIENCE_PREVIEW").expect("RESILIENCE_PREVIEW=page.html");
    let runs = match std::env::var_os("RESILIENCE_PREVIEW_RUN") {
        Some(dir) => vec![Run::from_store(&RunStore::open(Path::new(&dir)).unwrap()).unwrap()],
        None => vec![run(), ladder()],
    };
    write_html(&runs, Path::new(&path)).unwrap();
}
