//! Models that are ready to be evaluated, and what is known of them.

use std::fmt::Write as _;

use resilience::model::{Differentiable, Ensemble as Voters, Model, Native, Onnx, Script};
use resilience_core::dataset::Images;
use resilience_core::format::array::StateDict;
use resilience_core::format::{onnx, pth, weights};
use resilience_core::manifest::{Described, Ensemble, Format, Manifest};
use resilience_core::record::{
    EnsembleRecord, LayerRecord, MemberRecord, ModelRecord, TrainingRecord,
};
use resilience_core::vote::Vote;

use super::Takes;
use crate::error::CliError;

/// A model ready to be evaluated, and what is recorded of it.
pub struct Loaded {
    /// What the command line called it, or could call it.
    pub request: String,
    /// The model.
    pub model: Model,
    /// Everything but the data it is evaluated on.
    pub describe: Description,
}

/// What is known of a model before it meets data.
#[derive(Clone, Debug)]
pub struct Description {
    /// What it is; its files are where the weights were found.
    pub described: Described,
    /// What was found of each of its networks, in their order.
    parts: Vec<Part>,
}

/// What was found of a network.
#[derive(Clone, Debug)]
struct Part {
    weights_sha256: String,
    training: Option<TrainingRecord>,
    parameters: u64,
    layers: Vec<LayerRecord>,
    takes: Takes,
    notices: Vec<String>,
}

/// What a model does to pixels in [0, 1] first.
pub struct Input {
    /// Subtracted from each channel.
    pub mean: [f64; 3],
    /// Divides each channel after that.
    pub std: [f64; 3],
    /// Standard deviation of its noise; 0 for none.
    pub noise: f64,
    /// Values that it rounds them to; none where it does not.
    pub levels: Option<u32>,
}

impl Description {
    /// What it is called in tables.
    pub fn name(&self) -> &str {
        self.described.name()
    }

    /// The architecture's registry id; of an ensemble, what its members are.
    pub fn architecture(&self) -> String {
        match &self.described {
            Described::Model(manifest) => manifest.architecture.clone(),
            Described::Ensemble(ensemble) => {
                let mut ids: Vec<&str> = Vec::new();
                for member in &ensemble.members {
                    if !ids.contains(&member.architecture.as_str()) {
                        ids.push(&member.architecture);
                    }
                }
                format!("ensemble of {}: {}", ensemble.members.len(), ids.join(", "))
            }
        }
    }

    /// How its members are joined, where it has some.
    pub fn vote(&self) -> Option<Vote> {
        match &self.described {
            Described::Model(_) => None,
            Described::Ensemble(ensemble) => Some(ensemble.vote),
        }
    }

    /// Shape of the images and number of classes; members agree in them.
    pub fn takes(&self) -> Option<&Takes> {
        self.parts.first().map(|part| &part.takes)
    }

    /// What a user has to know of how its networks are computed.
    pub fn notices(&self) -> Vec<String> {
        let networks = self.described.networks().iter().zip(&self.parts);
        let notices = networks.flat_map(|(network, part)| {
            part.notices.iter().map(|notice| format!("{}: {notice}.", network.name))
        });
        notices.collect()
    }

    /// Whether it can answer for these images.
    pub fn check_fit(&self, images: &Images) -> Result<(), CliError> {
        let networks = self.described.networks().iter().zip(&self.parts);
        networks.into_iter().try_for_each(|(network, part)| {
            super::check_takes(&part.takes, network.dataset.as_deref(), images)
        })
    }

    /// SHA-256 of the weights file; of an ensemble, over its vote and what each member is.
    pub fn weights_sha256(&self) -> String {
        match &self.described {
            Described::Model(_) => {
                self.parts.iter().map(|part| part.weights_sha256.as_str()).collect()
            }
            Described::Ensemble(ensemble) => weights::sha256(self.identity(ensemble).as_bytes()),
        }
    }

