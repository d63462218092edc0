//! Weights: PyTorch's two forms and safetensors.

use std::io::{Cursor, Write};
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use resilience_core::format::array::StateDict;
use resilience_core::format::weights::{parse_weights, read_weights};
use resilience_core::format::{FormatError, pickle, pth, safetensors};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::memory::peak_of;

const NAME: &str = "hostile.pth";

fn read(bytes: &[u8]) -> Result<StateDict, FormatError> {
    let result = parse_weights(Path::new(NAME), bytes);
    if let Err(error) = &result {
        assert!(error.to_string().contains(NAME), "{error}");
    }
    result
}

/// One honest file of each form.
fn honest() -> Vec<(&'static str, Vec<u8>)> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pth");
    let state = read_weights(&golden.join("zip.pth")).unwrap();
    let file = |name| std::fs::read(golden.join(name)).unwrap();
    vec![
        ("zip", file("zip.pth")),
        ("ours", pth::to_bytes(&state)),
        ("legacy", file("legacy.pth")),
        ("legacy in protocol 5", file("legacy_wrapped_protocol_5.pth")),
        ("safetensors", safetensors::to_bytes(&state).unwrap()),
    ]
}

/// Would catch a length that is trusted at the end of a file.
#[test]
fn cut_short_at_every_length() {
    for (form, bytes) in honest() {
        read(&bytes).unwrap_or_else(|error| panic!("{form}: {error}"));
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{form} cut to {length} bytes was read");
        }
    }
}

/// Would catch a panic, or an endless loop, on damage anywhere.
#[test]
fn damaged_anywhere() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for (_, bytes) in honest() {
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] = rng.next_u32() as u8;
            let _ = read(&damaged);
            let other = rng.next_u32() as usize % bytes.len();
            damaged[other] = rng.next_u32() as u8;
            let _ = read(&damaged);
        }
    }
}

/// Would catch a panic on instructions in an order that no pickler writes.
#[test]
fn random_programs() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let opcodes = b"(.0123NIJKMLTUSVXBC]})lteds\x85\x86\x87ausbRcio\x81\x93pqrghj\x94\x80\x95\x8a\x8b\x88\x89\x8c\x8e\x8f\x90\x91\x96QP\n";
    for _ in 0..200_000 {
        let length = rng.next_u32() % 24;
        let program: Vec<u8> = (0..length)
            .map(|_| match rng.next_u32() {
                choice if choice % 4 == 0 => (choice >> 8) as u8 % 8,
                choice => opcodes[(choice >> 8) as usize % opcodes.len()],
            })
            .chain([b'.'])
            .collect();
        if let Ok((tree, used)) = pickle::parse(&program) {
            assert!(used <= program.len());
            let _ = tree.describe(tree.root());
        }
    }
}

