#!/usr/bin/env bash
# Builds the release before this one, unless it is built, and prints where its binary is: the tests
# run it beside this one (tests/it/previous.rs). With each release, the next takes its place here.
set -euo pipefail
cd "$(dirname "$0")/.."

revision=b4c651173d8be3df5a3626f30315052912b67b45

folder=$PWD/target/previous/$revision
binary=$folder/target/debug/footfall
if [ ! -x "$binary" ]; then
    # In a container the clone is often another user's.
    git=(git -c "safe.directory=$PWD")
    "${git[@]}" cat-file -e "$revision^{commit}" 2>/dev/null || {
        echo "tests/previous.sh: this clone lacks $revision, the release before this one;" \
            "fetch the whole history: git fetch --unshallow" >&2
        exit 1
    }
    # What is left of an older release, or of a build that was cut short.
    rm -rf target/previous
    mkdir -p "$folder"
    "${git[@]}" archive "$revision" | tar -x -C "$folder"
    # Half of its dependencies are those of this release, and built with them.
    CARGO_BUILD_BUILD_DIR=$PWD/target CARGO_INCREMENTAL=0 \
        cargo build --locked --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target" >&2
fi
echo "$binary"
