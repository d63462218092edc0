//! The networks on the page, one by one: a model is one, an ensemble has several.

use super::view::View;
use crate::record::{LayerRecord, TrainingRecord};

/// A model, or a member of an ensemble.
pub struct Network<'a> {
    /// Its name, which says of a member where it votes.
    pub name: String,
    /// Whether it is a member.
    pub is_member: bool,
    /// Registry id of its architecture.
    pub architecture: &'a str,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// Its layers in order.
    pub layers: &'a [LayerRecord],
    /// How it was trained, where that is known.
    pub training: Option<&'a TrainingRecord>,
}

/// Every network of every model, in order.
pub fn networks<'a>(view: &View<'a>) -> Vec<Network<'a>> {
    let mut networks = Vec::new();
    for subject in &view.subjects {
        let model = subject.model;
        let Some(ensemble) = &model.ensemble else {
            networks.push(Network {
                name: subject.name.clone(),
                is_member: false,
                architecture: &model.architecture,
                parameters: model.parameters,
                layers: &model.layers,
                training: model.training.as_ref(),
            });
            continue;
        };
        networks.extend(ensemble.members.iter().map(|member| Network {
            name: format!("{} in {}", member.name, subject.name),
            is_member: true,
            architecture: &member.architecture,
            parameters: member.parameters,
            layers: &member.layers,
            training: member.training.as_ref(),
        }));
    }
    networks
}
