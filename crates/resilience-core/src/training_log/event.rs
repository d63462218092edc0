//! TensorBoard's events, the few kinds of them that scalars need.
//!
//! Source: `event.proto` and `summary.proto` of TensorBoard, whose field numbers these are. What is
//! not used here is left out; a reader takes it for absent.

use prost::{Message, Oneof};

use super::Scalars;
use super::tfrecord;

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
    #[prost(message, optional, tag = "10")]
    source: Option<Source>,
}

#[derive(Clone, PartialEq, Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
struct Source {
    #[prost(string, tag = "1")]
    writer: String,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    // Optional, because a plain zero would be left out, and the value with it.
    #[prost(float, optional, tag = "2")]
    simple: Option<f32>,
}

/// What an event file begins with: the version of the format, and who wrote it.
pub(super) fn beginning(wall_time: f64) -> Vec<u8> {
    framed([Event {
        wall_time,
        step: 0,
        what: Some(What::FileVersion("brain.Event:2".to_owned())),
        source: Some(Source { writer: "resilience".to_owned() }),
    }])
}

/// One event a scalar, as PyTorch's `SummaryWriter` writes them.
pub(super) fn of_scalars(scalars: &Scalars) -> Vec<u8> {
    framed(scalars.values.iter().map(|(tag, value)| {
        let value = Value { tag: tag.clone(), simple: Some(*value as f32) };
        Event {
            wall_time: scalars.wall_time,
            step: scalars.step as i64,
            what: Some(What::Summary(Summary { values: vec![value] })),
            source: None,
        }
    }))
}

fn framed(events: impl IntoIterator<Item = Event>) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        tfrecord::write(&mut out, &event.encode_to_vec());
    }
    out
}
