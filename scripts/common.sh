# Sourced by the other scripts, which set `me` to the name that their messages begin with.

fail() {
    printf "$me: %s\n" "$@" >&2
    exit 1
}

# What is fetched lies outside the tree, where the user's system keeps such things.
cache_folder() {
    if [ -n "${RESILIENCE_CACHE:-}" ]; then
        printf '%s\n' "$RESILIENCE_CACHE"
    elif [ -n "${XDG_CACHE_HOME:-}" ]; then
        printf '%s/resilience\n' "$XDG_CACHE_HOME"
    elif [ -z "${HOME:-}" ]; then
        fail "neither HOME nor RESILIENCE_CACHE is set, so there is no place for what is fetched"
    elif [ "$(uname -s)" = Darwin ]; then
        printf '%s/Library/Caches/resilience\n' "$HOME"
    else
        printf '%s/.cache/resilience\n' "$HOME"
    fi
}
