//! The frames of a TFRecord file: length, its checksum, data, its checksum, all little-endian.

use crc::{CRC_32_ISCSI, Crc, Table};

/// CRC-32C, Castagnoli's polynomial.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// Appends a record.
pub(super) fn write(out: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked(&length));
    out.extend(data);
    out.extend(masked(data));
}

/// The checksum as the format stores it: turned and shifted, so that the checksum of data that holds
/// checksums is not degenerate.
fn masked(bytes: &[u8]) -> [u8; 4] {
    CRC.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch another polynomial: RFC 3720, appendix B.4, gives these.
    #[test]
    fn checksum_is_crc_32c() {
        assert_eq!(CRC.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC.checksum(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(CRC.checksum(&rising), 0x46dd_794e);
    }
}
