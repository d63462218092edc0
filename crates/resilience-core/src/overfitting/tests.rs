use super::*;

/// Epochs numbered from 1 with these accuracies, clean, under FGSM and under PGD, on 1,000 images.
fn epochs(rows: &[[f64; 3]]) -> Vec<EpochRecord> {
    numbered(1000, &(1..).zip(rows.iter().copied()).collect::<Vec<_>>())
}

fn numbered(n: u64, rows: &[(u32, [f64; 3])]) -> Vec<EpochRecord> {
    let record = |&(epoch, [clean, fgsm, pgd]): &(u32, [f64; 3])| EpochRecord {
        epoch,
        of: 200,
        loss: 1.0,
        scalars: Vec::new(),
        learning_rate: 0.1,
        validation: Some(ValidationRecord { n, clean, fgsm, pgd }),
        passes: 2.0,
        seconds: 1.0,
        images_per_second: 1.0,
    };
    rows.iter().map(record).collect()
}

fn found(epochs: &[EpochRecord]) -> Vec<(Kind, u32)> {
    find(epochs).into_iter().map(|finding| (finding.kind, finding.epoch)).collect()
}

/// Would catch a collapse that is missed, found at another epoch or more than once, and a sentence
/// without the figures or the remedy.
#[test]
fn collapse_is_found_where_it_begins() {
    let epochs = epochs(&[
        [0.40, 0.28, 0.26],
        [0.52, 0.35, 0.31],
        [0.63, 0.51, 0.12],
        [0.74, 0.78, 0.01],
        [0.76, 0.80, 0.00],
    ]);
    assert_eq!(found(&epochs), [(Kind::Catastrophic, 3)]);
    let sentence = &find(&epochs)[0].sentence;
    for words in [
        "Catastrophic overfitting at epoch 3",
        "from 31.0 % at epoch 2 to 12.0 %",
        "from 35.0 % to 51.0 %",
        "1000 held-out images",
        "use the weights of epoch 2.",
    ] {
        assert!(sentence.contains(words), "{sentence}");
    }
}

/// Would catch a collapse that is missed because it was complete before the first validation, and a
/// remedy that does not exist then.
#[test]
fn collapse_within_the_first_epoch() {
    let epochs = epochs(&[[0.72, 0.70, 0.02], [0.75, 0.74, 0.01]]);
    assert_eq!(found(&epochs), [(Kind::Catastrophic, 1)]);
    let sentence = &find(&epochs)[0].sentence;
    assert!(sentence.contains("70.0 % are left under FGSM, but 2.0 % under PGD"), "{sentence}");
    assert!(!sentence.contains("the weights of"), "{sentence}");
}

/// Would catch a threshold of the collapse after a better epoch that is gone or lies elsewhere: half
/// of the best, one step that has not fallen, half of clean accuracy, the gap.
#[test]
fn thresholds_after_a_better_epoch() {
    let after = |now| found(&epochs(&[[0.55, 0.40, 0.36], now]));
    let caught = [(Kind::Catastrophic, 2)];
    assert_eq!(after([0.70, 0.42, 0.17]), caught);
    assert_eq!(after([0.70, 0.42, 0.19]), [], "PGD is above half of its best");
    // Two standard errors of 0.40 and about 0.36 on 1,000 images are 0.043.
    assert_eq!(after([0.70, 0.36, 0.17]), caught);
    assert_eq!(after([0.70, 0.35, 0.17]), [], "FGSM has fallen as well");
    assert_eq!(after([0.85, 0.42, 0.17]), [], "FGSM is below half of clean accuracy");
    let weak = |fgsm, pgd| found(&epochs(&[[0.35, 0.20, 0.18], [0.40, fgsm, pgd]]));
    assert_eq!(weak(0.24, 0.08), caught);
    assert_eq!(weak(0.22, 0.08), [], "the gap is below 15 points");
}

