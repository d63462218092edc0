"""Fetches PyTorch's wheels with pip and unpacks libtorch out of them: libraries and headers only.

    python3 scripts/fetch_libtorch.py CACHE

makes CACHE/libtorch-2.11.0, whose folder `torch` is what LIBTORCH takes. The folder appears by one
rename, so that it is whole or absent. Wheels that are there already are kept through a break and
deleted after unpacking. Called by scripts/libtorch.sh; needs Python 3.8 with pip, nothing else.
"""

import fcntl
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

VERSION = "2.11.0"
NEEDED_BYTES = 1_200_000_000
HERE = pathlib.Path(__file__).resolve().parent

# Per platform: pip's names of it, and the libraries to unpack. libtorch_cuda stays out: tch links
# it wherever it lies, and it would need three gigabytes of CUDA libraries. A PyTorch with CUDA is
# used through LIBTORCH or python3 instead (docs/setup.md).
NVIDIA = ["nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcupti.so.13"]
MANYLINUX = ["manylinux_2_28", "manylinux_2_25", "manylinux_2_17", "manylinux2014"]
PLATFORMS = {
    ("Linux", "x86_64"): (
        "linux-x86_64",
        [f"{tag}_x86_64" for tag in MANYLINUX],
        ["libtorch_cpu.so", "libc10.so", "libgomp.so.1"],
        NVIDIA,
    ),
    ("Linux", "aarch64"): (
        "linux-aarch64",
        [f"{tag}_aarch64" for tag in MANYLINUX],
        [
            "libtorch_cpu.so",
            "libc10.so",
            "libgomp.so.1",
            "libarm_compute.so",
            "libarm_compute_graph.so",
            "libnvpl_blas_core.so.0",
            "libnvpl_blas_lp64_gomp.so.0",
            "libnvpl_lapack_core.so.0",
            "libnvpl_lapack_lp64_gomp.so.0",
        ],
        NVIDIA,
    ),
    ("Darwin", "arm64"): (
        "macos-arm64",
        ["macosx_11_0_arm64"],
        ["libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib", "libomp.dylib"],
        [],
    ),
}


def say(text):
    print(f"libtorch: {text}", file=sys.stderr, flush=True)


def fail(*lines):
    for line in lines:
        say(line)
    sys.exit(1)


def this_platform():
    system, machine = platform.system(), platform.machine()
    if (system, machine) not in PLATFORMS:
        known = ", ".join(" ".join(pair) for pair in PLATFORMS)
        fail(
            f"no PyTorch {VERSION} wheel is known for {system} {machine} (known: {known})",
            f"  set LIBTORCH to the folder of a libtorch {VERSION} built for this machine",
        )
    if system == "Linux":
        name, release = platform.libc_ver()
        if name != "glibc" or [int(part) for part in release.split(".")[:2]] < [2, 28]:
            fail(
                "PyTorch's wheels need glibc 2.28 or newer, and this system has"
                f" {name or 'another C library'} {release}".rstrip(),
                "  set LIBTORCH to the folder of a libtorch built for this machine",
            )
    return PLATFORMS[system, machine]


def require_pip():
    probe = [sys.executable, "-m", "pip", "--version"]
    if subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        fail(
            f"{sys.executable} has no pip, which fetches libtorch",
            "  Debian, Ubuntu: sudo apt-get install python3-pip",
            "  Fedora:         sudo dnf install python3-pip",
            "  macOS:          python3 -m ensurepip --user",
            f"  or set LIBTORCH to the folder of a libtorch {VERSION} (it holds include/ and lib/)",
        )


def require_space(cache, wheels):
    present = sum(file.stat().st_size for file in wheels.glob("*.whl"))
    free = shutil.disk_usage(cache).free
    if free + present < NEEDED_BYTES:
        fail(
            f"{cache} has {free / 1e9:.1f} GB free, and unpacking needs"
            f" {(NEEDED_BYTES - present) / 1e9:.1f} GB",
            "  free some space, or set RESILIENCE_CACHE to a folder on another disk",
        )


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def still_to_fetch(requirements, wheels):
    """The lines of `requirements` whose wheel is not in `wheels`; removes every other wheel."""
    lines = [line for line in requirements.read_text().splitlines() if "--hash" in line]
    for wheel in wheels.glob("*.whl"):
        digest = sha256(wheel)
        if not any(digest in line for line in lines):
            wheel.unlink()  # A copy that was broken off, or of another version.
        lines = [line for line in lines if digest not in line]
    return lines


