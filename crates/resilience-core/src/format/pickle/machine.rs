//! The stack machine: opcodes into nodes.

mod calls;

use std::collections::HashMap;

use super::allowed::Function;
use super::{Node, NodeId, Pickle, PickleError, PickleProblem, text};

/// Real checkpoints make some ten thousand values.
const MAX_NODES: usize = 2_000_000;

type Step<T> = Result<T, PickleProblem>;

/// Runs the pickle at the start of `bytes` up to its STOP.
pub fn run(bytes: &[u8]) -> Result<(Pickle<'_>, usize), PickleError> {
    let mut machine = Machine {
        bytes,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        // Every text is encoded once in an honest file; the rest is for short ones that repeat.
        encodable: bytes.len().saturating_mul(2).saturating_add(4096),
    };
    loop {
        let offset = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                return Ok((Pickle { nodes: machine.nodes, root }, machine.at));
            }
            Err(problem) => return Err(PickleError { offset, problem }),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<NodeId>,
    /// Heights of the stack at which a MARK lies.
    marks: Vec<usize>,
    memo: HashMap<u32, NodeId>,
    /// Bytes that may still be made out of texts: a memoised text could be encoded again and
    /// again by three bytes of input each.
    encodable: usize,
}

impl<'a> Machine<'a> {
    /// One instruction; gives the result at STOP.
    #[expect(clippy::too_many_lines, reason = "one table of opcodes reads best whole")]
    fn step(&mut self) -> Step<Option<NodeId>> {
        let opcode = self.take(1)?[0];
        match opcode {
            // Frame and structure.
            0x80 => {
                self.take(1)?;
            }
            0x95 => {
                let length = self.u64()?;
                let left = (self.bytes.len() - self.at) as u64;
                if length > left {
                    return Err(PickleProblem::Truncated { expected: length, found: left });
                }
            }
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // Popping an exposed mark is allowed, and what Python does.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            // Constants and numbers.
            b'N' => self.push(Node::None)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'I' => {
                let node = match self.line()? {
                    b"00" => Node::Bool(false),
                    b"01" => Node::Bool(true),
                    line => Node::Int(parsed(line)?),
                };
                self.push(node)?;
            }
            b'L' => {
                let line = self.line()?;
                let value = parsed(line.strip_suffix(b"L").unwrap_or(line))?;
                self.push(integer(value))?;
            }
            b'F' => {
                let line = self.line()?;
                let value = parsed(line)?;
                self.push(Node::Float(value))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()))?;
            }
            b'K' => {
                let value = self.take(1)?[0];
                self.push(Node::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()))?;
            }
            0x8a => {
                let length = u64::from(self.take(1)?[0]);
                self.long(length)?;
            }
            0x8b => {
                let length = self.u32()?;
                self.long(length.into())?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(value))?;
            }
            // Texts and bytes.
            b'S' => {
                let bytes = text::unquoted(self.line()?)
                    .ok_or(PickleProblem::Misfit("a string without its quotes"))?;
                self.push(Node::Bytes(bytes.into()))?;
            }
            b'V' => {
                let value = text::unescaped(self.line()?)
                    .ok_or(PickleProblem::Misfit("a text with a broken escape"))?;
                self.push(Node::Text(value.into()))?;
            }
            b'U' | b'C' => {
                let length = u64::from(self.take(1)?[0]);
                self.bytes(length)?;
            }
            b'T' | b'B' => {
                let length = self.u32()?;
                self.bytes(length.into())?;
            }
            0x8e | 0x96 => {
                let length = self.u64()?;
                self.bytes(length)?;
            }
            0x8c => {
                let length = u64::from(self.take(1)?[0]);
                self.text(length)?;
            }
            b'X' => {
                let length = self.u32()?;
                self.text(length.into())?;
            }
            0x8d => {
                let length = self.u64()?;
                self.text(length)?;
            }
            // Containers.
            b']' | 0x8f => self.push(Node::List(Vec::new()))?,
            b')' => self.push(Node::Tuple(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b'l' | 0x91 => {
                let elements = self.pop_mark()?;
                self.push(Node::List(elements))?;
            }
            b't' => {
                let elements = self.pop_mark()?;
                self.push(Node::Tuple(elements))?;
            }
            b'd' => {
                let items = pairs(&self.pop_mark()?)?;
                self.push(Node::Dict(items))?;
            }
            0x85..=0x87 => {
                let mut elements: Vec<_> =
                    (0x84..opcode).map(|_| self.pop()).collect::<Result<_, _>>()?;
                elements.reverse();
                self.push(Node::Tuple(elements))?;
            }
            b'a' => {
                let element = self.pop()?;
                self.extend_list(&[element])?;
            }
            b'e' | 0x90 => {
                let elements = self.pop_mark()?;
                self.extend_list(&elements)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(&[(key, value)])?;
            }
            b'u' => {
                let items = pairs(&self.pop_mark()?)?;
                self.extend_dict(&items)?;
            }
            // Memory.
            b'p' => {
                let index = parsed(self.line()?)?;
                self.remember(index)?;
            }
            b'q' => {
                let index = self.take(1)?[0];
                self.remember(index.into())?;
            }
            b'r' => {
                let index = self.u32()?;
                self.remember(index)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'g' => {
                let index = parsed(self.line()?)?;
                self.recall(index)?;
            }
            b'h' => {
                let index = self.take(1)?[0];
                self.recall(index.into())?;
            }
            b'j' => {
                let index = self.u32()?;
                self.recall(index)?;
            }
            // Names and calls.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let function = known(module, name)?;
                self.push(Node::Function(function))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Node::Text(module), Node::Text(name)) = (self.node(module), self.node(name))
                else {
                    return Err(PickleProblem::Misfit("a name that is not a text"));
                };
                let function = known(module.as_bytes(), name.as_bytes())?;
                self.push(Node::Function(function))?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let function = known(module, name)?;
                let arguments = self.pop_mark()?;
                let arguments = self.add(Node::Tuple(arguments))?;
                self.call(function, arguments)?;
            }
            b'o' => {
                let mut elements = self.pop_mark()?.into_iter();
                let class = elements.next().ok_or(PickleProblem::Misfit("a call of nothing"))?;
                let function = self.function(class)?;
                let arguments = self.add(Node::Tuple(elements.collect()))?;
                self.call(function, arguments)?;
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let function = self.function(callee)?;
                self.call(function, arguments)?;
            }
            b'b' => self.build()?,
            b'P' => {
                let line = self.line()?;
                let line = std::str::from_utf8(line)
                    .map_err(|_| PickleProblem::Misfit("a text that is not UTF-8"))?;
                self.push(Node::Text(line.into()))?;
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            0x92 => return Err(PickleProblem::Unsupported("a call with named arguments")),
            0x82..=0x84 => return Err(PickleProblem::Unsupported("an extension registry")),
            0x97 | 0x98 => return Err(PickleProblem::Unsupported("an out-of-band buffer")),
            other => return Err(PickleProblem::UnknownOpcode(other)),
        }
        Ok(None)
    }

    fn take(&mut self, count: u64) -> Step<&'a [u8]> {
        let left = &self.bytes[self.at..];
        match usize::try_from(count).ok().and_then(|count| left.get(..count)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(PickleProblem::Truncated { expected: count, found: left.len() as u64 }),
        }
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    fn u32(&mut self) -> Step<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Step<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The rest of the line, without its end.
    fn line(&mut self) -> Step<&'a [u8]> {
        let left = &self.bytes[self.at..];
        let Some(end) = left.iter().position(|&byte| byte == b'\n') else {
            let found = left.len() as u64;
            return Err(PickleProblem::Truncated { expected: found + 1, found });
        };
        self.at += end + 1;
        Ok(left[..end].strip_suffix(b"\r").unwrap_or(&left[..end]))
    }

    fn add(&mut self, node: Node<'a>) -> Step<NodeId> {
        if self.nodes.len() >= MAX_NODES {
            return Err(PickleProblem::TooMany(MAX_NODES));
        }
        self.nodes.push(node);
        Ok(NodeId(self.nodes.len() as u32 - 1))
    }

    fn push(&mut self, node: Node<'a>) -> Step<()> {
        let id = self.add(node)?;
        self.stack.push(id);
        Ok(())
    }

    fn long(&mut self, length: u64) -> Step<()> {
        const WIDTH: usize = size_of::<i128>();
        let bytes = self.take(length)?;
        if bytes.len() > WIDTH {
            return Err(PickleProblem::Unsupported("an integer of more than 128 bits"));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; WIDTH];
        wide[..bytes.len()].copy_from_slice(bytes);
        let node = integer(i128::from_le_bytes(wide));
        self.push(node)
    }

    fn bytes(&mut self, length: u64) -> Step<()> {
        let bytes = self.take(length)?;
        self.push(Node::Bytes(bytes.into()))
    }

    fn text(&mut self, length: u64) -> Step<()> {
        let text = std::str::from_utf8(self.take(length)?)
            .map_err(|_| PickleProblem::Misfit("a text that is not UTF-8"))?;
        self.push(Node::Text(text.into()))
    }

    fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// The height of the stack under which only a MARK lets one reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<NodeId> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(PickleProblem::Misfit("nothing on the stack to work on")),
        }
    }

    fn pop(&mut self) -> Step<NodeId> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Step<Vec<NodeId>> {
        let mark = self.marks.pop().ok_or(PickleProblem::Misfit("no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn extend_list(&mut self, elements: &[NodeId]) -> Step<()> {
        let list = self.top()?;
        match &mut self.nodes[list.0 as usize] {
            Node::List(list) => list.extend_from_slice(elements),
            _ => return Err(PickleProblem::Misfit("an append to something that is not a list")),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: &[(NodeId, NodeId)]) -> Step<()> {
        let dict = self.top()?;
        match &mut self.nodes[dict.0 as usize] {
            Node::Dict(dict) => dict.extend_from_slice(items),
            _ => {
                return Err(PickleProblem::Misfit("an item for something that is no dictionary"));
            }
        }
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Step<()> {
        let id = *self
            .memo
            .get(&index)
            .ok_or(PickleProblem::Misfit("a memory that was never stored"))?;
        self.stack.push(id);
        Ok(())
    }

    fn function(&self, id: NodeId) -> Step<Function> {
        match self.node(id) {
            Node::Function(function) => Ok(*function),
            _ => Err(PickleProblem::Misfit("a call of something that is not a function")),
        }
    }

    fn build(&mut self) -> Step<()> {
        let (new, object) = (self.pop()?, self.top()?);
        match &mut self.nodes[object.0 as usize] {
            Node::Call { state, .. } => *state = Some(new),
            // Attributes beside the items, such as a state dict's `_metadata`, carry no weights.
            Node::Dict(_) => {}
            _ => return Err(PickleProblem::Misfit("a state for something that has none")),
        }
        Ok(())
    }
}

fn known(module: &[u8], name: &[u8]) -> Step<Function> {
    let (module, name) = (String::from_utf8_lossy(module), String::from_utf8_lossy(name));
    Function::find(&module, &name)
        .ok_or_else(|| PickleProblem::Forbidden(text::shortened(&format!("{module}.{name}"))))
}

fn integer(value: i128) -> Node<'static> {
    i64::try_from(value).map_or(Node::Wide(value), Node::Int)
}

fn parsed<T: std::str::FromStr>(line: &[u8]) -> Step<T> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.trim().parse().ok())
        .ok_or(PickleProblem::Misfit("a number that cannot be read"))
}

fn pairs(elements: &[NodeId]) -> Step<Vec<(NodeId, NodeId)>> {
    let (pairs, rest) = elements.as_chunks();
    if rest.is_empty() {
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    } else {
        Err(PickleProblem::Misfit("a key without a value"))
    }
}