/// Would catch a threshold of the collapse without a better epoch that is gone or lies elsewhere:
/// half of FGSM, two thirds of clean accuracy, the gap.
#[test]
fn thresholds_within_the_first_epoch() {
    let first = |now| found(&epochs(&[now]));
    let caught = [(Kind::Catastrophic, 1)];
    assert_eq!(first([0.60, 0.50, 0.24]), caught);
    assert_eq!(first([0.60, 0.50, 0.26]), [], "PGD is above half of FGSM");
    assert_eq!(first([0.60, 0.41, 0.10]), caught);
    assert_eq!(first([0.60, 0.39, 0.10]), [], "FGSM is below two thirds of clean accuracy");
    assert_eq!(first([0.25, 0.22, 0.06]), caught);
    assert_eq!(first([0.25, 0.22, 0.08]), [], "the gap is below 15 points");
}

/// Would catch a verdict from so few images that the gap may be chance.
#[test]
fn few_images_prove_little() {
    let gap = [(1, [0.40, 0.35, 0.15])];
    assert_eq!(found(&numbered(1000, &gap)), [(Kind::Catastrophic, 1)]);
    assert_eq!(found(&numbered(20, &gap)), []);
}

/// Would catch healthy adversarial training that is called overfitted: the good case, early noise and
/// a late dip that passes.
#[test]
fn healthy_adversarial_training() {
    let mut rows = vec![[0.32, 0.25, 0.24], [0.30, 0.22, 0.21], [0.41, 0.29, 0.27]];
    rows.extend([[0.55, 0.35, 0.31]; 20]);
    rows.extend([[0.56, 0.33, 0.28], [0.58, 0.36, 0.32], [0.58, 0.36, 0.31]]);
    assert_eq!(found(&epochs(&rows)), []);
}

/// Would catch standard training that is called overfitted: one step breaks it too. The last row is
/// that of Madry et al. (2018); the first is of a network that answers one class.
#[test]
fn standard_training() {
    let rows = [
        [0.10, 0.10, 0.10],
        [0.45, 0.15, 0.10],
        [0.60, 0.12, 0.02],
        [0.75, 0.16, 0.00],
        [0.952, 0.327, 0.035],
    ];
    for last in 1..=rows.len() {
        assert_eq!(found(&epochs(&rows[..last])), []);
    }
    let late = [[0.93, 0.30, 0.05], [0.94, 0.31, 0.02], [0.95, 0.33, 0.00]];
    assert_eq!(found(&epochs(&late)), []);
}

/// Would catch noise around chance that is taken for a collapse.
#[test]
fn bad_network_near_chance() {
    let rows = [[0.10, 0.10, 0.10], [0.13, 0.11, 0.04], [0.10, 0.10, 0.10], [0.18, 0.12, 0.05]];
    assert_eq!(found(&epochs(&rows)), []);
    let two_classes = [[0.5, 0.5, 0.5], [0.56, 0.50, 0.42], [0.5, 0.5, 0.5]];
    assert_eq!(found(&epochs(&two_classes)), []);
}

/// Would catch a network that answers one class being passed over, and one that is robust to the last
/// image, or only stands still for an epoch, being taken for it. The first rows are those of `ResilienceCNN`
/// trained against PGD at eps 0.1.
#[test]
fn one_answer_to_every_image() {
    let stuck = epochs(&[[0.078; 3], [0.078; 3], [0.078; 3]]);
    assert_eq!(found(&stuck), [(Kind::OneAnswer, 3)]);
    let sentence = &find(&stuck)[0].sentence;
    assert!(
        sentence.contains("7.8 % without an attack") && sentence.contains("1000"),
        "{sentence}"
    );
    assert_eq!(found(&epochs(&[[1.0; 3], [1.0; 3]])), []);
    assert_eq!(found(&epochs(&[[0.1; 3]])), []);
    assert_eq!(found(&epochs(&[[0.1; 3], [0.3, 0.25, 0.24]])), []);
}

