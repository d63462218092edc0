#!/usr/bin/env bash
# Finds or fetches libtorch 2.11 and prints its folder, the value that LIBTORCH takes. In this order:
#   1. $LIBTORCH, taken as it is;
#   2. the PyTorch 2.11 of the python3 at hand, if it has its C++ headers;
#   3. <cache>/libtorch-2.11.0, fetched with pip the first time (scripts/fetch_libtorch.py).
# Standard output is the folder and nothing else; every message goes to standard error.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=2.11
me=libtorch
# shellcheck source=scripts/common.sh
. "$here/common.sh"

# The compiler is asked for here, because the message of a failed build comes minutes later.
compilers_at_hand() {
    local tool
    for tool in cc ${CXX:-c++}; do
        command -v "$tool" >/dev/null 2>&1 || fail "no C++ compiler: the command \`$tool\` is missing" \
            "  Debian, Ubuntu: sudo apt-get install g++" \
            "  Fedora:         sudo dnf install gcc-c++" \
            "  macOS:          xcode-select --install"
    done
    command -v "${CARGO:-cargo}" >/dev/null 2>&1 || fail "no Rust toolchain: the command \`${CARGO:-cargo}\` is missing" \
        "  install it from https://rustup.rs, then open a new terminal"
}

shared_library() { [ -e "$1/lib/$2.so" ] || [ -e "$1/lib/$2.dylib" ]; }

# Prints what a folder lacks to be built against; prints nothing when it is complete.
lacks() {
    local name
    [ -f "$1/include/torch/csrc/api/include/torch/torch.h" ] || echo "include/torch/csrc/api/include/torch/torch.h"
    for name in libtorch libtorch_cpu libc10; do
        shared_library "$1" "$name" || echo "lib/$name"
    done
}

from_environment() {
    local missing found=""
    [ -d "$LIBTORCH" ] || fail "LIBTORCH=$LIBTORCH is not a folder; unset it to have libtorch fetched"
    missing=$(lacks "$LIBTORCH" | tr '\n' ' ')
    [ -z "$missing" ] || fail "LIBTORCH=$LIBTORCH lacks $missing" \
        "  give the folder that holds include/ and lib/, or unset LIBTORCH to have libtorch fetched"
    if [ -f "$LIBTORCH/build-version" ]; then
        found=$(cat "$LIBTORCH/build-version")
    elif [ -f "$LIBTORCH/version.py" ]; then
        found=$(sed -n "s/^__version__ = '\(.*\)'.*/\1/p" "$LIBTORCH/version.py")
    fi
    case "$found" in
        "" | "$version".* | "$version") ;;
        *) [ -n "${LIBTORCH_BYPASS_VERSION_CHECK:-}" ] || fail \
            "LIBTORCH=$LIBTORCH is version $found, and $version is needed; unset it to have libtorch fetched" ;;
    esac
    (cd "$LIBTORCH" && pwd)
}

# The folder of python3's own torch when it is a 2.11 that can be built against. torch is not
# imported, which would take seconds on every call: its version file says enough.
from_python() {
    local folder
    folder=$(python3 - "$version" <<'PYTHON' 2>/dev/null
import importlib.util, pathlib, re, sys
spec = importlib.util.find_spec("torch")
folder = pathlib.Path(spec.origin).parent
text = (folder / "version.py").read_text()
version = re.search(r"^__version__ = '([^']+)'", text, re.M).group(1)
if version.split(".")[:2] != sys.argv[1].split("."):
    sys.exit(1)
print(folder)
PYTHON
    ) || return 1
    [ -z "$(lacks "$folder")" ] || return 1
    printf '%s\n' "$folder"
}

compilers_at_hand
if [ -n "${LIBTORCH:-}" ]; then
    from_environment
elif from_python; then
    :
else
    cache=$(cache_folder)
    # The folder is only ever renamed into place whole, so that its mark is proof enough.
    if [ ! -f "$cache/libtorch-2.11.0/torch/build-version" ]; then
        command -v python3 >/dev/null 2>&1 || fail "no python3, which fetches libtorch with pip" \
            "  Debian, Ubuntu: sudo apt-get install python3 python3-pip" \
            "  Fedora:         sudo dnf install python3 python3-pip" \
            "  macOS:          xcode-select --install" \
            "  or set LIBTORCH to the folder of a libtorch $version (it holds include/ and lib/)"
        python3 "$here/fetch_libtorch.py" "$cache" >&2
    fi
    (cd "$cache/libtorch-2.11.0/torch" && pwd)
fi