    /// All that decides what an ensemble answers, in lines.
    fn identity(&self, ensemble: &Ensemble) -> String {
        let mut text = format!("{}\n", ensemble.vote.name());
        for (member, part) in ensemble.members.iter().zip(&self.parts) {
            let Manifest { architecture, mean, std, input_noise, input_levels, .. } = member;
            let sha256 = &part.weights_sha256;
            let _ = write!(text, "{sha256} {architecture} {mean:?} {std:?} {input_noise:?}");
            if let Some(levels) = input_levels {
                let _ = write!(text, " {levels} levels");
            }
            text.push('\n');
        }
        text
    }

    /// How a model was trained, where this program trained it; nothing of an ensemble.
    pub fn training(&self) -> Option<&TrainingRecord> {
        match &self.parts[..] {
            [alone] => alone.training.as_ref(),
            _ => None,
        }
    }

    /// What happens to the pixels inside the model; an ensemble leaves them as they are.
    pub fn input(&self) -> Input {
        match &self.described {
            Described::Model(model) => Input {
                mean: model.mean,
                std: model.std,
                noise: model.input_noise,
                levels: model.input_levels,
            },
            Described::Ensemble(_) => {
                Input { mean: [0.0; 3], std: [1.0; 3], noise: 0.0, levels: None }
            }
        }
    }

    /// The record of this model on these images, with verdicts of so many passes.
    pub fn on(&self, images: &Images, passes: u32) -> ModelRecord {
        let input = self.input();
        let (source, ensemble) = match &self.described {
            Described::Model(manifest) => (&manifest.source, None),
            Described::Ensemble(ensemble) => (&ensemble.source, Some(self.ensemble(ensemble))),
        };
        let alone = self.parts.first().filter(|_| ensemble.is_none());
        ModelRecord {
            name: self.name().to_owned(),
            architecture: self.architecture(),
            weights_sha256: self.weights_sha256(),
            source: source.clone(),
            mean: input.mean.to_vec(),
            std: input.std.to_vec(),
            input_levels: input.levels,
            parameters: self.parts.iter().map(|part| part.parameters).sum(),
            layers: alone.map(|part| part.layers.clone()).unwrap_or_default(),
            training: alone.and_then(|part| part.training.clone()),
            ensemble,
            passes,
            dataset: images.record(),
        }
    }

    fn ensemble(&self, ensemble: &Ensemble) -> EnsembleRecord {
        let members = ensemble.members.iter().zip(self.parts.iter().cloned());
        let members = members.map(|(manifest, part)| MemberRecord {
            name: manifest.name.clone(),
            architecture: manifest.architecture.clone(),
            weights_sha256: part.weights_sha256,
            source: manifest.source.clone(),
            mean: manifest.mean.to_vec(),
            std: manifest.std.to_vec(),
            input_noise: manifest.input_noise,
            input_levels: manifest.input_levels,
            parameters: part.parameters,
            layers: part.layers,
            training: part.training,
        });
        EnsembleRecord {
            vote: ensemble.vote,
            differentiable: ensemble.vote.is_differentiable(),
            gradients_of: ensemble.vote.gradients_of(),
            members: members.collect(),
        }
    }
}

/// Reads the weights and puts the model together; `request` is what the command line called it.
pub fn load(
    request: &str,
    mut described: Described,
    data: Option<&str>,
) -> Result<Loaded, CliError> {
    let (reference, parts): (Box<dyn Differentiable>, _) = match &mut described {
        Described::Model(manifest) => {
            let (network, part) = read(manifest, request, data)?;
            (network, vec![part])
        }
        Described::Ensemble(ensemble) => {
            let (mut members, mut parts) = (Vec::new(), Vec::new());
            for manifest in &mut ensemble.members {
                let (network, part) = read(manifest, request, data)?;
                members.push(network);
                parts.push(part);
            }
            let shapes = ensemble.members.iter().zip(&parts);
            let shapes: Vec<_> = shapes
                .map(|(member, part)| (member.name.as_str(), part.takes.input, part.takes.classes))
                .collect();
            super::alike(&ensemble.name, &shapes)?;
            (Box::new(Voters::new(ensemble.vote, members)), parts)
        }
    };
    let model = Model::plain(described.name(), reference);
    let describe = Description { described, parts };
    Ok(Loaded { request: request.to_owned(), model, describe })
}

