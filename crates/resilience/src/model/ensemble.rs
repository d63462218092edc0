//! Several models that vote.
//!
//! The logits of the ensemble are
//!
//! - `logits`: the mean of the members' logits;
//! - `probabilities`: the logarithm of the mean of their softmax probabilities, whose softmax is that
//!   mean: logsumexp over the members of their log softmax, less the logarithm of their number;
//! - `majority`: for each class the number of members whose largest logit is its own, plus half its
//!   mean probability, which decides between equal numbers and never outweighs a vote.
//!
//! A majority vote is piecewise constant but for that half. Its passes are differentiated as those of
//! `probabilities` (BPDA, Athalye et al. 2018), losses included, which vote counts would blind, and
//! say what the vote says ([`Pass::said`]). So an attack by gradient climbs the mean probability, one
//! that asks for logits alone sees the vote, and both lose an image only where the vote does.

use resilience_core::view::View;
use resilience_core::vote::Vote;
use tch::{Kind, Tensor};

use super::{Classifier, Differentiable, Graph, Pass};
use crate::error::EngineError;

/// Between equal numbers of votes a difference of probabilities decides, below one vote.
const TIE: f64 = 0.5;

/// An ensemble as one model.
pub struct Ensemble {
    members: Vec<Box<dyn Differentiable>>,
    vote: Vote,
}

impl Ensemble {
    /// Joins models that take the same images and know the same classes.
    #[must_use]
    pub const fn new(vote: Vote, members: Vec<Box<dyn Differentiable>>) -> Self {
        Self { members, vote }
    }

    fn each(&self, images: &Tensor) -> Result<Vec<Tensor>, EngineError> {
        self.members.iter().map(|member| member.logits(images)).collect()
    }
}

impl Classifier for Ensemble {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let _guard = tch::no_grad_guard();
        said(self.vote, &self.each(images)?)
    }

    fn declared_noisy(&self) -> bool {
        self.members.iter().any(|member| member.declared_noisy())
    }

    /// A vote turns as soon as a member's does: the smallest lead of any member's first class.
    fn nearness(&self, images: &Tensor) -> Result<Option<Tensor>, EngineError> {
        if self.vote.is_differentiable() {
            return Ok(None);
        }
        let _guard = tch::no_grad_guard();
        let lead = |logits: Tensor| -> Result<Tensor, EngineError> {
            let (first, _) = logits.f_topk(2, 1, true, true)?;
            Ok(first.f_select(1, 0)?.f_sub(&first.f_select(1, 1)?)?)
        };
        let leads = self.each(images)?.into_iter().map(lead).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Tensor::f_stack(&leads, 0)?.f_amin([0], false)?))
    }
}

impl Differentiable for Ensemble {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let passes =
            self.members.iter().map(|member| member.pass(images)).collect::<Result<Vec<_>, _>>()?;
        // Each member's graph ends at its logits, so that it may be the member's own.
        let leaves = passes
            .iter()
            .map(|pass| Ok(pass.said().f_detach()?.f_set_requires_grad(true)?))
            .collect::<Result<Vec<Tensor>, EngineError>>()?;
        let joined = smooth(self.vote.gradients_of(), &leaves)?;
        let said = if self.vote.is_differentiable() {
            None
        } else {
            let _guard = tch::no_grad_guard();
            Some(said(self.vote, &leaves)?)
        };
        let logits = joined.f_detach()?;
        let back = move |gradient: &Tensor| {
            let total = joined.f_mul(gradient)?.f_sum(joined.kind())?;
            let towards = Tensor::f_run_backward(&[&total], &leaves, true, false)?;
            let mut sum: Option<Tensor> = None;
            for (pass, towards) in passes.iter().zip(&towards) {
                let one = pass.gradient(&pass.logits.f_mul(towards)?, Graph::Keep)?;
                sum = Some(match sum {
                    Some(sum) => sum.f_add(&one)?,
                    None => one,
                });
            }
            sum.ok_or_else(nobody)
        };
        let pass = Pass::own(&logits, Box::new(back))?;
        Ok(match said {
            Some(said) => pass.saying(said),
            None => pass,
        })
    }

    fn computes_by_itself(&self) -> bool {
        self.members.iter().all(|member| member.computes_by_itself())
    }

    /// Every member in that form; none where one of them has none.
    fn form(&self, view: View) -> Result<Option<Box<dyn Differentiable>>, EngineError> {
        let mut members = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let Some(form) = member.form(view)? else { return Ok(None) };
            members.push(form);
        }
        Ok(Some(Box::new(Self::new(self.vote, members))))
    }
}

