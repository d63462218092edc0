//! The nodes in an order in which they can be computed, without those that nothing needs.

use std::collections::HashMap;

use super::OnnxError;
use super::graph::Node;

/// Orders `nodes` so that each stands after those whose results it takes, and leaves out those that no
/// output needs. `given` are inputs and initialisers.
pub(super) fn ordered<'a>(
    nodes: Vec<Node>,
    given: impl Iterator<Item = &'a str>,
    outputs: &[&str],
) -> Result<Vec<Node>, OnnxError> {
    let makers = makers(&nodes, given)?;
    let mut order = Vec::with_capacity(nodes.len());
    let mut marks = vec![Mark::New; nodes.len()];
    for &output in outputs {
        match makers.get(output) {
            None => return Err(OnnxError::UnknownOutput(output.to_owned())),
            Some(None) => {}
            Some(&Some(last)) => visit(&nodes, &makers, last, &mut marks, &mut order)?,
        }
    }
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| nodes[place].take()).collect())
}

/// Who gives a value: a node, by its place, or none where it is given from outside.
type Makers = HashMap<String, Option<usize>>;

fn makers<'a>(nodes: &[Node], given: impl Iterator<Item = &'a str>) -> Result<Makers, OnnxError> {
    let mut makers = Makers::new();
    for name in given {
        if makers.insert(name.to_owned(), None).is_some() {
            let by = "another input or initialiser".to_owned();
            return Err(OnnxError::Twice { value: name.to_owned(), by });
        }
    }
    for (place, node) in nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|name| !name.is_empty()) {
            if makers.insert(output.clone(), Some(place)).is_some() {
                let by = format!("node {}", node.describe());
                return Err(OnnxError::Twice { value: output.clone(), by });
            }
        }
    }
    Ok(makers)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Everything that `last` needs, then `last`, depth first with a stack of our own: a file decides how
/// deep it goes.
fn visit(
    nodes: &[Node],
    makers: &Makers,
    last: usize,
    marks: &mut [Mark],
    order: &mut Vec<usize>,
) -> Result<(), OnnxError> {
    let mut stack = vec![(last, 0)];
    while let Some((place, next)) = stack.pop() {
        let node = &nodes[place];
        if next == 0 {
            match marks[place] {
                Mark::Done => continue,
                Mark::Open => return Err(OnnxError::Loop { node: node.describe() }),
                Mark::New => marks[place] = Mark::Open,
            }
        }
        let Some(name) = node.inputs.get(next) else {
            marks[place] = Mark::Done;
            order.push(place);
            continue;
        };
        stack.push((place, next + 1));
        if name.is_empty() {
            continue;
        }
        match makers.get(name) {
            None => {
                let (node, value) = (node.describe(), name.clone());
                return Err(OnnxError::Unknown { node, value });
            }
            Some(None) => {}
            Some(&Some(maker)) if marks[maker] == Mark::Done => {}
            Some(&Some(maker)) => stack.push((maker, 0)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, inputs: &[&str], outputs: &[&str]) -> Node {
        let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Node {
            name: name.to_owned(),
            operator: "Add".to_owned(),
            domain: String::new(),
            inputs: texts(inputs),
            outputs: texts(outputs),
            attributes: Vec::new(),
        }
    }

    fn order(nodes: &[Node]) -> Result<Vec<String>, String> {
        let ordered = ordered(nodes.to_vec(), ["x", "w"].into_iter(), &["y"]);
        ordered
            .map(|nodes| nodes.into_iter().map(|node| node.name).collect())
            .map_err(|error| error.to_string())
    }

    /// Would catch a node that is computed before what it takes, one that nothing needs, or an input that
    /// is left out taken for a missing one.
    #[test]
    fn nodes_stand_after_what_they_take() {
        let last = node("last", &["b", "", "a"], &["y"]);
        let a = node("a", &["x", "x"], &["a"]);
        let b = node("b", &["a", "w"], &["b"]);
        let unused = node("unused", &["a"], &["z"]);
        let found = order(&[last, unused, b, a]).unwrap();
        assert_eq!(found, ["a", "b", "last"]);
    }

    /// Would catch a graph that cannot be computed being taken, or an endless search in it.
    #[test]
    fn nonsense_is_refused() {
        let y = node("last", &["a"], &["y"]);
        let cases = [
            (vec![y.clone()], "takes 'a'"),
            (vec![node("n", &["x"], &["z"])], "output 'y'"),
            (vec![y.clone(), node("m", &["y"], &["a"])], "loop"),
            (vec![node("last", &["y"], &["y"])], "loop"),
            (vec![node("a", &["x"], &["y"]), node("b", &["x"], &["y"])], "given twice"),
            (vec![node("a", &["x"], &["w"])], "given twice"),
        ];
        for (nodes, expect) in cases {
            let error = order(&nodes).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
    }

    /// Would catch a search that uses the thread's stack.
    #[test]
    fn a_long_chain_is_no_deep_call() {
        let count = 200_000;
        let name = |n: usize| if n == count { "y".to_owned() } else { format!("v{n}") };
        let chain: Vec<Node> = (0..count)
            .rev()
            .map(|n| {
                let input = if n == 0 { "x".to_owned() } else { name(n) };
                node("n", &[&input], &[&name(n + 1)])
            })
            .collect();
        assert_eq!(order(&chain).unwrap().len(), count);
    }
}
