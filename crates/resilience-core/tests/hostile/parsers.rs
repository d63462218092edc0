//! Every parser of what comes from outside, as a function of a file's bytes: the fuzz targets (`fuzz/`) call
//! these, and `seeds.rs` calls them with every seed and every beginning of one.
//!
//! A function says whether the bytes were taken. What is wrong with them must be an error: whatever else
//! comes of them (a panic, a hang, memory that the file does not have) is a bug.

use std::path::Path;

use resilience_core::comparison;
use resilience_core::dataset::{Images, Places, Split, cifar10, cifar100, find};
use resilience_core::event::Silent;
use resilience_core::format::{onnx, pickle, pth, weights};
use resilience_core::leaderboard;
use resilience_core::manifest::{Described, Manifest};
use resilience_core::method::Method;
use resilience_core::plan::Shard;
use resilience_core::suite;
use resilience_core::summary::Summary;
use resilience_core::threat::{Eps, Norm};
use resilience_core::view::View;
use resilience_core::vote::Vote;

use super::{files, records};

/// Takes the bytes of a file, and says whether they were such a file.
pub type Parser = fn(&[u8]) -> bool;

/// All of them by the names of their fuzz targets and folders of seeds.
pub const PARSERS: &[(&str, Parser)] = &[
    // Weights and networks.
    ("pickle", pickle),
    ("pth", checkpoint),
    ("pth_pickle", pth_pickle),
    ("pth_legacy", checkpoint),
    ("safetensors", checkpoint),
    ("onnx", onnx),
    ("torchscript", torchscript),
    ("torchscript_pickle", torchscript_pickle),
    // Data sets.
    ("cifar10_binary", cifar10_binary),
    ("cifar10_python", cifar10_python),
    ("cifar100_binary", cifar100_binary),
    ("cifar100_python", cifar100_python),
    ("archive", archive),
    ("tar", tar),
    ("npy", npy),
    ("npy_labels", npy_labels),
    ("npz", npz),
    ("arrays_safetensors", arrays_safetensors),
    ("idx", idx),
    ("idx_gz", idx_gz),
    ("picture", picture),
    ("picture_list", picture_list),
    ("class_index", class_index),
    ("data_manifest", data_manifest),
    // What people write.
    ("manifest", manifest),
    ("ensemble", ensemble),
    ("method", method),
    ("suite", suite),
    ("comparison", comparison),
    ("claim", claim),
    ("words", words),
    // What runs leave behind.
    ("summary", summary),
    ("store", store),
    ("records", records),
];

/// A place where nothing is, for messages, and so that nothing beside it is found.
const NOWHERE: &str = "/nonexistent/hostile";

pub fn pickle(bytes: &[u8]) -> bool {
    let Ok((tree, used)) = pickle::parse(bytes) else { return false };
    assert!(used <= bytes.len());
    let _ = tree.describe(tree.root());
    tree.storages().for_each(|id| drop(tree.describe(id)));
    true
}

/// Weights of whichever form: zip, legacy or safetensors.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let Ok(found) = weights::parse_checkpoint(Path::new(NOWHERE), bytes) else { return false };
    let mut state = found.state;
    state.strip_wrappers();
    state.entries.iter().for_each(|(_, array)| drop(array.to_f32()));
    true
}

/// The pickle of the zip form, in an archive whose checksums fit.
pub fn pth_pickle(bytes: &[u8]) -> bool {
    checkpoint(&files::zip(&[("archive/data.pkl", bytes), ("archive/data/0", &[7; 64])]))
}

pub fn onnx(bytes: &[u8]) -> bool {
    onnx::parse_onnx(Path::new(NOWHERE), bytes.to_vec()).is_ok()
}

/// A network with its code, whose weights alone are read here.
pub fn torchscript(bytes: &[u8]) -> bool {
    pth::parse_script(Path::new(NOWHERE), bytes.to_vec()).is_ok()
}

/// The modules of one, in an archive whose checksums fit.
pub fn torchscript_pickle(bytes: &[u8]) -> bool {
    let [data, constants, storage] =
        [("a/data.pkl", bytes), ("a/constants.pkl", b"\x80\x02)."), ("a/data/0", &[7; 64])];
    torchscript(&files::zip(&[data, constants, storage]))
}

