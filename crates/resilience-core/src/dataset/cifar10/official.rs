//! Whether images are the official ones, batch by batch.

use std::path::{Path, PathBuf};

use super::{CLASSES, Split};
use crate::dataset::DatasetError;
use crate::dataset::pixels::checksum;

/// SHA-256 of each batch in its binary form, as several projects state them.
const SHA256: [(&str, &str); 6] = [
    ("data_batch_1", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
    ("data_batch_2", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
    ("data_batch_3", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
    ("data_batch_4", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
    ("data_batch_5", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    ("test_batch", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
];

/// Whether the batch holds the official images; an error where it holds those of another batch,
/// since then training images would be tested on.
pub fn is_official(
    path: &Path,
    batch: &str,
    labels: &[u8],
    pixels: &[u8],
) -> Result<bool, DatasetError> {
    let found = checksum(labels, pixels);
    match SHA256.iter().find(|(_, sha256)| *sha256 == found) {
        Some((name, _)) if *name == batch => Ok(true),
        Some((name, _)) => Err(DatasetError::Content {
            path: path.to_owned(),
            what: "images".to_owned(),
            expected: format!("those of {batch}"),
            found: format!("those of {name}: the file has another batch's name"),
        }),
        None => Ok(false),
    }
}

/// Every class has as many images as every other; where labels were changed, that breaks first.
pub fn check_balance(path: &Path, split: Split, labels: &[u8]) -> Result<(), DatasetError> {
    let expected = labels.len() / usize::from(CLASSES);
    let mut counts = [0; CLASSES as usize];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    let wrong = counts.into_iter().enumerate().find(|(_, count)| *count != expected);
    wrong.map_or(Ok(()), |(class, count)| {
        Err(DatasetError::Content {
            path: path.to_owned(),
            what: format!("labels of the {split} split"),
            expected: format!("{expected} images of each class"),
            found: format!("{count} of class {class}: labels were changed or images replaced"),
        })
    })
}

/// What to tell where the images are not the official ones.
pub fn notice(foreign: &[PathBuf]) -> String {
    let files: Vec<_> = foreign.iter().map(|path| path.display().to_string()).collect();
    format!(
        "{} does not hold CIFAR-10's official images or labels (its SHA-256 is another), although \
         the form is right. Figures on it cannot be compared with published ones. If this was not \
         intended, fetch the data set again.",
        files.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch one changed label of a whole split going unnoticed.
    #[test]
    fn one_label_breaks_the_balance() {
        let mut labels: Vec<u8> = (0..100).map(|i| i % 10).collect();
        check_balance(Path::new("b"), Split::Test, &labels).unwrap();
        labels[3] = 4;
        let error = check_balance(Path::new("b"), Split::Test, &labels).unwrap_err().to_string();
        assert!(error.contains("expected 10 images of each class, found 9 of class 3"), "{error}");
    }
}