fn nobody() -> EngineError {
    EngineError::Input {
        what: "members of an ensemble",
        expected: "at least one".to_owned(),
        found: "none".to_owned(),
    }
}

/// What the ensemble says: logits `[n,k]` of each member -> `[n,k]`.
fn said(vote: Vote, members: &[Tensor]) -> Result<Tensor, EngineError> {
    if vote.is_differentiable() {
        return smooth(vote, members);
    }
    let probabilities = smooth(Vote::Probabilities, members)?.f_exp()?;
    let classes = probabilities.size()[1];
    let mut said = probabilities.f_mul_scalar(TIE)?;
    for logits in members {
        let voted = logits.f_argmax(1, false)?.f_one_hot(classes)?;
        said = said.f_add(&voted.f_to_kind(said.kind())?)?;
    }
    Ok(said)
}

/// The same for a vote that has a gradient, with the graph behind it.
fn smooth(vote: Vote, members: &[Tensor]) -> Result<Tensor, EngineError> {
    if members.is_empty() {
        return Err(nobody());
    }
    if vote == Vote::Logits {
        return Ok(Tensor::f_stack(members, 0)?.f_mean_dim(
            [0_i64].as_slice(),
            false,
            None::<Kind>,
        )?);
    }
    let logs = members
        .iter()
        .map(|logits| Ok(logits.f_log_softmax(1, None::<Kind>)?))
        .collect::<Result<Vec<Tensor>, EngineError>>()?;
    let sum = Tensor::f_stack(&logs, 0)?.f_logsumexp([0_i64].as_slice(), false)?; // [n,k]
    Ok(sum.f_sub_scalar((members.len() as f64).ln())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Mode;
    use crate::loss::{self, Objective};
    use crate::model::{Model, Native, Normalise, Oracle};
    use crate::zoo;

    /// A member that says the same to every image, in f64.
    struct Says(Vec<f64>);

    impl Classifier for Says {
        fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
            Ok(Tensor::from_slice(&self.0).repeat([images.size()[0], 1]))
        }
    }

    impl Differentiable for Says {
        fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
            let images = images.detach().set_requires_grad(true);
            let nothing = images.flatten(1, -1).sum_dim_intlist(1, true, Kind::Double) * 0.0;
            let logits = self.logits(&images)? + nothing;
            Ok(Pass::new(images, logits))
        }
    }

    fn images(n: i64) -> Tensor {
        let numbers = Tensor::arange(n * 3 * 32 * 32, (Kind::Double, tch::Device::Cpu));
        ((numbers * 0.739).sin() * 0.4 + 0.5).view([n, 3, 32, 32])
    }

    fn says(vote: Vote, members: &[&[f64]]) -> Vec<f64> {
        let members = members.iter().map(|m| Box::new(Says(m.to_vec())) as Box<_>).collect();
        let ensemble = Ensemble::new(vote, members);
        let said = ensemble.logits(&images(2)).unwrap();
        assert_eq!(said, *ensemble.pass(&images(2)).unwrap().said());
        Vec::try_from(said.get(1)).unwrap()
    }

    fn assert_near(a: &[f64], b: &[f64]) {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?}");
    }

    /// Would catch a mean of the wrong things, and probabilities that overflow: by hand.
    #[test]
    fn means_are_those_by_hand() {
        let members: [&[f64]; 2] = [&[1.0, 0.0, -1.0], &[3.0, 5.0, 0.5]];
        assert_near(&says(Vote::Logits, &members), &[2.0, 2.5, -0.25]);
        // Logits that are logarithms have their probabilities written on them.
        let logs = [[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]].map(|p| p.map(f64::ln));
        let said = says(Vote::Probabilities, &[&logs[0], &logs[1].map(|log| log + 1000.0)]);
        assert_near(&said, &[0.3, 0.175, 0.525].map(f64::ln));
        let far = says(Vote::Probabilities, &[&[2000.0, 0.0, 0.0], &[2000.0, 0.0, -500.0]]);
        assert!((far[0]).abs() < 1e-12 && (far[1] + 2000.0).abs() < 1e-9, "{far:?}");
    }

    /// Would catch a vote that a confident member outweighs, and a tie that is decided by the number
    /// of the class.
    #[test]
    fn a_majority_counts_heads() {
        let [sure, doubtful] = [[0.001, 0.001, 0.998], [0.4, 0.35, 0.25]].map(|p| p.map(f64::ln));
        let said = says(Vote::Majority, &[&sure, &doubtful, &doubtful]);
        let mean = |place: usize| (sure[place].exp() + 2.0 * doubtful[place].exp()) / 3.0;
        assert_near(&said, &[2.0 + mean(0) / 2.0, mean(1) / 2.0, 1.0 + mean(2) / 2.0]);
        assert!(mean(2) > mean(0), "else there would be nothing to outweigh");
        let said = says(Vote::Majority, &[&doubtful, &sure]);
        assert!(said[2] > said[0] && said[0] > 1.0, "{said:?}");
        // All the probability there is does not make a vote.
        let certain = [0.0, 60.0, 0.0];
        let said = says(Vote::Majority, &[&certain, &[1e-9, 0.0, 0.0], &[1e-9, 0.0, 0.0]]);
        assert!(said[0] > said[1], "{said:?}");
    }

    /// Would catch an ensemble that hides how near a member is to another vote.
    #[test]
    fn nearness_is_that_of_the_nearest_member() {
        let members = || -> Vec<Box<dyn Differentiable>> {
            vec![Box::new(Says(vec![3.0, 1.0, 0.0])), Box::new(Says(vec![0.0, 0.25, 0.0]))]
        };
        let near = Ensemble::new(Vote::Majority, members()).nearness(&images(3)).unwrap().unwrap();
        assert_eq!(Vec::<f64>::try_from(near).unwrap(), [0.25; 3]);
        let smooth = Ensemble::new(Vote::Logits, members());
        assert!(smooth.nearness(&images(3)).unwrap().is_none());
    }

    /// Networks of two architectures with normalisations of their own.
    fn natives(kind: Kind) -> Vec<Native> {
        let native = |(architecture, seed): (&str, u64)| {
            let network = zoo::find(architecture).unwrap().build(seed, kind).unwrap();
            network.set_trainable(zoo::Trainable::No).unwrap();
            let (mean, std) = ([0.1 * seed as f64; 3], [0.25; 3]);
            Native::new(network, Normalise::new(&mean, &std, kind).unwrap())
        };
        [("resilience-cnn", 1), ("resnet20", 2), ("resilience-cnn", 3)].map(native).into()
    }

    fn joined(vote: Vote, natives: Vec<Native>) -> Ensemble {
        let boxed = |native| Box::new(native) as Box<dyn Differentiable>;
        Ensemble::new(vote, natives.into_iter().map(boxed).collect())
    }

    /// Would catch a gradient that leaves out a member or its share, or is spoilt by the one before
    /// on the same pass: against libtorch's through all networks at once, in f64.
    #[test]
    fn gradients_are_those_of_the_whole_graph() {
        let (images, labels) = (images(3), Tensor::from_slice(&[3_i64, 1, 4]));
        for vote in Vote::ALL {
            let whole = images.copy().set_requires_grad(true);
            let each = natives(Kind::Double);
            let each: Vec<Tensor> =
                each.iter().map(|member| member.forward(&whole, Mode::Eval).unwrap()).collect();
            let expected = match vote {
                Vote::Logits => (&each[0] + &each[1] + &each[2]) / 3.0,
                _ => each.iter().map(|z| z.softmax(1, Kind::Double) / 3.0).sum::<Tensor>().log(),
            };
            let ensemble = joined(vote, natives(Kind::Double));
            let pass = ensemble.pass(&images).unwrap();
            for (objective, graph) in [
                (Objective::CrossEntropy, Graph::Keep),
                (Objective::Dlr, Graph::Keep),
                (Objective::Margin, Graph::Free),
            ] {
                let value = |logits: &Tensor| objective.values(logits, &labels, &labels).unwrap();
                let total = value(&expected).sum(Kind::Double);
                let right = Tensor::run_backward(&[&total], &[&whole], true, false).remove(0);
                let ours = pass.gradient(&value(&pass.logits), graph).unwrap();
                let apart = (&ours - &right).abs().max().double_value(&[]);
                let largest = right.abs().max().double_value(&[]);
                assert!(
                    apart <= 1e-12 * largest.max(1.0) && largest > 0.0,
                    "{vote:?} {objective:?}"
                );
            }
            let differs = (&pass.logits - pass.said()).abs().max().double_value(&[]) > 0.0;
            assert_eq!(differs, vote == Vote::Majority);
        }
    }

    /// Would catch an attack that is told another class than the vote's, or whose losses are vote
    /// counts.
    #[test]
    fn an_oracle_says_the_vote_and_climbs_the_mean() {
        let ensemble = joined(Vote::Majority, natives(Kind::Double));
        let (images, labels) = (images(5), Tensor::from_slice(&[0_i64, 1, 2, 3, 4]));
        let oracle = Oracle::new(&ensemble, 2, 1, None);
        let ascent = oracle
            .ascent(&images, &|z, span| loss::cross_entropies(z, &span.of(&labels)?))
            .unwrap();
        let vote = ensemble.logits(&images).unwrap();
        assert!((&ascent.logits - &vote).abs().max().double_value(&[]) < 1e-9);
        let mean = joined(Vote::Probabilities, natives(Kind::Double)).logits(&images).unwrap();
        let losses = loss::cross_entropies(&mean, &labels).unwrap();
        assert!((ascent.losses - losses).abs().max().double_value(&[]) < 1e-9);
        let (said, _) = oracle.gradients(&images, &|z, _| Ok(vec![z.select(1, 0)])).unwrap();
        assert!((said - vote).abs().max().double_value(&[]) < 1e-9);
    }

    /// Would catch a form that leaves a member out, that is another function, or that is said to be
    /// there where a member has none.
    #[test]
    fn forms_equal_the_reference_up_to_rounding() {
        let images = images(9).to_kind(Kind::Float);
        for vote in Vote::ALL {
            let mut model = Model::plain("three", Box::new(joined(vote, natives(Kind::Float))));
            let reference = model.reference.logits(&images).unwrap();
            for view in [View::Folded, View::Compiled] {
                if !model.takes(view).unwrap() {
                    continue;
                }
                let form = model.search();
                assert_eq!(form.computes_by_itself(), view == View::Compiled);
                let apart = (form.logits(&images).unwrap() - &reference).abs();
                assert!(apart.max().double_value(&[]) < 1e-4, "{vote:?} {view:?}");
                let gradient = |model: &dyn Differentiable| {
                    let pass = model.pass(&images).unwrap();
                    pass.gradient(&pass.logits.select(1, 2), Graph::Free).unwrap()
                };
                let (ours, right) = (gradient(form), gradient(model.reference.as_ref()));
                let largest = right.abs().max().double_value(&[]);
                // A ReLU within rounding of its kink moves single pixels.
                let apart = (ours - right).abs().mean(Kind::Double).double_value(&[]);
                assert!(apart < 1e-4 * largest, "{vote:?} {view:?}: {apart} of {largest}");
            }
            assert!(model.takes(View::Reference).unwrap());
        }
        let formless: Vec<Box<dyn Differentiable>> =
            vec![Box::new(Says(vec![0.0; 10])), Box::new(natives(Kind::Float).remove(0))];
        assert!(Ensemble::new(Vote::Logits, formless).form(View::Folded).unwrap().is_none());
    }
}
