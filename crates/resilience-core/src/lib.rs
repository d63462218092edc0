//! Everything that needs no libtorch: the words for a threat, file formats, data sets, metrics,
//! the run store and the report.
//!
//! In reading order: [`threat`] and [`record`] are the vocabulary; [`format`] turns files into
//! plain buffers and [`dataset`] turns those into labelled images; [`store`] keeps what a run
//! found, [`metric`] counts it, [`summary`] is the result that machines read and [`report`] the
//! one that people read. Progress and notices leave through [`event`] alone.

pub mod event;
pub mod metric;
pub mod paper;
pub mod record;
pub mod report;
pub mod store;
pub mod summary;
pub mod threat;

mod temporary;

#[cfg(test)]
mod testdata;