pub fn cifar10_binary(bytes: &[u8]) -> bool {
    cifar10::parse_batch(Path::new("test_batch.bin"), bytes, 2).is_ok()
}

pub fn cifar10_python(bytes: &[u8]) -> bool {
    cifar10::parse_batch(Path::new("test_batch"), bytes, 2).is_ok()
}

pub fn cifar100_binary(bytes: &[u8]) -> bool {
    cifar100::parse_batch(Path::new("test.bin"), bytes, 2).is_ok()
}

pub fn cifar100_python(bytes: &[u8]) -> bool {
    cifar100::parse_batch(Path::new("test"), bytes, 2).is_ok()
}

/// An archive of a data set as it comes. Whole ones are large; a small one is taken where only its images
/// are missing.
pub fn archive(bytes: &[u8]) -> bool {
    ["cifar-10-python.tar.gz", "cifar-100-python.tar.gz"]
        .into_iter()
        .all(|name| files::data(&[(name, bytes)], name).is_err_and(|e| e.contains("is missing")))
}

/// What is inside of an archive, in a compressed stream whose checksum fits.
pub fn tar(bytes: &[u8]) -> bool {
    archive(&files::gzip(bytes))
}

/// Images as NumPy writes them, with two labels.
pub fn npy(bytes: &[u8]) -> bool {
    data(&[("x.npy", bytes), ("y.npy", &files::npy("|u1", "(2,)", &[0, 1]))], "x.npy")
}

/// Labels as NumPy writes them, for two images.
pub fn npy_labels(bytes: &[u8]) -> bool {
    data(&[("x.npy", &files::npy("|u1", "(2, 3, 2, 4)", &[7; 48])), ("y.npy", bytes)], "x.npy")
}

pub fn npz(bytes: &[u8]) -> bool {
    data(&[("a.npz", bytes)], "a.npz")
}

pub fn arrays_safetensors(bytes: &[u8]) -> bool {
    data(&[("a.safetensors", bytes)], "a.safetensors")
}

pub fn idx(bytes: &[u8]) -> bool {
    idx_named("x.idx", bytes)
}

pub fn idx_gz(bytes: &[u8]) -> bool {
    idx_named("x.idx.gz", bytes)
}

fn idx_named(name: &str, bytes: &[u8]) -> bool {
    let manifest = format!("path = '{name}'\nlabels = 'y.idx'");
    let labels = b"\0\0\x08\x01\0\0\0\x02\x00\x01";
    data(&[(name, bytes), ("y.idx", labels), ("a.toml", manifest.as_bytes())], "a.toml")
}

/// A picture in a folder of a class, as it is and brought into shape.
pub fn picture(bytes: &[u8]) -> bool {
    let manifest = b"path = 'all'\nresize = 9\ncrop = [8, 7]\nchannels = 1";
    let given: [(&str, &[u8]); 2] = [("all/a/1.png", bytes), ("a.toml", manifest)];
    let plain = data(&given, "all");
    let shaped = data(&given, "a.toml");
    plain && shaped
}

/// A list of pictures and their classes.
pub fn picture_list(bytes: &[u8]) -> bool {
    let manifest = b"path = 'all'\nlabels = 'list.txt'\nclasses = ['cat', 'dog']";
    let picture = files::PICTURE;
    let given: [(&str, &[u8]); 4] = [
        ("all/a/1.png", picture),
        ("all/b/1.png", picture),
        ("list.txt", bytes),
        ("a.toml", manifest),
    ];
    data(&given, "a.toml")
}

/// Classes by number, as ImageNet's index has them, or a line each.
pub fn class_index(bytes: &[u8]) -> bool {
    let manifest = b"path = 'all'\nclasses = 'classes.txt'";
    let given: [(&str, &[u8]); 4] = [
        ("all/n01/1.png", files::PICTURE),
        ("all/n02/1.png", files::PICTURE),
        ("classes.txt", bytes),
        ("a.toml", manifest),
    ];
    data(&given, "a.toml")
}

