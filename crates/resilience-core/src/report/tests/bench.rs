//! The tables of `resilience bench`, of made-up figures.

use crate::report::{Bench, Form, Rate, SuiteTime, bench};
use crate::threat::Norm;
use crate::view::View;

fn made_up() -> Bench {
    let rate = |chunk, forwards, both, chosen| Rate { chunk, forwards, both, chosen };
    let form = |view, rates, left_out: Option<&str>| Form {
        view,
        rates,
        left_out: left_out.map(str::to_owned),
    };
    let suite = |name: &str, attacks: &[&str], at_most| SuiteTime {
        name: name.to_owned(),
        attacks: attacks.iter().map(|&id| id.to_owned()).collect(),
        at_most,
    };
    Bench {
        model: "ResNet-32, adversarially trained (Linf 8/255)".to_owned(),
        architecture: "resnet32".to_owned(),
        cpu: "Some processor with a long name, of some maker, 2 cores at 2.00 GHz, 2 cores"
            .to_owned(),
        threads: 2,
        images: "random images".to_owned(),
        forms: vec![
            form(
                View::Reference,
                vec![rate(32, 12.34, 4.56, false)],
                Some("larger chunks left out, because one pass would take more than 2 s"),
            ),
            form(
                View::Folded,
                vec![rate(32, 1234.5, 456.7, false), rate(64, 1300.0, 460.0, false)],
                None,
            ),
            form(
                View::Compiled,
                vec![rate(32, 3000.0, 1000.0, false), rate(64, 12_345.6, 1100.0, true)],
                None,
            ),
            form(
                View::Bf16,
                vec![],
                Some("left out, because this machine multiplies faster in f32"),
            ),
        ],
        n: 10_000,
        norm: Norm::Linf,
        eps: "8/255".to_owned(),
        suites: vec![
            suite("quick", &["apgd-ce", "apgd-t"], Ok(9000.0)),
            suite(
                "ladder",
                &["fgsm", "pgd", "pgd", "pgd", "apgd-ce", "apgd-t", "fab-t", "square"],
                Ok(200_000.0),
            ),
            suite("paper", &["fgsm", "fgsm"], Err("not for this norm".to_owned())),
        ],
    }
}

/// Would catch a figure that stands beside another chunk than its own, a mark on the wrong one, and
/// a reason that is not told.
#[test]
fn the_tables() {
    insta::assert_snapshot!("bench_plain", bench(&made_up(), None));
    insta::assert_snapshot!("bench_80", bench(&made_up(), Some(80)));
}

/// Would catch lines that do not fit the terminal.
#[test]
fn the_tables_keep_to_the_width() {
    for width in [80, 100] {
        for line in bench(&made_up(), Some(width)).lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}
