//! The numbers of an epoch that TensorBoard draws.

use crate::record::EpochRecord;

/// Numbers by tag; what stands before a tag's slash is the group that TensorBoard shows it in.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalars {
    /// The place on the axis: the epoch, counted from 1.
    pub step: u64,
    /// When the epoch ended, in seconds since 1970 (UTC).
    pub wall_time: f64,
    /// Tag and value: `loss/total`, `accuracy/validation_pgd`.
    pub values: Vec<(String, f64)>,
}

impl Scalars {
    /// What a record says, under TensorBoard's kind of names: of `clean_loss` becomes `loss/clean`,
    /// of `adversarial_accuracy` `accuracy/adversarial`; a name of another form stays as it is.
    #[must_use]
    pub fn of_epoch(record: &EpochRecord, wall_time: f64) -> Self {
        let mut values = vec![("loss/total".to_owned(), record.loss)];
        values.extend(record.scalars.iter().map(|(name, value)| (tag(name), *value)));
        if let Some(validation) = &record.validation {
            let accuracies =
                [("clean", validation.clean), ("fgsm", validation.fgsm), ("pgd", validation.pgd)];
            let named = |(name, value)| (format!("accuracy/validation_{name}"), value);
            values.extend(accuracies.map(named));
        }
        values.push(("learning_rate".to_owned(), record.learning_rate));
        values.push(("images_per_second".to_owned(), record.images_per_second));
        Self { step: u64::from(record.epoch), wall_time, values }
    }
}

fn tag(name: &str) -> String {
    match name.rsplit_once('_') {
        Some((of, kind @ ("loss" | "accuracy"))) => format!("{kind}/{of}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata;

    /// Would catch a figure that TensorBoard is not told of, or is told under another tag.
    #[test]
    fn every_figure_has_its_tag() {
        let mut record = testdata::training().epochs.remove(0);
        record.scalars.push(("gradient_norm".to_owned(), 2.5));
        let scalars = Scalars::of_epoch(&record, 7.0);
        assert_eq!((scalars.step, scalars.wall_time.to_bits()), (1, 7.0_f64.to_bits()));
        let tags: Vec<&str> = scalars.values.iter().map(|(tag, _)| tag.as_str()).collect();
        let expected = [
            "loss/total",
            "loss/clean",
            "loss/adversarial",
            "accuracy/clean",
            "accuracy/adversarial",
            "gradient_norm",
            "accuracy/validation_clean",
            "accuracy/validation_fgsm",
            "accuracy/validation_pgd",
            "learning_rate",
            "images_per_second",
        ];
        assert_eq!(tags, expected);
        let pgd = record.validation.unwrap().pgd;
        assert_eq!(scalars.values[8], ("accuracy/validation_pgd".to_owned(), pgd));
    }

    /// Would catch figures made up for an epoch that was not validated.
    #[test]
    fn nothing_is_said_of_a_validation_that_was_not() {
        let record = EpochRecord { validation: None, ..testdata::training().epochs.remove(0) };
        let scalars = Scalars::of_epoch(&record, 0.0);
        assert!(scalars.values.iter().all(|(tag, _)| !tag.contains("validation")));
    }
}
