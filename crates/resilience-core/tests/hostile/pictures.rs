//! Pictures: PNG and JPEG.

use super::data::golden;
use super::files::data;
use super::memory::peak_of;

/// A chunk of a PNG.
fn chunk(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(content);
    let length = (content.len() as u32).to_be_bytes();
    [&length[..], kind, content, &crc.sum().to_be_bytes()].concat()
}

/// A photograph that claims other sides, and pixels of so many bits in that colour type.
fn claims(width: u32, height: u32, bits_and_type: [u8; 2]) -> Vec<u8> {
    let good = golden("photograph.png");
    let sides = [width, height].map(u32::to_be_bytes).concat();
    let header = chunk(b"IHDR", &[&sides[..], &bits_and_type, &[0; 3]].concat());
    [&good[..8], &header, &good[33..]].concat()
}

/// Would catch a picture of a few bytes that claims billions of pixels and gets the memory for them, and a
/// file that is none.
#[test]
fn what_is_no_picture_is_refused() {
    let mut jpeg = golden("photograph.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    for (what, bytes) in [
        ("2^31 pixels a side", claims(i32::MAX as u32, i32::MAX as u32, [8, 2])),
        ("30,000 pixels a side", claims(30_000, 30_000, [8, 2])),
        ("15,000 pixels a side, grey", claims(15_000, 15_000, [8, 0])),
        ("32,768 x 32,768 pixels of one bit", claims(1 << 15, 1 << 15, [1, 0])),
        ("16 bits a channel", claims(64, 64, [16, 2])),
        ("none", claims(0, 0, [8, 2])),
        ("a JPEG of 65,535 pixels a side", jpeg),
        ("a web page", b"<!DOCTYPE html><html></html>".to_vec()),
        ("a GIF", b"GIF89a\x01\0\x01\0\0\0\0".to_vec()),
        ("a TIFF", b"II*\0\x08\0\0\0".to_vec()),
        ("nothing", Vec::new()),
    ] {
        let (result, peak) = peak_of(|| data(&[("all/a/1.png", &bytes)], "all"));
        let error = result.unwrap_err();
        assert!(error.contains("1.png"), "{what}: {error}");
        assert!(peak < 4 << 20, "{what} took {peak} bytes");
    }
}

/// Would catch a text beside the pixels that unpacks to all memory: a bomb in a PNG's `zTXt` or `iCCP`.
#[test]
fn bombs_beside_the_pixels_are_bounded() {
    let good = golden("photograph.png");
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &vec![0; 256 << 20]).unwrap();
    let bomb = packed.finish().unwrap();
    for kind in [&b"zTXt"[..], b"iCCP"] {
        let content = [&b"name\0\0"[..], &bomb].concat();
        let bytes = [&good[..33], &chunk(kind, &content), &good[33..]].concat();
        let (_, peak) = peak_of(|| data(&[("all/a/1.png", &bytes)], "all"));
        assert!(peak < 64 << 20, "{} took {peak} bytes", String::from_utf8_lossy(kind));
    }
}
