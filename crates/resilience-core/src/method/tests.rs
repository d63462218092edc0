use super::*;

fn parse(text: &str) -> Result<Method, MethodError> {
    Method::from_table("method my.toml", &toml::from_str(text).unwrap())
}

/// Would catch a default that is not the paper's training, and a key that is read into another field.
#[test]
fn what_is_not_said_is_the_papers() {
    let method = parse("recipe = 'fgsm-joint'").unwrap();
    assert_eq!(method.architecture, "resilience-cnn");
    assert_eq!((method.epochs, method.batch, method.validation), (5, 128, 1000));
    assert_eq!(method.optimiser, Optimiser::Adam { learning_rate: 0.001, weight_decay: 0.0 });
    assert_eq!(method.threat.to_string(), "linf 8/255");
    let Augmentation { flip, crop, rotation, .. } = method.augmentation;
    assert!(flip && crop == 0 && (rotation - 15.0).abs() < 1e-12);
    let l2 = parse("recipe = 'trades'\nnorm = 'l2'\nsettings = { beta = 5, start = 'x' }").unwrap();
    assert_eq!(l2.threat.to_string(), "l2 0.5");
    let settings = [("beta", "5"), ("start", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(l2.settings, settings);
}

/// Would catch a mistyped key or a senseless value that is taken as if it were nothing.
#[test]
fn what_is_not_understood_is_refused_by_name() {
    for (text, words) in [
        ("recipe = 'x'\nepoch = 3", &["my.toml", "'epoch'", "did you mean 'epochs'"][..]),
        ("epochs = 3", &["recipe"]),
        ("recipe = 'x'\nversion = 2", &["version 2"]),
        ("recipe = 'x'\nepochs = 0", &["epochs", "above 0"]),
        ("recipe = 'x'\neps = '8/0'", &["eps", "8/0"]),
        ("recipe = 'x'\nmixup = 1\ncutmix = 1", &["one of the two"]),
        ("recipe = 'x'\nlabel_smoothing = 1.0", &["label_smoothing", "below 1"]),
        ("recipe = 'x'\n[optimiser]\nname = 'sgd'\nnesterov = true", &["nesterov", "momentum"]),
        ("recipe = 'x'\n[optimiser]\nname = 'adam'\nmomentum = 0.9", &["momentum"]),
        ("recipe = 'x'\n[schedule]\nname = 'piecewise'\nepochs = [5, 3]", &["ascending"]),
        ("recipe = 'x'\n[schedule]\nname = 'cyclic'\npeak = 1.0", &["schedule.peak"]),
        ("recipe = 'x'\n[schedule]\nname = 'cosine'\nepochs = [5]", &["epochs"]),
        ("recipe = 'x'\nstd = [58, 57, 57]", &["std", "255"]),
        ("recipe = 'x'\nmean = [nan, 0, 0]", &["mean"]),
        ("recipe = 'x'\n[augmentation]\ncrop = 40000", &["augmentation.crop"]),
        ("recipe = 'x'\n[awp]\ngamma = 0", &["awp.gamma"]),
        ("recipe = 'x'\n[ema]\ndecay = 1.0", &["ema.decay"]),
        ("recipe = 'x'\n[augmentation]\nrotation = 200", &["rotation", "180"]),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
    }
}

/// Would catch a corner of a schedule that lies elsewhere: by hand, for 10 epochs of 4 steps. (Every
/// step against PyTorch is a golden case of the engine.)
#[test]
fn schedules_have_their_corners_where_they_should() {
    let factor = |schedule: &Schedule, step| schedule.factor(step, 4, 10);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    let piecewise = Schedule::Piecewise { epochs: vec![5, 8], factor: 0.1 };
    for (step, expected) in [(0, 1.0), (19, 1.0), (20, 0.1), (31, 0.1), (32, 0.01), (39, 0.01)] {
        near(factor(&piecewise, step), expected);
    }
    for (step, expected) in [(0, 0.0), (10, 0.5), (20, 1.0), (30, 0.5), (40, 0.0)] {
        near(factor(&Schedule::Cyclic { peak: 0.5 }, step), expected);
    }
    for (step, expected) in [(0, 1.0), (20, 0.5), (40, 0.0)] {
        near(factor(&Schedule::Cosine {}, step), expected);
    }
    let cycle = Schedule::OneCycle { peak: 0.3 };
    for (step, expected) in [(0, 0.04), (11, 1.0), (39, 0.04 / 1e4)] {
        near(factor(&cycle, step), expected);
    }
    near(factor(&Schedule::Constant {}, 17), 1.0);
    // Where the way up has no length the rate is a number too.
    assert!(Schedule::OneCycle { peak: 0.025 }.factor(0, 4, 10).is_finite());
}

/// Would catch a method that comes along and cannot be read, or that does not say what was published.
#[test]
fn the_methods_that_come_along_can_be_read() {
    for name in known_names() {
        let method = known_method(name).unwrap().unwrap();
        for words in [&method.title, &method.source, &method.published] {
            assert!(words.as_ref().is_some_and(|words| words.len() > 10), "{name}");
        }
    }
    assert!(known("resnet19").unwrap().is_none());
}
