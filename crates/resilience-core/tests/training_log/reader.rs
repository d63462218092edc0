//! Reads event files by other code than wrote them: frames, checksums and protocol buffers, from
//! their specifications alone.

/// What an event holds, as far as event files of scalars go.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Version(String),
    Scalar(String, f32),
}

/// An event: wall time, step, content.
pub type Event = (f64, u64, What);

/// The data of every record of a file, with both checksums of each checked.
pub fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !file.is_empty() {
        let length = take(&mut file, 8);
        assert_eq!(take(&mut file, 4), masked_crc(length), "checksum of a length");
        let data = take(&mut file, u64::from_le_bytes(length.try_into().unwrap()) as usize);
        assert_eq!(take(&mut file, 4), masked_crc(data), "checksum of data");
        records.push(data.to_vec());
    }
    records
}

/// The events of a file.
pub fn events(file: &[u8]) -> Vec<Event> {
    records(file).iter().map(|record| event(record)).collect()
}

fn event(record: &[u8]) -> Event {
    let (mut wall_time, mut step, mut what) = (0.0, 0, None);
    for (number, field) in fields(record) {
        match (number, field) {
            (1, Field::Fixed64(bits)) => wall_time = f64::from_bits(bits),
            (2, Field::Varint(value)) => step = value,
            (3, Field::Bytes(text)) => what = Some(What::Version(utf8(&text))),
            (5, Field::Bytes(summary)) => what = Some(scalar(&summary)),
            // Who wrote the file.
            (10, Field::Bytes(_)) => {}
            other => panic!("an event has no field {other:?}"),
        }
    }
    (wall_time, step, what.expect("an event says something"))
}

fn scalar(summary: &[u8]) -> What {
    let [(1, Field::Bytes(value))] = &fields(summary)[..] else {
        panic!("expected one value in {summary:?}");
    };
    let [(1, Field::Bytes(tag)), (2, Field::Fixed32(bits))] = &fields(value)[..] else {
        panic!("expected a tag and a number in {value:?}");
    };
    What::Scalar(utf8(tag), f32::from_bits(*bits))
}

#[derive(Clone, Debug, PartialEq)]
enum Field {
    Varint(u64),
    Fixed64(u64),
    Bytes(Vec<u8>),
    Fixed32(u32),
}

fn fields(mut message: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut message)),
            1 => Field::Fixed64(u64::from_le_bytes(take(&mut message, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut message) as usize;
                Field::Bytes(take(&mut message, length).to_vec())
            }
            5 => Field::Fixed32(u32::from_le_bytes(take(&mut message, 4).try_into().unwrap())),
            wire => panic!("unknown wire type {wire}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number of more than ten bytes");
}

fn take<'a>(from: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (head, tail) = from.split_at_checked(n).expect("the file ends within a record");
    *from = tail;
    head
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// CRC-32C bit by bit, masked as TFRecord wants it.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