def download(lines, tags, wheels):
    """Leaves the wheels of these requirement lines in `wheels`; pip compares every checksum."""
    requirements = wheels / "requirements.txt"
    requirements.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.12"]
    command += ["--abi", "cp312", "--abi", "none"]
    for tag in tags:
        command += ["--platform", tag]
    # pip's own cache would keep a second copy of half a gigabyte.
    command += ["--no-cache-dir", "--disable-pip-version-check"]
    command += ["--dest", str(wheels), "--requirement", str(requirements)]
    # A break within a file is resumed by pip 25.1 and newer; older ones ignore the variable. /tmp
    # may be small, so pip's temporary files go where there is room.
    environment = {"PIP_RESUME_RETRIES": "10", **os.environ}
    environment.update(TMPDIR=str(wheels), PIP_REQUIRE_VIRTUALENV="0")
    if subprocess.run(command, env=environment, stdout=sys.stderr).returncode:
        fail(
            "pip could not fetch PyTorch's wheels; its message stands above",
            "  no network: call again when there is one, or set PIP_INDEX_URL to a mirror of PyPI",
            "  another checksum: the file was damaged on the way, or is not PyPI's; call again",
            f"  or set LIBTORCH to the folder of a libtorch {VERSION} (it holds include/ and lib/)",
        )


def wanted(name, libraries):
    if name.endswith("/"):
        return False
    return (
        name in libraries
        or name.startswith("torch/include/")
        or name == "torch/version.py"
        or ".dist-info/licenses/" in name
    )


def unpack(wheels, libraries, folder):
    """Unpacks what is wanted and checks that every library came; zipfile checks each file's CRC."""
    missing = set(libraries)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if wanted(name, libraries)]
            archive.extractall(folder, names)
            missing -= set(names)
    if missing:
        fail(f"the wheels lack {', '.join(sorted(missing))}; this is a fault of fetch_libtorch.py")


def finish_linux(torch):
    """The two names that the linker asks for and the wheel has not, or has in another form."""
    lib = torch / "lib"
    (lib / "libgomp.so").symlink_to("libgomp.so.1")
    # The wheel's libtorch.so holds no code and wants libtorch_cuda; an empty one takes its place.
    compiler = os.environ.get("CXX", "c++").split()
    command = [*compiler, "-shared", "-Wl,-soname,libtorch.so", "-o", str(lib / "libtorch.so")]
    if subprocess.run([*command, "-x", "c++", os.devnull], stdout=sys.stderr).returncode:
        fail(f"the C++ compiler `{' '.join(compiler)}` cannot make a shared library; see above")


def main():
    if len(sys.argv) != 2:
        fail("usage: fetch_libtorch.py CACHE")
    name, tags, torch_libraries, other_libraries = this_platform()
    cache = pathlib.Path(sys.argv[1]).absolute()
    target, wheels = cache / f"libtorch-{VERSION}", cache / f"libtorch-{VERSION}-wheels"
    try:
        wheels.mkdir(parents=True, exist_ok=True)
        lock = open(cache / "libtorch.lock", "w")  # held until this process ends
    except OSError as error:
        remedy = "  set RESILIENCE_CACHE to a folder that can be written"
        fail(f"cannot write to {cache}: {error.strerror}", remedy)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if (target / "torch" / "build-version").is_file():
        return  # Another call has done it while this one waited.
    for left in [*cache.glob(f"libtorch-{VERSION}-partial-*"), *wheels.glob("pip-*"), target]:
        shutil.rmtree(left, ignore_errors=True)
    missing = still_to_fetch(HERE / "libtorch" / f"{name}.txt", wheels)
    require_space(cache, wheels)
    if missing:
        require_pip()
        say(f"fetching PyTorch {VERSION} for {name} with pip, once, into {cache}")
        download(missing, tags, wheels)
    say("unpacking its libraries and headers")
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f"libtorch-{VERSION}-partial-", dir=cache))
    libraries = [f"torch/lib/{library}" for library in torch_libraries] + other_libraries
    unpack(wheels, libraries, partial)
    if name.startswith("linux"):
        finish_linux(partial / "torch")
    # tch compares this with the version that it was generated for; it is also our mark of a whole.
    (partial / "torch" / "build-version").write_text(f"{VERSION}\n")
    partial.chmod(0o755)
    partial.rename(target)
    shutil.rmtree(wheels)
    say(f"ready in {target}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted; call again to go on")
    except OSError as error:
        fail(f"{error}; call again when that is mended")
