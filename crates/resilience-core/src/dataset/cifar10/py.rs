//! The Python form: a pickled dictionary with `data` (NumPy, uint8 [n, 3072]) and `labels` (a
//! list), written by Python 2 in the official archive and by any Python elsewhere.

use std::path::Path;

use super::{CLASSES, IMAGE};
use crate::dataset::DatasetError;
use crate::format::pickle::{self, Function, Node, NodeId, Pickle};

/// Reads as many images as there are places, which must be all of them.
pub fn parse(
    path: &Path,
    batch: &str,
    bytes: &[u8],
    labels: &mut [u8],
    pixels: &mut [u8],
) -> Result<(), DatasetError> {
    let (tree, _) = pickle::parse(bytes)
        .map_err(|source| DatasetError::Pickle { path: path.to_owned(), source })?;
    let content = |what: &str, expected: String, found: String| DatasetError::Content {
        path: path.to_owned(),
        what: what.to_owned(),
        expected,
        found,
    };
    let root = tree.root();
    let member = |key: &str| {
        tree.get(root, key).ok_or_else(|| {
            let expected = "a dictionary with 'data' and 'labels'".to_owned();
            content("pickle", expected, tree.describe(root))
        })
    };
    let (data, listed) = (member("data")?, member("labels")?);
    check_batch_label(path, batch, &tree)?;
    let elements = tree.elements(listed).unwrap_or_default();
    if elements.len() != labels.len() {
        let expected = format!("a list of {}", labels.len());
        return Err(content("labels", expected, tree.describe(listed)));
    }
    for (index, (&element, label)) in elements.iter().zip(labels.iter_mut()).enumerate() {
        let value = tree.count(element).and_then(|value| u8::try_from(value).ok());
        *label = value.filter(|&value| value < CLASSES).ok_or_else(|| {
            let expected = format!("from 0 to {}", CLASSES - 1);
            content(&format!("label of image {index}"), expected, tree.describe(element))
        })?;
    }
    let array = NumpyBytes::read(&tree, data)
        .ok_or_else(|| content("data", "a NumPy array of uint8".to_owned(), tree.describe(data)))?;
    let n = labels.len();
    if array.shape != [n, IMAGE] || array.bytes.len() != n * IMAGE {
        let expected = format!("shape [{n}, {IMAGE}]");
        let found = format!("shape {:?} in {} bytes", array.shape, array.bytes.len());
        return Err(content("data", expected, found));
    }
    if array.column_major {
        for (place, pixel) in pixels.iter_mut().enumerate() {
            *pixel = array.bytes[place % IMAGE * n + place / IMAGE];
        }
    } else {
        pixels.copy_from_slice(array.bytes);
    }
    Ok(())
}

/// The file says itself which batch it is, as `training batch 1 of 5`.
fn check_batch_label(path: &Path, batch: &str, tree: &Pickle<'_>) -> Result<(), DatasetError> {
    let label = tree.get(tree.root(), "batch_label").and_then(|id| tree.text(id));
    let expected = match batch.strip_prefix("data_batch_") {
        Some(number) => format!("training batch {number} of 5"),
        None => "testing batch 1 of 1".to_owned(),
    };
    match label {
        Some(label) if label != expected => Err(DatasetError::Content {
            path: path.to_owned(),
            what: "batch_label".to_owned(),
            expected: format!("'{expected}'"),
            found: format!("'{label}': the file has another batch's name"),
        }),
        _ => Ok(()),
    }
}

/// A pickled NumPy array of bytes.
pub(in crate::dataset) struct NumpyBytes<'a> {
    pub shape: Vec<usize>,
    /// Fortran's order: the first index runs fastest.
    pub column_major: bool,
    pub bytes: &'a [u8],
}

