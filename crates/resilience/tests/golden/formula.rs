//! The numbers of `formula.py`, made here again.

use tch::Tensor;

const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// 64 random bits.
pub const fn word(stream: u64, index: u64) -> u64 {
    mix(mix(stream).wrapping_add(index))
}

/// In [0, 1).
pub fn unit(stream: u64, n: usize) -> Vec<f64> {
    (0..n as u64).map(|i| (word(stream, i) >> 11) as f64 / 9_007_199_254_740_992.0).collect()
}

/// In [-1, 1).
pub fn signed(stream: u64, n: usize) -> Vec<f64> {
    unit(stream, n).into_iter().map(|value| 2.0 * value - 1.0).collect()
}

/// 0 to 255.
pub fn bytes(stream: u64, n: usize) -> Vec<u8> {
    (0..n as u64).map(|i| (word(stream, i) >> 56) as u8).collect()
}

/// 0 to 9.
pub fn labels(stream: u64, n: usize) -> Tensor {
    let labels: Vec<i64> = (0..n as u64).map(|i| (word(stream, i) % 10) as i64).collect();
    Tensor::from_slice(&labels)
}

/// Images of these bytes over 255, in f64.
pub fn images(stream: u64, shape: [i64; 4]) -> Tensor {
    let n = shape.iter().product::<i64>() as usize;
    let values: Vec<f64> = bytes(stream, n).iter().map(|&b| f64::from(b) / 255.0).collect();
    Tensor::from_slice(&values).view(shape)
}

/// Sum, Euclidean norm, product with `signed(stream)` and the first eight entries.
pub fn digest(tensor: &Tensor, stream: u64) -> Vec<f64> {
    let values = Vec::<f64>::try_from(tensor.detach().contiguous().view([-1])).unwrap();
    let signs = signed(stream, values.len());
    let mut digest = vec![
        values.iter().sum(),
        values.iter().map(|value| value * value).sum::<f64>().sqrt(),
        values.iter().zip(signs).map(|(value, sign)| value * sign).sum(),
    ];
    digest.extend(values.iter().take(8));
    digest
}

/// The same figures out of a fixture.
pub fn expected_digest(fixture: &serde_json::Value) -> Vec<f64> {
    let mut digest = vec![];
    for name in ["sum", "norm", "projection", "first"] {
        digest.extend(super::numbers(&fixture[name]));
    }
    digest
}

/// Would catch a port of the formulas that makes other inputs than the generators'.
#[test]
fn the_formulas_are_those_of_the_generators() {
    assert_eq!(word(0, 0), 0xa706_dd2f_4d19_7e6f);
    assert_eq!(word(1000, 2), 0x22f2_8610_2f83_6bd1);
    assert!((unit(0, 1)[0] - 0.652_448_486_374_032_2).abs() < 1e-16);
    assert_eq!(bytes(0, 4), [167, 42, 130, 249]);
    assert_eq!(Vec::<i64>::try_from(labels(0, 4)).unwrap(), [5, 5, 0, 0]);
}
