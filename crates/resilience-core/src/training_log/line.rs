//! Lines of JSON.

use std::path::Path;

use serde::{Serialize, Serializer};

use super::TrainingLogError;

/// Version of the file of lines; the first line says it.
pub const SCHEMA: u32 = 1;

/// What a log says of its run before any epoch.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// What the model is called in tables.
    pub name: &'a str,
    /// Version of the program.
    pub version: &'a str,
    /// When the log was begun, in seconds since 1970 (UTC).
    pub wall_time: f64,
    /// Every setting of the run by name.
    pub settings: &'a [(String, String)],
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            schema: u32,
            name: &'a str,
            version: &'a str,
            wall_time: f64,
            #[serde(serialize_with = "map")]
            settings: &'a [(String, String)],
        }
        let Self { name, version, wall_time, settings } = *self;
        Line { schema: SCHEMA, name, version, wall_time, settings }.serialize(serializer)
    }
}

/// Pairs as an object, in their order.
fn map<S: Serializer>(pairs: &&[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// A value as one line of the file at `path`, its end included.
pub(super) fn to_bytes(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, TrainingLogError> {
    let record = |source| TrainingLogError::Record { path: path.to_owned(), source };
    // Without spaces or line breaks: those within texts are escaped.
    let mut line = serde_json::to_vec(value).map_err(record)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a header in another form than is documented, or one that spans two lines.
    #[test]
    fn header_is_one_line() {
        let settings = [("note", "two\nlines"), ("batch", "128")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let header =
            Header { name: "resnet32", version: "0.1.0", wall_time: 0.5, settings: &settings };
        let line = to_bytes(Path::new("log.jsonl"), &header).unwrap();
        let expected = concat!(
            r#"{"schema":1,"name":"resnet32","version":"0.1.0","wall_time":0.5,"#,
            r#""settings":{"note":"two\nlines","batch":"128"}}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    /// Would catch an error that does not name the file.
    #[test]
    fn what_json_cannot_say_is_an_error() {
        let record = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = to_bytes(Path::new("log.jsonl"), &record).unwrap_err();
        assert!(error.to_string().contains("log.jsonl"), "{error}");
    }
}