/// A data manifest beside every kind of thing that it may speak of.
pub fn data_manifest(bytes: &[u8]) -> bool {
    let arrays = files::zip(&[
        ("x.npy", &files::npy("|u1", "(2, 3, 2, 4)", &[7; 48])),
        ("y.npy", &files::npy("|u1", "(2,)", &[0, 1])),
    ]);
    let given: [(&str, &[u8]); 5] = [
        ("a.toml", bytes),
        ("a.npz", &arrays),
        ("all/a/1.png", files::PICTURE),
        ("all/b/1.png", files::PICTURE),
        ("list.txt", b"a/1.png a\nb/1.png b\n"),
    ];
    data(&given, "a.toml")
}

/// Reads the images at one of some files; those of either split count.
fn data(given: &[(&str, &[u8])], read: &str) -> bool {
    let Ok(images) = files::data(given, read) else { return false };
    let _ = images.record();
    for row in 0..images.len().min(4) {
        let _ = images.image(row).map(|image| image.to_levels());
    }
    true
}

pub fn manifest(bytes: &[u8]) -> bool {
    let path = Path::new(NOWHERE).join("a.toml");
    let Ok(manifest) = Manifest::parse(&path, text(bytes)) else { return false };
    let _ = manifest.to_toml();
    true
}

/// An ensemble, with manifests of two members beside it.
pub fn ensemble(bytes: &[u8]) -> bool {
    let member = b"name = 'A'\nfile = 'a.pt'\narchitecture = 'resnet32'\nmean = [0.5]\nstd = [0.5]\nsource = 'a'\n";
    let folder = files::folder(&[("all.toml", bytes), ("a.toml", member), ("b.toml", member)]);
    Described::read(&folder.path().join("all.toml")).is_ok()
}

pub fn method(bytes: &[u8]) -> bool {
    let Ok(table) = toml::from_str(text(bytes)) else { return false };
    let Ok(method) = Method::from_table(NOWHERE, &table) else { return false };
    for step in [0, 1, 99, 100] {
        let _ = method.schedule.factor(step, 100, method.epochs);
    }
    true
}

pub fn suite(bytes: &[u8]) -> bool {
    suite::parse(Path::new(NOWHERE), text(bytes)).is_ok()
}

pub fn comparison(bytes: &[u8]) -> bool {
    let Ok(suite) = comparison::Suite::parse(Path::new(NOWHERE), text(bytes)) else { return false };
    comparison::count(&suite, Path::new(NOWHERE)).is_ok_and(|counted| counted.groups.is_empty())
}

pub fn claim(bytes: &[u8]) -> bool {
    leaderboard::parse("cifar10/linf/Somebody2026.toml", text(bytes)).is_ok()
}

/// The small words of arguments and files: a radius, a norm, a shard, a view, a vote.
pub fn words(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let eps = text.parse::<Eps>();
    if let Ok(eps) = &eps {
        let again: Result<Eps, _> = eps.to_string().parse();
        assert!(again.is_ok_and(|again| again.value().to_bits() == eps.value().to_bits()));
    }
    let shard = text.parse::<Shard>();
    if let Ok(shard) = shard {
        let images = shard.images(10_000, 64);
        assert!(images.start <= images.end && images.end <= 10_000);
    }
    eps.is_ok()
        || shard.is_ok()
        || text.parse::<Norm>().is_ok()
        || text.parse::<View>().is_ok()
        || text.parse::<Split>().is_ok()
        || Vote::find(text).is_some()
}

pub fn summary(bytes: &[u8]) -> bool {
    let folder = files::folder(&[("summary.json", bytes)]);
    Summary::read(&folder.path().join("summary.json")).is_ok()
}

/// A run store as it comes.
pub fn store(bytes: &[u8]) -> bool {
    let folder = files::folder(&[(resilience_core::store::FILE, bytes)]);
    records::read(folder.path())
}

/// What a run store holds, a row of a table in each line, in a database that is sound.
pub fn records(bytes: &[u8]) -> bool {
    let folder = records::store(text(bytes));
    records::read(folder.path())
}

/// The text in a file; where bytes are no text, their beginning that is.
fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// Finds and reads what lies at a path.
pub fn open(path: &Path) -> Result<Images, String> {
    let source = find(Some(&path.to_string_lossy()), &Places::default(), &mut Silent);
    let images = source.and_then(|source| source.load(Split::Test, None, &mut Silent));
    images.map_err(|error| error.to_string())
}
