//! Images of the user's own, in every form that is read, against what NumPy, safetensors and Pillow wrote.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::{Path, PathBuf};

use resilience_core::dataset::{DatasetError, Image, Images, Places, Source, Split, find};
use resilience_core::event::Silent;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data").join(name)
}

fn source(path: &Path) -> Result<Source, DatasetError> {
    find(Some(&path.to_string_lossy()), &Places::default(), &mut Silent)
}

fn load(path: &Path) -> Result<Images, DatasetError> {
    source(path)?.load(Split::Test, None, &mut Silent)
}

/// A folder with a data manifest, and the file or folder that it is about.
fn described(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.toml");
    let place = golden("").display().to_string();
    std::fs::write(&path, text.replace("GOLDEN/", &place)).unwrap();
    (folder, path)
}

fn with(text: &str) -> Result<Images, DatasetError> {
    let (_folder, path) = described(text);
    load(&path)
}

/// What pixel (n, c, h, w) is in every golden file, see `generate.py`.
fn formula() -> Vec<u8> {
    let of = |n, c, h, w| ((7 * n + 5 * c + 3 * h + 11 * w) % 256) as u8;
    let mut all = Vec::new();
    for (n, c) in (0..5).flat_map(|n| (0..3).map(move |c| (n, c))) {
        all.extend((0..4).flat_map(|h| (0..6).map(move |w| of(n, c, h, w))));
    }
    all
}

/// Would catch an array that is read in another order, as another kind or in another range than it was
/// written in: all files hold the same images.
#[test]
fn arrays_hold_what_was_written() {
    let levels = "path = 'GOLDEN/levels.safetensors'\nrange = '0-255'";
    for (what, images) in [
        ("npy", load(&golden("x.npy"))),
        ("npz, stored, float32", load(&golden("stored.npz"))),
        ("npz, deflated, uint8", load(&golden("packed.npz"))),
        ("npz, deflated, float64, NHWC", load(&golden("nhwc.npz"))),
        ("safetensors, float32 to 255", with(levels)),
    ] {
        let images = images.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((images.len(), images.shape()), (5, [3, 4, 6]), "{what}");
        assert_eq!(images.labels(), [2, 0, 1, 2, 1], "{what}");
        assert_eq!(images.classes(), ["0", "1", "2"], "{what}");
        for (row, expected) in formula().chunks_exact(72).enumerate() {
            match images.image(row).unwrap() {
                Image::Bytes(bytes) => assert_eq!(&bytes[..], expected, "{what}"),
                Image::Floats(floats) => {
                    let expected: Vec<f32> =
                        expected.iter().map(|&level| f32::from(level) / 255.0).collect();
                    assert_eq!(&floats[..], expected, "{what}");
                }
            }
        }
    }
}

/// Would catch a checksum that depends on the form which bytes were read from, or not on the number of
/// images, and classes that do.
#[test]
fn the_first_n_are_the_first_n() {
    let (npy, packed) = (source(&golden("x.npy")).unwrap(), source(&golden("packed.npz")).unwrap());
    let first = |source: &Source, n| source.load(Split::Test, Some(n), &mut Silent).unwrap();
    for n in [0, 1, 3, 5] {
        let (one, other) = (first(&npy, n).record(), first(&packed, n).record());
        assert_eq!((one.sha256, one.n, one.classes), (other.sha256, n as u64, other.classes));
    }
    assert_ne!(first(&npy, 2).record().sha256, first(&npy, 3).record().sha256);
    let error = npy.load(Split::Test, Some(6), &mut Silent).unwrap_err().to_string();
    assert!(error.contains("5 test images, 6 were asked for"), "{error}");
}