/// Would catch the best known case of robust overfitting that is missed, whether all test images or
/// 1,000 are attacked. Robust figures: AWP's log; the others are made up.
#[test]
fn known_robust_overfitting() {
    let rows = [(50, [0.78, 0.55, 0.48]), (102, [0.82, 0.58, 0.528]), (199, [0.85, 0.53, 0.4375])];
    for n in [1000, 10_000] {
        assert_eq!(found(&numbered(n, &rows)), [(Kind::Robust, 199)]);
    }
    let sentence = &find(&numbered(10_000, &rows))[0].sentence;
    for words in [
        "Robust overfitting at epoch 199",
        "from 52.8 % at epoch 102 to 43.8 %",
        "0.7 points on 10000 held-out images",
        "from 82.0 % to 85.0 %",
        "use the weights of epoch 102",
    ] {
        assert!(sentence.contains(words), "{sentence}");
    }
    assert_eq!(found(&numbered(100, &rows)), [], "of so few images it may be chance");
}

/// Would catch a threshold of robust overfitting that is gone or lies elsewhere: two standard errors
/// (0.044 here), clean accuracy that stays, two epochs since the best, robustness to lose.
#[test]
fn thresholds_of_robust_overfitting() {
    let last = |epoch, now| found(&numbered(1000, &[(5, [0.80, 0.56, 0.50]), (epoch, now)]));
    assert_eq!(last(7, [0.80, 0.52, 0.45]), [(Kind::Robust, 7)]);
    assert_eq!(last(7, [0.80, 0.52, 0.46]), [], "within two standard errors");
    assert_eq!(last(6, [0.80, 0.52, 0.45]), [], "one epoch is no trend");
    assert_eq!(last(7, [0.75, 0.52, 0.45]), [], "clean accuracy has fallen as well");
    assert_eq!(last(7, [0.77, 0.52, 0.45]), [(Kind::Robust, 7)]);
    assert_eq!(last(7, [0.94, 0.52, 0.45]), [(Kind::Robust, 7)]);
    assert_eq!(last(7, [0.96, 0.52, 0.45]), [], "the network was still learning at its best epoch");
    let weak = |pgd| found(&epochs(&[[0.80, 0.25, pgd], [0.8, 0.2, 0.1], [0.8, 0.2, 0.1]]));
    assert_eq!(weak(0.17), [(Kind::Robust, 3)]);
    assert_eq!(weak(0.15), [], "there was hardly any robustness to lose");
}

/// Would catch one collapse that is told as two kinds of overfitting, and a later kind that an earlier
/// collapse, long recovered from, hides.
#[test]
fn kinds_are_told_apart() {
    let collapse = [[0.55, 0.36, 0.33], [0.70, 0.60, 0.05], [0.75, 0.70, 0.02]];
    assert_eq!(found(&epochs(&[collapse[0], collapse[1], collapse[2], collapse[2]]))[1..], []);
    let recovered =
        [collapse[0], collapse[1], [0.72, 0.50, 0.45], [0.8, 0.5, 0.4], [0.8, 0.5, 0.39]];
    assert_eq!(found(&epochs(&recovered)), [(Kind::Catastrophic, 2), (Kind::Robust, 5)]);
}

/// Would catch a panic or a verdict where nothing was measured, or nonsense was.
#[test]
fn nothing_is_said_of_nothing() {
    assert_eq!(found(&[]), []);
    let unvalidated = EpochRecord { validation: None, ..epochs(&[[0.5, 0.4, 0.3]]).remove(0) };
    let mut gaps = epochs(&[[0.55, 0.40, 0.36], [0.0; 3], [0.70, 0.60, 0.02]]);
    gaps[1] = EpochRecord { epoch: 2, ..unvalidated.clone() };
    assert_eq!(found(&gaps), [(Kind::Catastrophic, 3)]);
    assert_eq!(found(&[unvalidated]), []);
    assert_eq!(found(&numbered(0, &[(1, [0.72, 0.70, 0.02])])), []);
    assert_eq!(found(&epochs(&[[f64::NAN, 0.70, 0.02], [0.7, 0.70, f64::NAN]])), []);
    assert_eq!(found(&epochs(&[[0.7, 1.70, 0.02]])), []);
}
