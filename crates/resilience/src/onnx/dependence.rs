//! How a value depends on the pixels.

use super::translation::Gradient;

/// What a value depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependence {
    /// On nothing that changes: it is a constant.
    None,
    /// On how many images there are and how large, but on no pixel.
    Shape,
    /// On the pixels, through operations with a gradient.
    Pixels,
    /// On the pixels, through the step at this place, which has none.
    Blocked(usize),
}

impl Dependence {
    /// That of the result of the step at `place`, from those of its inputs.
    #[must_use]
    pub fn through(gradient: Gradient, inputs: &[Self], place: usize) -> Self {
        let chooses = |at: usize| gradient == Gradient::FlowsExcept(at);
        if let Gradient::Of(only) = gradient {
            let other = inputs.iter().any(|&input| input != Self::None);
            let least = if other { Self::Shape } else { Self::None };
            return inputs.get(only).map_or(least, |input| least.or(*input));
        }
        let mut chosen = Self::None;
        let mut chooser = Self::None;
        for (at, &input) in inputs.iter().enumerate() {
            if chooses(at) {
                chooser = input;
            } else {
                chosen = chosen.or(input);
            }
        }
        match (gradient, chosen) {
            (Gradient::Shape, Self::None) => Self::None,
            (Gradient::Shape, _) => Self::Shape,
            (Gradient::Stops, Self::Pixels) => Self::Blocked(place),
            // Which of two values is taken may hang on the pixels without a gradient: so it does in ReLU.
            (_, Self::Pixels | Self::Blocked(_)) => chosen,
            // Not where neither of the two has one.
            (_, Self::None | Self::Shape) => match chooser {
                Self::Pixels => Self::Blocked(place),
                other => chosen.or(other),
            },
        }
    }

    const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Blocked(place), _) | (_, Self::Blocked(place)) => Self::Blocked(place),
            (Self::Pixels, _) | (_, Self::Pixels) => Self::Pixels,
            (Self::Shape, _) | (_, Self::Shape) => Self::Shape,
            (Self::None, Self::None) => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dependence::{Blocked, None, Pixels, Shape};
    use super::*;

    /// Would catch a rounded value that reaches the logits beside one with a gradient, and a comparison that
    /// only chooses, or a shape that is rounded, taken for one.
    #[test]
    fn what_has_no_gradient_is_followed() {
        let flows = |inputs: &[Dependence]| Dependence::through(Gradient::Flows, inputs, 9);
        assert_eq!(Dependence::through(Gradient::Stops, &[Pixels], 3), Blocked(3));
        assert_eq!(Dependence::through(Gradient::Stops, &[Shape], 3), Shape);
        assert_eq!(Dependence::through(Gradient::Shape, &[Blocked(1)], 3), Shape);
        assert_eq!(flows(&[Pixels, Blocked(3)]), Blocked(3));
        assert_eq!(flows(&[None, Shape]), Shape);
        let chooses =
            |inputs: &[Dependence]| Dependence::through(Gradient::FlowsExcept(0), inputs, 9);
        assert_eq!(chooses(&[Blocked(3), Pixels, None]), Pixels);
        assert_eq!(chooses(&[Blocked(3), Blocked(4), None]), Blocked(4));
    }

    /// Would catch a choice between constants, which has no gradient at all, taken for one with it.
    #[test]
    fn a_choice_between_constants_is_blocked() {
        let chooses =
            |inputs: &[Dependence]| Dependence::through(Gradient::FlowsExcept(0), inputs, 9);
        assert_eq!(chooses(&[Blocked(3), None, None]), Blocked(3));
        assert_eq!(chooses(&[Blocked(3), Shape, None]), Blocked(3));
    }
}