/// Puts a model together from weights that are in memory.
pub fn assemble(
    request: &str,
    manifest: Manifest,
    state: &StateDict,
    weights_sha256: String,
    training: Option<TrainingRecord>,
) -> Result<Loaded, CliError> {
    let (native, part) = network(&manifest, state, weights_sha256, training)?;
    let model = Model::plain(&manifest.name, Box::new(native));
    let describe = Description { described: Described::Model(manifest), parts: vec![part] };
    Ok(Loaded { request: request.to_owned(), model, describe })
}

/// Finds and reads a network; its manifest then says where it is.
fn read(
    manifest: &mut Manifest,
    request: &str,
    data: Option<&str>,
) -> Result<(Box<dyn Differentiable>, Part), CliError> {
    manifest.file = super::locate(manifest, Some(request), data)?;
    match manifest.format {
        Format::Weights => {}
        Format::Onnx => {
            let (network, part) = graph(manifest)?;
            return Ok((Box::new(network), part));
        }
        Format::TorchScript => {
            let (network, part) = script(manifest)?;
            return Ok((Box::new(network), part));
        }
    }
    let (state, sha256) = manifest.load()?;
    let training = crate::cmd::train::training_beside(&manifest.file, &sha256)?;
    let (network, part) = network(manifest, &state, sha256, training)?;
    Ok((Box::new(network), part))
}

/// Reads a TorchScript module.
fn script(manifest: &Manifest) -> Result<(Script, Part), CliError> {
    let (file, weights_sha256) = pth::read_script(&manifest.file, manifest.sha256.as_deref())?;
    let size = super::takes::size(manifest);
    let model = Script::load(&file, manifest.mean, manifest.std, size)?;
    let part = Part {
        weights_sha256,
        training: None,
        parameters: model.parameter_count(),
        layers: model.layers()?,
        takes: Takes::script(manifest, &model),
        notices: model.notices(),
    };
    let model = model.with_input_noise(manifest.input_noise);
    Ok((model.with_input_levels(manifest.input_levels), part))
}

/// Reads an ONNX graph.
fn graph(manifest: &Manifest) -> Result<(Onnx, Part), CliError> {
    let (graph, weights_sha256) = onnx::read_checked(&manifest.file, manifest.sha256.as_deref())?;
    let size = super::takes::size(manifest);
    let model = Onnx::load(&graph, manifest.mean, manifest.std, size)?;
    let part = Part {
        weights_sha256,
        training: None,
        parameters: model.parameter_count(),
        layers: model.describe()?,
        takes: Takes::onnx(manifest, &model),
        notices: model.notice().into_iter().collect(),
    };
    let model = model.with_input_noise(manifest.input_noise);
    Ok((model.with_input_levels(manifest.input_levels), part))
}

fn network(
    manifest: &Manifest,
    state: &StateDict,
    weights_sha256: String,
    training: Option<TrainingRecord>,
) -> Result<(Native, Part), CliError> {
    let native = Native::load(&manifest.architecture, state, manifest.mean, manifest.std)?;
    let (parameters, layers) = (native.network().parameter_count(), native.network().describe()?);
    let takes = Takes::architecture(&manifest.architecture)?;
    let part = Part { weights_sha256, training, parameters, layers, takes, notices: Vec::new() };
    let native = native.with_input_noise(manifest.input_noise);
    Ok((native.with_input_levels(manifest.input_levels), part))
}
