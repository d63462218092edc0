//! Everything that needs no libtorch: the words for a threat, file formats, data sets, metrics,
//! the run store and the report.
//!
//! In reading order: [`threat`] and [`record`] are the vocabulary; [`mod@format`] turns files into
//! plain buffers and [`dataset`] turns those into labelled images; [`store`] keeps what a run
//! found, [`metric`] counts it, [`summary`] is the result that machines read and [`report`] the
//! one that people read; [`export`] gives it to other programs. The [`leaderboard`] is what others
//! have published, and where a result stands among it. A [`manifest`] describes a model on
//! disk (or several, and how they [`vote`]), and [`pull`] fetches its weights by way of [`download`], as
//! data sets are fetched. A [`method`] says how a model is trained; of a training run [`training_log`] keeps
//! what it tells while it goes on, [`overfitting`] judges it, and a [`comparison`] counts several. An [`audit`] says whether there is a reason not to trust a result. Many
//! machines share a run by way of [`cluster`]. Progress and notices leave through [`event`] alone.

pub mod audit;
pub mod cluster;
pub mod comparison;
pub mod context;
pub mod dataset;
pub mod download;
pub mod event;
pub mod export;
pub mod format;
pub mod leaderboard;
pub mod manifest;
pub mod method;
pub mod metric;
pub mod overfitting;
pub mod paper;
pub mod plan;
pub mod pull;
pub mod record;
pub mod report;
pub mod store;
pub mod suggest;
pub mod suite;
pub mod summary;
pub mod threat;
pub mod training_log;
pub mod view;
pub mod vote;

#[cfg(test)]
mod testdata;