impl<'a> NumpyBytes<'a> {
    pub fn read(tree: &'a Pickle<'_>, id: NodeId) -> Option<Self> {
        let Node::Call { function, arguments, state } = tree.node(id) else { return None };
        let (shape, dtype, column_major, bytes) = match function {
            // Through `__setstate__`: version, shape, dtype, whether column-major, bytes.
            Function::NumpyReconstruct => {
                let [_version, shape, dtype, order, bytes] = *tree.elements((*state)?)? else {
                    return None;
                };
                let column_major = match tree.node(order) {
                    Node::Bool(value) => *value,
                    Node::Int(value) => *value != 0,
                    _ => return None,
                };
                (shape, dtype, column_major, bytes)
            }
            // Protocol 5: bytes, dtype, shape, order.
            Function::NumpyFromBuffer => {
                let [bytes, dtype, shape, order] = *tree.elements(*arguments)? else { return None };
                (shape, dtype, tree.text(order)? == "F", bytes)
            }
            _ => return None,
        };
        let Node::Call { function: Function::NumpyDtype, arguments, .. } = tree.node(dtype) else {
            return None;
        };
        let code = tree.text(*tree.elements(*arguments)?.first()?)?;
        let Node::Bytes(bytes) = tree.node(bytes) else { return None };
        let shape = tree.elements(shape)?.iter().map(|&side| tree.count(side));
        matches!(code, "u1" | "|u1" | "uint8").then_some(Self {
            shape: shape.collect::<Option<_>>()?,
            column_major,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of `n` images as Python 2 writes it, with protocol 2 and `str` for everything.
    fn python2(n: usize, label: u8, batch_label: &str, column_major: bool) -> Vec<u8> {
        let mut out = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U".to_vec();
        out.push(batch_label.len() as u8);
        out.extend(batch_label.as_bytes());
        out.extend(b"q\x03U\x06labelsq\x04]q\x05(");
        (0..n).for_each(|_| out.extend([b'K', label]));
        out.extend(b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07");
        out.extend(b"cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x0a(K\x01M");
        out.extend((n as u16).to_le_bytes());
        out.extend(b"M\x00\x0c\x86cnumpy\ndtype\nq\x0bU\x02u1K\x00K\x01\x87Rq\x0c");
        out.extend(b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb");
        out.push(if column_major { 0x88 } else { 0x89 });
        out.push(b'T');
        out.extend(((n * IMAGE) as u32).to_le_bytes());
        out.extend((0..n * IMAGE).map(|i| (i % 251) as u8));
        out.extend(b"tbu.");
        out
    }

    fn read(bytes: &[u8], batch: &str, n: usize) -> Result<(Vec<u8>, Vec<u8>), DatasetError> {
        let (mut labels, mut pixels) = (vec![0; n], vec![0; n * IMAGE]);
        parse(Path::new("b"), batch, bytes, &mut labels, &mut pixels).map(|()| (labels, pixels))
    }

    /// Would catch Python 2's strings not being taken for keys, codes and bytes alike.
    #[test]
    fn python_2_batch() {
        let bytes = python2(3, 7, "testing batch 1 of 1", false);
        let (labels, pixels) = read(&bytes, "test_batch", 3).unwrap();
        assert_eq!(labels, [7; 3]);
        assert!(pixels.iter().enumerate().all(|(i, &pixel)| pixel == (i % 251) as u8));
    }

    /// Would catch a column-major array being taken for row-major.
    #[test]
    fn column_major_batch() {
        let bytes = python2(2, 0, "training batch 4 of 5", true);
        let (_, pixels) = read(&bytes, "data_batch_4", 2).unwrap();
        assert_eq!(pixels[1], 2);
        assert_eq!(pixels[IMAGE], 1);
        assert_eq!(pixels[IMAGE + 1], 3);
    }

    /// Would catch a batch under another's name, and counts or labels that cannot be.
    #[test]
    fn mislabelled_batches_are_refused() {
        let bytes = python2(2, 0, "training batch 4 of 5", false);
        let error = read(&bytes, "test_batch", 2).unwrap_err().to_string();
        assert!(error.contains("expected 'testing batch 1 of 1'"), "{error}");
        assert!(read(&bytes, "data_batch_4", 3).is_err());
        let error = read(&python2(2, 10, "testing batch 1 of 1", false), "test_batch", 2);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("b: label of image 0: expected from 0 to 9, found"), "{error}");
    }

    /// Would catch a batch that is cut short, or damaged near its start, being read or panicked on.
    #[test]
    fn broken_batches_are_errors() {
        let bytes = python2(1, 3, "testing batch 1 of 1", false);
        let head = bytes.len() - IMAGE;
        for length in (0..head).chain([head + 1, head + IMAGE / 2, bytes.len() - 1]) {
            assert!(read(&bytes[..length], "test_batch", 1).is_err(), "cut to {length}");
        }
        for at in 0..head {
            for value in [0, b'.', b'(', 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let _ = read(&damaged, "test_batch", 1);
            }
        }
    }
}
