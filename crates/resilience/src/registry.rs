//! Looking a name up in a registry, with the nearest name where there is none.

use resilience_core::suggest::nearest;

use crate::error::EngineError;

/// The entry of `registry` whose id is `name`; else an error that suggests a similar id.
pub fn find<T>(
    what: &'static str,
    name: &str,
    registry: &'static [&'static T],
    id: fn(&T) -> &'static str,
) -> Result<&'static T, EngineError> {
    registry.iter().copied().find(|entry| id(entry).eq_ignore_ascii_case(name)).ok_or_else(|| {
        EngineError::UnknownName {
            what,
            name: name.to_owned(),
            near: nearest(name, registry.iter().map(|entry| id(entry))).map(str::to_owned),
        }
    })
}
