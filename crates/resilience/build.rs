//! Tells every binary, test and benchmark of the engine and of the command where libtorch lies, so
//! that they run without `LD_LIBRARY_PATH`. Both packages name this file as their build script,
//! because cargo applies link arguments to the targets of their own package only.

use std::env;
use std::path::Path;

fn main() {
    // From either package this is the same file; a path that does not exist would run it every time.
    println!("cargo::rerun-if-changed=../resilience/build.rs");
    // The folder that torch-sys, a direct dependency for this reason, has found by whatever means.
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB") else { return };
    let lib = Path::new(&lib);
    for argument in ["-Xlinker", "-rpath", "-Xlinker", &lib.to_string_lossy()] {
        println!("cargo::rustc-link-arg={argument}");
    }
    // The CUDA kernels register themselves when their library is loaded, and no symbol of it is
    // ever named: without this the linker leaves it out, and no CUDA device would be found.
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" && lib.join("libtorch_cuda.so").exists() {
        for argument in ["-Wl,--push-state,--no-as-needed", "-ltorch_cuda", "-Wl,--pop-state"] {
            println!("cargo::rustc-link-arg={argument}");
        }
    }
}