/// Would catch a wrong guess, or a wrong word in a manifest, that becomes a wrong number: range, layout,
/// kind, classes and split are held against the file, and the message says what to write.
#[test]
fn what_does_not_fit_is_an_error() {
    for (text, expect) in [
        (
            "path = 'GOLDEN/levels.safetensors'",
            "write range = \"0-255\" in a data manifest, found float32 from 0 to 102",
        ),
        ("path = 'GOLDEN/stored.npz'\nrange = '0-255'", "as range = \"0-255\" says"),
        ("path = 'GOLDEN/packed.npz'\nrange = '0-1'", "uint8 from 0 to"),
        ("path = 'GOLDEN/packed.npz'\nlayout = 'NHWC'", "found [5, 3, 4, 6]"),
        ("path = 'GOLDEN/nhwc.npz'\nlayout = 'NCHW'", "found [5, 4, 6, 3]"),
        ("path = 'GOLDEN/packed.npz'\nclasses = 2", "from 0 to 1, as there are 2 classes, found 2"),
        (
            "path = 'GOLDEN/packed.npz'\nsplit = 'train'",
            "images to train on, but images to test on",
        ),
        ("path = 'GOLDEN/packed.npz'\nx = 'images'", "one called images"),
        ("path = 'GOLDEN/packed.npz'\nx = 'y'", "kind of y: expected uint8"),
        ("path = 'GOLDEN/packed.npz'\ny = 'x'", "[5], one label for each image"),
        ("path = 'GOLDEN/packed.npz'\nlabels = 'y.npy'", "leave labels out"),
        ("path = 'GOLDEN/objects.npy'\nlabels = 'GOLDEN/y.npy'", "pickle"),
        ("path = 'GOLDEN/x.npy'\nlabels = 'GOLDEN/x.npy'", "one label for each image"),
        ("path = 'GOLDEN/y.npy'\nlabels = 'GOLDEN/y.npy'", "uint8 from 0 to 255, or float32"),
        ("path = 'GOLDEN/none.npz'", "no such file"),
        ("path = 'GOLDEN/x.npy'\ncolour = 1", "unknown field"),
        ("path = 'GOLDEN/x.npy'\nrange = '0..1'", "none of \"0-1\", \"0-255\""),
        ("path = 'GOLDEN/x.npy'\nname = 'cifar10'", "give it another"),
        ("path = 'GOLDEN/x.npy'\ntrain = 'GOLDEN/x.npy'", "it must have path"),
        ("name = 'x'", "it must have path"),
        ("path = ", "no data manifest"),
    ] {
        let error = with(text).unwrap_err().to_string();
        assert!(error.contains(expect), "{text}: {error}");
    }
}

/// An .npy file of numbers as they are given.
fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), bytes].concat()
}

/// Two images of 1 x 2 x 2 floats.
fn floats(values: [f32; 8]) -> Result<Images, DatasetError> {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(folder.path().join("x.npy"), npy("<f4", "(2, 1, 2, 2)", &bytes)).unwrap();
    std::fs::write(folder.path().join("y.npy"), npy("|u1", "(2,)", &[0, 1])).unwrap();
    load(folder.path())
}

/// Would catch normalised, broken or twice divided pixels that are taken for pixels from 0 to 1, and floats
/// between the 256 levels that are rounded to them.
#[test]
fn floats_are_pixels_or_an_error() {
    let odd = [0.0, 1.0, 0.500_01, 0.1, 0.2, 0.3, 0.4, 0.123_456_79];
    let images = floats(odd).unwrap();
    assert_eq!(images.image(1).unwrap(), Image::Floats(odd[4..].to_vec().into()));
    for (values, expect) in [
        ([-2.1, 1.0, 0.5, 0.1, 0.2, 0.3, 0.4, 2.6], "before normalisation"),
        ([0.0, 1.0, f32::NAN, 0.1, 0.2, 0.3, 0.4, 0.5], "NaN or infinity in image 0"),
        ([0.0, 1.0, 0.5, 0.1, 0.2, f32::INFINITY, 0.4, 0.5], "NaN or infinity in image 1"),
        ([0.0, 0.001, 0.002, 0.001, 0.0, 0.003, 0.002, 0.001], "divided by 255 twice"),
        ([0.0, 1.0, 0.5, 0.1, 0.2, 0.3, 0.4, 1.000_1], "from 0 to 1.000"),
        ([0.0, 255.0, 12.0, 0.1, 0.2, 0.3, 0.4, 1.0], "write range = \"0-255\""),
    ] {
        let error = floats(values).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
}

/// A folder of pictures, one folder for each class.
fn pictures(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, from) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(golden(from), path).unwrap();
    }
    folder
}

fn image(images: &Images, row: usize) -> Vec<u8> {
    images.image(row).unwrap().to_levels()
}

/// Would catch classes in the order of the file system, images that are not dealt out class by class, and
/// files that are left out silently.
#[test]
fn folders_of_classes() {
    let folder = pictures(&[
        ("zebra/2.png", "photograph.png"),
        ("zebra/1.PNG", "photograph.png"),
        ("ant/b.jpg", "photograph.jpg"),
        ("ant/a.jpeg", "photograph.jpg"),
        ("ant/c.png", "photograph.png"),
    ]);
    std::fs::write(folder.path().join("ant/notes.txt"), "no picture").unwrap();
    let images = load(folder.path()).unwrap();
    assert_eq!(images.classes(), ["ant", "zebra"]);
    assert_eq!(images.labels(), [0, 1, 0, 1, 0]);
    assert_eq!(images.shape(), [3, 37, 53]);
    assert_eq!(image(&images, 1), image(&images, 4));
    assert_ne!(image(&images, 0), image(&images, 4));
    std::fs::write(folder.path().join("ant/d.webp"), "x").unwrap();
    let error = load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("d.webp") && error.contains("save it as PNG"), "{error}");
}

