use super::*;

fn root(bytes: &[u8]) -> Result<Node<'_>, PickleError> {
    parse(bytes).map(|(pickle, _)| pickle.node(pickle.root()).clone())
}

/// Would catch a number read with the wrong width, sign or byte order.
#[test]
fn numbers() {
    for (bytes, expected) in [
        (&b"I-12\n."[..], Node::Int(-12)),
        (b"I01\n.", Node::Bool(true)),
        (b"L123456789012L\n.", Node::Int(123_456_789_012)),
        (b"J\xfe\xff\xff\xff.", Node::Int(-2)),
        (b"M\x01\x02.", Node::Int(513)),
        (b"\x8a\x00.", Node::Int(0)),
        (b"\x8a\x02\x00\xff.", Node::Int(-256)),
        (b"\x8b\x01\x00\x00\x00\x7f.", Node::Int(127)),
        (b"F1.5\n.", Node::Float(1.5)),
        (b"G\x3f\xf8\x00\x00\x00\x00\x00\x00.", Node::Float(1.5)),
    ] {
        assert_eq!(root(bytes).unwrap(), expected, "{bytes:?}");
    }
}

/// Would catch a text or byte string of any protocol being read wrong.
#[test]
fn texts() {
    for (bytes, expected) in [
        (&b"S'a\\x00\\'\\n'\n."[..], Node::Bytes(b"a\0'\n"[..].into())),
        (b"V\\u00e9\xe9\n.", Node::Text("éé".into())),
        (b"U\x02ab.", Node::Bytes(b"ab"[..].into())),
        (b"\x8c\x02\xc3\xa9.", Node::Text("é".into())),
        (
            b"c_codecs\nencode\nX\x02\x00\x00\x00\xc3\xbfX\x06\x00\x00\x00latin1\x86R.",
            Node::Bytes(b"\xff"[..].into()),
        ),
    ] {
        assert_eq!(root(bytes).unwrap(), expected, "{bytes:?}");
    }
}

/// Would catch code being reachable through any of the ways in which a pickle can name it.
#[test]
fn foreign_names_are_refused() {
    for bytes in [
        &b"cos\nsystem\n(S'true'\ntR."[..],
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"cbuiltins\neval\n.",
        b"ctorch\nload\n.",
    ] {
        let error = root(bytes).unwrap_err();
        assert!(matches!(error.problem, PickleProblem::Forbidden(_)), "{error}");
    }
    let error = root(b"}cos\nsystem\n.").unwrap_err();
    assert_eq!(error.offset, 1);
    assert!(error.to_string().contains("os.system"), "{error}");
}

/// Would catch a length or a count that is believed before it is checked, or a stack that is
/// popped past its mark.
#[test]
fn lies_are_errors() {
    for bytes in [
        &b"X\xff\xff\xff\xffab."[..],
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffab.",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"j\xff\xff\xff\xff.",
        b"(.",
        b"N(0\x85(\x86.",
        b"(NNNu.",
        b"}(Nu.",
        b"]NNs.",
        b"\x97.",
        b"\xff.",
        b"",
        b"N",
    ] {
        assert!(root(bytes).is_err(), "{bytes:?}");
    }
}

/// Would catch memory that grows faster than the input: the same text encoded again and again.
#[test]
fn copies_are_bounded() {
    let mut bytes = b"c_codecs\nencode\nq\x00X\x00\x10\x00\x00".to_vec();
    bytes.extend([b'a'; 4096]);
    bytes.extend(b"X\x06\x00\x00\x00latin1\x86q\x01R0");
    for _ in 0..1000 {
        bytes.extend(b"h\x00h\x01R0");
    }
    bytes.push(b'.');
    let error = root(&bytes).unwrap_err();
    assert!(error.to_string().contains("again and again"), "{error}");
}

/// Would catch recursion: a million nested lists must neither overflow the stack nor on drop.
#[test]
fn deep_nesting_is_flat() {
    let mut bytes = vec![b']'; 1_000_000];
    bytes.extend(vec![b'a'; 999_999]);
    bytes.push(b'.');
    assert!(matches!(root(&bytes).unwrap(), Node::List(list) if list.len() == 1));
}
