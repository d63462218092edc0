//! The textual forms inside of pickles: numbers and escaped strings of protocol 0.

/// Undoes Python's `repr` of a byte string, quotes included; `None` where it is not one.
pub fn unquoted(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let ([b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"']) = line else { return None };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            b'x' => u8::try_from(hex(&mut rest, 2)?).ok()?,
            quoted @ (b'\\' | b'\'' | b'"') => quoted,
            _ => return None,
        });
    }
    Some(out)
}

/// Undoes Python's raw-unicode-escape: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
pub fn unescaped(line: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let digits = match (byte, rest.peek()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                out.push(char::from(byte));
                continue;
            }
        };
        rest.next();
        out.push(char::from_u32(hex(&mut rest, digits)?)?);
    }
    Some(out)
}

fn hex(rest: &mut impl Iterator<Item = u8>, digits: usize) -> Option<u32> {
    (0..digits)
        .try_fold(0_u32, |value, _| Some((value << 4) | char::from(rest.next()?).to_digit(16)?))
}

/// The bytes that a text stands for in Latin-1; `None` where it has other characters. By bytes of
/// UTF-8, since a batch of CIFAR-10 may be one such text of 45 MB.
pub fn latin1(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            0..0x80 => byte,
            0xc2 => rest.next()?,
            0xc3 => rest.next()? | 0x40,
            _ => return None,
        });
    }
    Some(out)
}

/// At most forty characters of it, for an error message.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
    .escape_debug()
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch any byte that comes back as another.
    #[test]
    fn latin1_has_every_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let text: String = all.iter().map(|&byte| char::from(byte)).collect();
        assert_eq!(latin1(&text), Some(all));
        assert_eq!(latin1("a\u{100}"), None);
        assert_eq!(latin1("€"), None);
    }
}