/// A folder beside a manifest.
fn folder_with(folder: &Path, name: &str, text: &str) -> Result<Images, DatasetError> {
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    load(&path)
}

/// Would catch another arithmetic than that of the pictures that checkpoints were published for: Pillow's
/// resizing and torchvision's crop, to the bit; and a JPEG that is decoded to visibly other pixels.
#[test]
fn preprocessing_is_that_of_torchvision() {
    let folder =
        pictures(&[("all/one/a.png", "photograph.png"), ("jpeg/one/a.jpg", "photograph.jpg")]);
    let expected = std::fs::read(golden("preprocessed.bin")).unwrap();
    let mut at = 0;
    for (resize, crop) in [(24, 21), (50, 43), (37, 36)] {
        let text = format!("path = 'all'\nresize = {resize}\ncrop = {crop}");
        let images = folder_with(folder.path(), "all", &text).unwrap();
        let size = images.image_size();
        assert_eq!(size, 3 * crop * crop);
        assert_eq!(image(&images, 0), expected[at..at + size], "{resize} {crop}");
        at += size;
    }
    assert_eq!(at, expected.len());
    let grey = folder_with(folder.path(), "grey", "path = 'all'\nchannels = 1").unwrap();
    assert_eq!(grey.shape(), [1, 37, 53]);
    assert_eq!(image(&grey, 0), std::fs::read(golden("grey.bin")).unwrap());
    let jpeg = folder_with(folder.path(), "jpeg", "path = 'jpeg'").unwrap();
    let theirs = std::fs::read(golden("jpeg.bin")).unwrap();
    let differ = image(&jpeg, 0).iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(differ <= 3, "{differ}");
}