/// A zip-form file with this pickle and these storages.
fn archive(pickled: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    archive.start_file("archive/data.pkl", options).unwrap();
    archive.write_all(pickled).unwrap();
    for (name, bytes) in storages {
        archive.start_file(format!("archive/data/{name}"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The pickle of a tensor of bytes on storage `key`, everything given as pickled.
fn tensor(key: &str, count: &str, offset: &str, shape: &str, strides: &str) -> String {
    format!(
        "ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nByteStorage\nS'{key}'\nS'cpu'\n\
         {count}tQ{offset}({shape}t({strides}tI00\nNtR"
    )
}

/// Would catch code being reached from a checkpoint in any of the ways in which one can name it.
#[test]
fn code_is_refused_by_name() {
    for (program, name) in [
        (&b"cos\nsystem\n(S'true'\ntR."[..], "os.system"),
        (b"(dS'state_dict'\ncposix\nsystem\n(S'true'\ntRs.", "posix.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"cbuiltins\nexec\n(S'0'\ntR.", "builtins.exec"),
        (b"c__builtin__\ngetattr\n.", "__builtin__.getattr"),
        (b"ctorch.storage\n_load_from_bytes\n(S''\ntR.", "torch.storage._load_from_bytes"),
        (b"ctorch\n_utils._rebuild_tensor_v2\n.", "torch._utils._rebuild_tensor_v2"),
        (b"cargparse\nNamespace\n.", "argparse.Namespace"),
    ] {
        let error = read(&archive(program, &[])).unwrap_err().to_string();
        assert!(error.contains(&format!("'{name}'")), "{error}");
        assert!(error.contains("nothing was executed"), "{error}");
        assert!(error.contains("archive/data.pkl"), "{error}");
    }
}

/// Would catch memory being taken for what a small file only claims.
#[test]
fn bombs_are_refused() {
    let bytes = [7; 16];
    for (what, pickled) in [
        ("huge shape", tensor("0", "I16\n", "I0\n", "L1099511627776L\n", "I0\n")),
        ("overflow", tensor("0", "I16\n", "I0\n", &"L4294967296L\n".repeat(3), &"I0\n".repeat(3))),
        ("huge stride", tensor("0", "I16\n", "I0\n", "I2\nI2\n", "L9223372036854775807L\nI1\n")),
        ("huge offset", tensor("0", "I16\n", "L9223372036854775807L\n", "I2\n", "I1\n")),
        ("negative offset", tensor("0", "I16\n", "I-1\n", "I2\n", "I1\n")),
        ("negative side", tensor("0", "I16\n", "I0\n", "I-2\n", "I1\n")),
        ("beyond the storage", tensor("0", "I16\n", "I15\n", "I2\n", "I1\n")),
        ("too few strides", tensor("0", "I16\n", "I0\n", "I2\nI2\n", "I1\n")),
        ("larger than its entry", tensor("0", "I17\n", "I0\n", "I2\n", "I1\n")),
        ("smaller than its entry", tensor("0", "I15\n", "I0\n", "I2\n", "I1\n")),
        ("huge storage", tensor("0", "L9223372036854775807L\n", "I0\n", "I2\n", "I1\n")),
        ("no such storage", tensor("../0", "I16\n", "I0\n", "I2\n", "I1\n")),
    ] {
        let pickled = format!("(dS'weight'\n{pickled}s.");
        let error = read(&archive(pickled.as_bytes(), &[("0", &bytes)]));
        assert!(error.is_err(), "{what} was read");
    }
    let good = format!("(dS'weight'\n{}s.", tensor("0", "I16\n", "I1\n", "I2\nI3\n", "I4\nI2\n"));
    assert_eq!(read(&archive(good.as_bytes(), &[("0", &bytes)])).unwrap().entries.len(), 1);
}

/// Would catch a storage that many tensors claim, each whole, filling the memory.
#[test]
fn overlapping_storages_are_bounded() {
    let bytes = vec![0; 1 << 20];
    let tensor = tensor("0", "I1048576\n", "I0\n", "I1048576\n", "I1\n");
    let pickled = |n: usize| {
        let entries: Vec<_> = (0..n).map(|i| format!("S'w{i}'\n{tensor}s")).collect();
        archive(format!("(d{}.", entries.concat()).as_bytes(), &[("0", &bytes)])
    };
    assert_eq!(read(&pickled(2)).unwrap().entries.len(), 2);
    let hostile = pickled(100);
    let (result, peak) = peak_of(|| read(&hostile));
    let error = result.unwrap_err();
    assert!(matches!(error, FormatError::TooLarge { .. }), "{error}");
    assert!(peak < 16 << 20, "{peak}");
}

/// Would catch a name, a key or a shape that many tensors share in the file being held, or looked at, once for
/// each: here a hundred thousand tensors of a few bytes have a key of a megabyte, or one of four thousand
/// bytes, or names of a megabyte, or sixty-four sides.
#[test]
fn shared_descriptions_are_bounded() {
    const MANY: usize = 100_000;
    let long = "k".repeat(1 << 20);
    let with_key = |key: &str| tensor(key, "I16\n", "I0\n", "I2\n", "I1\n");
    let sides = tensor("0", "I16\n", "I0\n", &"I1\n".repeat(64), &"I1\n".repeat(64));
    let named: Vec<_> = (0..MANY).map(|place| format!("S'{place}'\ng0\ns")).collect();
    let named = named.concat();
    let same = "g1\ng0\ns".repeat(MANY);
    let plain = with_key("0");
    for (what, pickled) in [
        ("a long key", format!("{}p0\n0(d{named}.", with_key(&long))),
        ("a key", format!("{}p0\n0(d{named}.", with_key(&long[..4000]))),
        ("sides", format!("{sides}p0\n0(d{named}.")),
        ("a long name", format!("{plain}p0\n0S'{long}'\np1\n0(d{same}.")),
        ("a long name of text", format!("{plain}p0\n0V{long}\np1\n0(d{same}.")),
    ] {
        let bytes = archive(pickled.as_bytes(), &[("0", &[7; 16])]);
        let (result, peak) = peak_of(|| read(&bytes));
        // What has no name that can be one is no tensor of the state dict.
        assert!(result.is_ok_and(|s| s.entries.is_empty()) == what.contains("name"), "{what}");
        assert!(peak < 64 << 20, "{what}: {peak} bytes of a file of {}", bytes.len());
    }
}

/// Would catch an entry that unpacks to far more than the pickle says, and a pickle that does.
#[test]
fn zip_bombs_are_refused() {
    let zeros = vec![0; 64 << 20];
    let pickled = format!("(dS'w'\n{}s.", tensor("0", "I16\n", "I0\n", "I2\n", "I1\n"));
    let bomb = archive(pickled.as_bytes(), &[("0", &zeros)]);
    let (result, peak) = peak_of(|| read(&bomb));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("expected 16 bytes or fewer") && peak < 1 << 20, "{error}, {peak}");
    let bomb = archive(&vec![b'N'; 64 << 20], &[]);
    let (result, peak) = peak_of(|| read(&bomb));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("or fewer") || error.contains("more than"), "{error}");
    assert!(peak < 64 << 20, "{peak}");
}

/// Would catch an entry's name being taken for a path: names that lead out of the archive are looked up
/// in it and nowhere else, and nothing is written.
#[test]
fn names_are_no_paths() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("0"), [7; 16]).unwrap();
    let outside = folder.path().join("0").display().to_string();
    for key in
        ["../../0", "../../../0", outside.as_str(), "..\\..\\0", "/etc/hostname", "0/../../../0"]
    {
        let pickled = format!("(dS'w'\n{}s.", tensor(key, "I16\n", "I0\n", "I2\n", "I1\n"));
        // Once without such an entry, and once with one, which is bytes like any other.
        let path = inside.join("hostile.pth");
        std::fs::write(&path, archive(pickled.as_bytes(), &[("0", &[7; 16])])).unwrap();
        assert!(read_weights(&path).is_err(), "{key} was read from elsewhere");
        std::fs::write(&path, archive(pickled.as_bytes(), &[(key, &[7; 16])])).unwrap();
        let _ = read_weights(&path);
    }
    let mut escaping = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["../evil", "/tmp/evil", "archive/../../evil", "..\\evil"] {
        escaping.start_file(name, SimpleFileOptions::default()).unwrap();
        escaping.write_all(b"evil").unwrap();
    }
    assert!(read(&escaping.finish().unwrap().into_inner()).is_err());
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// A safetensors file with this header, and so many bytes behind it.
fn safe(header: &str, bytes: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; bytes]].concat()
}

/// Would catch an offset, a shape or a length of a safetensors header that is believed before it is held
/// against the file.
#[test]
fn headers_that_lie_are_refused() {
    let one = |shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    assert_eq!(read(&safe(&one("[2,2]", "[0,16]"), 16)).unwrap().entries.len(), 1);
    for (what, header, bytes) in [
        ("huge shape", one("[1099511627776]", "[0,16]"), 16),
        ("overflow", one("[4294967296,4294967296,4294967296]", "[0,16]"), 16),
        ("negative side", one("[-4]", "[0,16]"), 16),
        ("beyond the file", one("[2,2]", "[0,1099511627776]"), 16),
        ("end before the beginning", one("[2,2]", "[16,0]"), 16),
        ("a gap", one("[2,2]", "[4,20]"), 20),
        ("bytes left over", one("[2,2]", "[0,16]"), 20),
        ("a foreign kind", one("[2,2]", "[0,16]").replace("F32", "F999"), 16),
        ("no object", "[1,2]".to_owned(), 16),
        ("broken text", one("[2,2]", "[0,16]").replace(':', ""), 16),
    ] {
        assert!(read(&safe(&header, bytes)).is_err(), "{what} was read");
    }
    let overlapping = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    assert!(read(&safe(overlapping, 16)).is_err());
    let mut long = safe(&one("[2,2]", "[0,16]"), 16);
    for length in [u64::MAX, 1 << 40, 99_999_999, 0] {
        long[..8].copy_from_slice(&length.to_le_bytes());
        assert!(read(&long).is_err(), "a header of {length} bytes was read");
    }
}

/// Would catch recursion over what a file nests, or around what it ties into a circle.
#[test]
fn deep_and_circular_values_end() {
    let deep = [vec![b']'; 500_000], vec![b'a'; 499_999], b".".to_vec()].concat();
    let circle = b"]q\x00h\x00a.".to_vec();
    let circle_of_dicts = b"}q\x00S'model'\nh\x00s.".to_vec();
    for pickled in [deep, circle, circle_of_dicts] {
        let error = read(&archive(&pickled, &[])).unwrap_err();
        assert!(matches!(error, FormatError::NoStateDict { .. }), "{error}");
    }
}

/// Would catch a search that walks every path through values that are shared: here each level holds
/// the next one a hundred times, and the last holds a dictionary of a hundred thousand entries.
#[test]
fn shared_values_are_searched_once() {
    let keys: Vec<String> = (0..100_000).map(|i| format!("I{i}\nN")).collect();
    let mut list = format!("({}dp0\n", keys.concat());
    let mut dict = list.clone();
    for level in 1..=7 {
        list = format!("({list}{}lp{level}\n", format!("g{}\n", level - 1).repeat(100));
        let nests: Vec<String> = ["model", "net", "network", "params", "ema", "state_dict"]
            .iter()
            .map(|key| format!("S'{key}'\ng{}\n", level - 1))
            .collect();
        dict = format!("(S'model_ema'\n{dict}{}dp{level}\n", nests.concat());
    }
    for pickled in [list, dict] {
        let error = read(&archive(format!("{pickled}.").as_bytes(), &[])).unwrap_err();
        assert!(matches!(error, FormatError::NoStateDict { .. }), "{error}");
    }
}

/// Would catch a message that leaves a user alone with a file of another kind.
#[test]
fn other_files_are_told_apart() {
    for (bytes, expect) in [
        (&b"<!DOCTYPE html>"[..], "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\x89HDF\r\n", "Keras"),
        (b"", "empty"),
        (b"abc", "[61, 62, 63]"),
    ] {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
}
