//! An epoch in words for the terminal.

use resilience_core::record::EpochRecord;

/// Two lines: losses, learning rate and speed; then accuracies in training and on held-out images.
pub fn lines(epoch: &EpochRecord) -> String {
    let mut losses = Vec::new();
    let mut accuracies = Vec::new();
    for (name, value) in &epoch.scalars {
        if let Some(of) = name.strip_suffix("_accuracy") {
            accuracies.push(percent(of, *value));
        } else {
            let of = name.strip_suffix("_loss").unwrap_or(name);
            losses.push(format!("{} {value:.4}", of.replace('_', " ")));
        }
    }
    let parts = if losses.len() > 1 { format!(" ({})", losses.join(", ")) } else { String::new() };
    let first = format!(
        "  epoch {}/{}  loss {:.4}{parts}  learning rate {:.6}  {:.0} images/s",
        epoch.epoch, epoch.of, epoch.loss, epoch.learning_rate, epoch.images_per_second
    );
    let mut second = Vec::new();
    if !accuracies.is_empty() {
        second.push(format!("in training: {}", accuracies.join(", ")));
    }
    if let Some(held) = epoch.validation {
        let figures = [("clean", held.clean), ("FGSM", held.fgsm), ("PGD", held.pgd)];
        second.push(format!(
            "held out: {}",
            figures.map(|(of, value)| percent(of, value)).join(", ")
        ));
    }
    if second.is_empty() { first } else { format!("{first}\n             {}", second.join("; ")) }
}

fn percent(of: &str, share: f64) -> String {
    format!("{of} {:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use resilience_core::record::ValidationRecord;

    /// Would catch a figure that is left out, or shown under another name.
    #[test]
    fn an_epoch_says_everything_that_is_known_of_it() {
        let epoch = EpochRecord {
            epoch: 2,
            of: 5,
            loss: 3.25,
            scalars: [("clean_loss", 1.5), ("divergence", 0.25), ("clean_accuracy", 0.5)]
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            learning_rate: 0.001,
            validation: Some(ValidationRecord { n: 1000, clean: 0.5, fgsm: 0.375, pgd: 0.25 }),
            passes: 24.0,
            seconds: 10.0,
            images_per_second: 1234.0,
        };
        let expected = "  epoch 2/5  loss 3.2500 (clean 1.5000, divergence 0.2500)  learning rate \
                        0.001000  1234 images/s\n             in training: clean 50.00 %; held out: \
                        clean 50.00 %, FGSM 37.50 %, PGD 25.00 %";
        assert_eq!(lines(&epoch), expected);
    }
}