/// Would catch a list of files in another order, a class index that is ignored, and a line that leads out of
/// the folder.
#[test]
fn lists_and_class_indices() {
    let folder = pictures(&[
        ("val/n02/x.png", "photograph.png"),
        ("val/n01/y.png", "grey.png"),
        ("val/z.jpg", "photograph.jpg"),
    ]);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("index.json", r#"{"0": ["n02", "newt"], "1": ["n01", "toad"], "2": ["n03", "frog"]}"#);
    write("synsets.txt", "n02 newt\nn01 toad, common toad\nn03 frog\n");
    write("val.txt", "# what is shown\nz.jpg 2\nn01/y.png,1\nn02/x.png\tnewt\n");
    let by_folder =
        folder_with(folder.path(), "a", "path = 'val'\nclasses = 'index.json'").unwrap();
    assert_eq!(
        (by_folder.labels(), by_folder.classes()),
        (&[1, 0][..], &["newt", "toad", "frog"].map(String::from)[..])
    );
    let text = "path = 'val'\nclasses = 'synsets.txt'\nlabels = 'val.txt'";
    let by_list = folder_with(folder.path(), "b", text).unwrap();
    assert_eq!(
        (by_list.labels(), &by_list.classes()[1][..]),
        (&[2, 1, 0][..], "toad, common toad")
    );
    assert_eq!(image(&by_list, 2), image(&by_folder, 1));
    for (list, expect) in [
        ("../val/z.jpg 2", "inside the folder"),
        ("/etc/passwd 2", "inside the folder"),
        ("z.jpg 3", "from 0 to 2"),
        ("z.jpg newts", "one of the classes"),
        ("z.jpg -1", "one of the classes"),
        ("z.jpg", "a file and its class"),
        ("gone.png 1", "gone.png"),
        ("", "found none"),
    ] {
        write("bad.txt", list);
        let text = "path = 'val'\nclasses = 'synsets.txt'\nlabels = 'bad.txt'";
        let error = folder_with(folder.path(), "c", text).unwrap_err().to_string();
        assert!(error.contains(expect), "{list}: {error}");
    }
    let error =
        folder_with(folder.path(), "d", "path = 'val'\nclasses = ['n01']").unwrap_err().to_string();
    assert!(error.contains("'n02'"), "{error}");
    let error =
        folder_with(folder.path(), "e", "path = 'val'\nclasses = 1000").unwrap_err().to_string();
    assert!(error.contains("found 2 folders"), "{error}");
}

/// Would catch images of several shapes in one data set, and a crop out of a picture that is too small.
#[test]
fn all_images_have_one_shape() {
    let folder = pictures(&[("all/a/1.png", "photograph.png"), ("all/b/1.png", "photograph.png")]);
    let small = image::RgbImage::new(20, 30);
    small.save(folder.path().join("all/b/1.png")).unwrap();
    let error = folder_with(folder.path(), "plain", "path = 'all'").unwrap_err().to_string();
    assert!(error.contains("[3, 30, 20]") && error.contains("write resize"), "{error}");
    let error =
        folder_with(folder.path(), "crop", "path = 'all'\ncrop = 32").unwrap_err().to_string();
    assert!(error.contains("at least 32 x 32"), "{error}");
    let text = "path = 'all'\nresize = [40, 36]\ncrop = 32";
    assert_eq!(folder_with(folder.path(), "both", text).unwrap().shape(), [3, 32, 32]);
}

/// Would catch a network that is trained and evaluated on the same images, because one file was given for
/// both.
#[test]
fn splits_are_told_apart() {
    assert!(source(&golden("x.npy")).unwrap().check_both_splits().is_err());
    let (_folder, path) =
        described("train = 'GOLDEN/x.npy'\ntest = 'GOLDEN/packed.npz'\nclasses = 3");
    let both = source(&path).unwrap();
    both.check_both_splits().unwrap();
    assert_eq!(both.load(Split::Train, None, &mut Silent).unwrap().len(), 5);
    let folder = pictures(&[
        ("train/a/1.png", "photograph.png"),
        ("train/a/2.png", "photograph.png"),
        ("val/a/3.png", "photograph.png"),
    ]);
    let both = source(folder.path()).unwrap();
    both.check_both_splits().unwrap();
    let lengths =
        [Split::Train, Split::Test].map(|split| both.load(split, None, &mut Silent).unwrap().len());
    assert_eq!(lengths, [2, 1]);
}

/// Would catch a label beyond 255 that is cut, and a thousand classes that are not all there.
#[test]
fn a_thousand_classes() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<u8> = [999_i64, 0, 256].iter().flat_map(|label| label.to_le_bytes()).collect();
    std::fs::write(folder.path().join("x.npy"), npy("|u1", "(3, 1, 2, 2)", &[200; 12])).unwrap();
    std::fs::write(folder.path().join("y.npy"), npy("<i8", "(3,)", &labels)).unwrap();
    let images = load(folder.path()).unwrap();
    assert_eq!((images.labels(), images.classes().len()), (&[999, 0, 256][..], 1000));
    let record = images.record();
    std::fs::write(
        folder.path().join("y.npy"),
        npy("<i8", "(3,)", &[&labels[..16], &[0; 8]].concat()),
    )
    .unwrap();
    assert_ne!(load(folder.path()).unwrap().record().sha256, record.sha256);
}

/// Would catch data that are larger than what is held being held, other pixels when they are read again, and
/// a file that changes in the meantime going unnoticed.
#[test]
fn what_is_large_stays_in_its_file() {
    use std::io::{Seek, SeekFrom, Write};

    const IMAGE: usize = 3 * 64 * 64;
    let n = 23_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let head = npy("|u1", &format!("({n}, 3, 64, 64)"), &[]);
    // All black but for two images, so that the file takes no room on the disk.
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&head).unwrap();
    file.set_len((head.len() + n * IMAGE) as u64).unwrap();
    let mut paint = |row: usize, level: u8| {
        file.seek(SeekFrom::Start((head.len() + row * IMAGE) as u64)).unwrap();
        file.write_all(&[level; IMAGE]).unwrap();
    };
    paint(0, 40);
    paint(n - 1, 200);
    std::fs::write(folder.path().join("y.npy"), npy("|u1", &format!("({n},)"), &vec![3; n]))
        .unwrap();
    let images = load(folder.path()).unwrap();
    assert_eq!((images.len(), images.bytes()), (n, None));
    assert_eq!(image(&images, n - 1), [200; IMAGE]);
    assert_eq!(image(&images, 1), [0; IMAGE]);
    let first = source(folder.path()).unwrap().load(Split::Test, Some(2), &mut Silent).unwrap();
    assert_eq!(first.bytes().map(<[u8]>::len), Some(2 * IMAGE));
    paint(n - 1, 201);
    let error = images.image(n - 1).unwrap_err().to_string();
    assert!(error.contains("x.npy: image 22999 has changed"), "{error}");
}
