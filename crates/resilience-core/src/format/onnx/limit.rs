//! How much a file may ask for, found before anything of it is decoded.

use super::OnnxError;

/// Bytes of an ONNX file; protocol buffers end there, and exporters put larger weights beside it.
pub(super) const FILE: u64 = 2 << 30;
/// Messages in a file: nodes, attributes, tensors. Large classifiers have some ten thousand.
const MESSAGES: u64 = 1_000_000;

/// Counts the messages of a model, which take far more memory than bytes where they are empty. Whether
/// the file is sound, the decoder says.
pub(super) fn check(bytes: &[u8]) -> Result<(), OnnxError> {
    let mut found = 0;
    count(bytes, Place::Model, &mut found);
    if found > MESSAGES {
        let what = "messages in the file".to_owned();
        return Err(OnnxError::TooLarge { what, allowed: MESSAGES, found });
    }
    Ok(())
}

/// What a message is, as far as it decides what its fields are.
#[derive(Clone, Copy)]
enum Place {
    Model,
    Graph,
    Node,
    Attribute,
    Value,
    Type,
    TensorType,
    Shape,
    Tensor,
    Leaf,
}

impl Place {
    /// What a field of this number is, where it is a message that is decoded. Texts in a list count
    /// too: each is a piece of memory of its own.
    const fn field(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph | Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11 | 12) => Self::Value,
            (Self::Node, 5) => Self::Attribute,
            (Self::Value, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Model, 8)
            | (Self::Graph, 15)
            | (Self::Node, 1 | 2)
            | (Self::Attribute, 9)
            | (Self::Shape, 1)
            | (Self::Tensor, 13) => Self::Leaf,
            _ => return None,
        })
    }
}

/// Adds up the messages inside of one; stops where the bytes make no sense. Nesting ends by itself:
/// no message of ours holds its own kind.
fn count(mut bytes: &[u8], place: Place, found: &mut u64) {
    while !bytes.is_empty() && *found <= MESSAGES {
        let Some(key) = varint(&mut bytes) else { return };
        let length = match key & 7 {
            0 => {
                if varint(&mut bytes).is_none() {
                    return;
                }
                continue;
            }
            1 => 8,
            2 => match varint(&mut bytes) {
                Some(length) => length,
                None => return,
            },
            5 => 4,
            _ => return,
        };
        let Some((field, rest)) = bytes.split_at_checked(length as usize) else { return };
        bytes = rest;
        if let (2, Some(inside)) = (key & 7, place.field(key >> 3)) {
            *found += 1;
            count(field, inside, found);
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (place, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            *bytes = &bytes[place + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch two bytes a message becoming hundreds of bytes of memory.
    #[test]
    fn empty_messages_are_counted() {
        let nodes = [0x0a, 0].repeat(2_000_000);
        let mut graph = vec![0x3a];
        prost::encode_length_delimiter(nodes.len(), &mut graph).unwrap();
        graph.extend(nodes);
        let error = check(&graph).unwrap_err().to_string();
        assert!(error.contains("at most 1000000"), "{error}");
        check(&graph[..100]).unwrap();
    }
}
