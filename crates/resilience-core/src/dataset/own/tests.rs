use super::*;

/// Would catch images of the user's passing for a data set that the program knows, by the name of a file.
#[test]
fn no_name_is_taken() {
    for name in ["cifar10", "CIFAR10", "cifar10-altered", "mnist"] {
        assert!(taken(name), "{name}");
        assert_eq!(name_of(Path::new(&format!("{name}.npz"))), format!("{name}-own"));
    }
    assert_eq!(name_of(Path::new("some/cifar10.1.npz")), "cifar10.1");
}
