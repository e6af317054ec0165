#!/usr/bin/env bash
# Fuzzes the parsers of foreign input: each target of tests/fuzz/ in turn, starting from its corpus.
# Fails if a parser violates an assertion in tests/fuzz/src, and prints the input. Without --keep it
# changes only files that git ignores.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/fuzz.sh [options] [TARGET…]

Without a TARGET, it runs all targets in tests/fuzz/fuzz_targets/.

  --seconds N  how long each target runs (600)
  --keep       add the inputs that reach new code to tests/fuzz/corpus/
  --list       only print the names of the targets
  -h, --help   show this help

It needs rustup's nightly toolchain and a C++ compiler. It installs cargo-fuzz into the cache
folder. It keeps new inputs in tests/fuzz/target/corpus/, and the next run starts from them too.
TEXT
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$repo/tests/fuzz
cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/autodns}
cargo_fuzz_version=0.13.2
# In bytes: enough for several record sets, a long configuration, or the longest response of a
# reflector. Longer inputs reach no new code and are much slower.
max_input_bytes=4096
# In seconds. Even on a slow machine, every input takes much less.
max_run_seconds=5

# An input that reaches fewer new edges of the code is a variation of an existing one.
min_new_edges=16

fail() {
    echo "fuzz.sh: $*" >&2
    exit 1
}

all_targets() {
    local file
    for file in "$folder"/fuzz_targets/*.rs; do
        basename "$file" .rs
    done
}

dictionary_of() {
    case $1 in
        xml | route53_* | receipt | fault) echo xml ;;
        config | reflector_answer | credential_process) echo json ;;
        *) echo "$1" ;;
    esac
}

install_cargo_fuzz() {
    local root=$cache/cargo-fuzz-$cargo_fuzz_version
    command -v rustup >/dev/null || fail "there is no rustup, which has the nightly toolchain"
    rustup run nightly rustc --version >/dev/null 2>&1 ||
        fail "there is no nightly toolchain: rustup toolchain install nightly --profile minimal"
    if [ ! -x "$root/bin/cargo-fuzz" ]; then
        cargo install --quiet --locked --root "$root" --version "$cargo_fuzz_version" cargo-fuzz ||
            fail "cargo-fuzz $cargo_fuzz_version could not be installed; cargo's error is above"
    fi
    PATH=$root/bin:$PATH
}

# run TARGET SECONDS: writes the output of libFuzzer to $scratch/TARGET.log and prints one line.
run() {
    local target=$1 seconds=$2 log=$scratch/$1.log dictionary code=0
    local options=(-max_total_time="$seconds" -max_len="$max_input_bytes"
        -timeout="$max_run_seconds" -print_final_stats=1)
    dictionary=$folder/dictionaries/$(dictionary_of "$target").dict
    [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
    mkdir -p "$work/$target"
    cargo +nightly fuzz run --fuzz-dir "$folder" "$target" "$work/$target" "corpus/$target" -- \
        "${options[@]}" >"$log" 2>&1 </dev/null || code=$?
    if [ "$code" != 0 ]; then
        # Prints the failed assertion. If there is none, prints the whole output.
        grep -A 3 -E 'panicked at|ERROR:' "$log" >&2 || cat "$log" >&2
        printf '%s: broken by %s\n' "$target" \
            "$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)"
        return 1
    fi
    printf '%s: %d executions, %d edges, no finding\n' "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
        "$(sed -n 's/.*DONE  *cov: \([0-9]*\) .*/\1/p' "$log")"
}

# keep TARGET: copies inputs that reach new code. During a merge, libFuzzer notes for each input the
# edges that no earlier input reached. The first folder, our corpus, is merged first, then the
# shortest inputs.
keep() {
    local target=$1 notes=$scratch/$1.notes file kept=0
    cp -r "$folder/corpus/$target" "$scratch/$target"
    cargo +nightly fuzz run --fuzz-dir "$folder" "$target" "$scratch/$target" -- -merge=1 \
        -merge_control_file="$notes" "$scratch/$target" "$work/$target" >"$scratch/merge" 2>&1 ||
        { cat "$scratch/merge" >&2; fail "$target: its corpora could not be merged"; }
    while IFS= read -r file; do
        cp "$file" "$folder/corpus/$target/found-$(sha1sum "$file" | cut -c 1-12)"
        kept=$((kept + 1))
    done < <(inputs_with_new_edges "$notes" "$work/$target/")
    echo "$target: $kept inputs kept"
}

# Prints the inputs below FOLDER that have enough new edges in libFuzzer's notes of a merge.
inputs_with_new_edges() {
    awk -v folder="$2" -v min="$min_new_edges" '
        NR == 1 { count = $1; next }
        NR == 2 { next }
        NR <= count + 2 { file[NR - 3] = $0; next }
        $1 == "COV" && NF >= min + 2 && index(file[$2], folder) == 1 { print file[$2] }
    ' "$1"
}

seconds=600
keep=
targets=()
while (($#)); do
    case $1 in
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--seconds needs a whole number"
            seconds=$2
            shift
            ;;
        --keep) keep=yes ;;
        --list)
            all_targets
            exit
            ;;
        -h | --help)
            usage
            exit
            ;;
        -*) fail "there is no option $1; see --help" ;;
        *)
            [ -f "$folder/fuzz_targets/$1.rs" ] || fail "there is no target $1; see --list"
            targets+=("$1")
            ;;
    esac
    shift
done
((${#targets[@]})) || mapfile -t targets < <(all_targets)

install_cargo_fuzz
scratch=$(mktemp -d "${TMPDIR:-/tmp}/autodns-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
work=$folder/target/corpus
cd "$folder"
cargo +nightly fuzz build --fuzz-dir "$folder" >"$scratch/build" 2>&1 ||
    { cat "$scratch/build" >&2; fail "the targets could not be built"; }

findings=0
for target in "${targets[@]}"; do
    if ! run "$target" "$seconds"; then
        findings=$((findings + 1))
    elif [ -n "$keep" ]; then
        keep "$target"
    fi
done
((findings == 0)) || fail "$findings of ${#targets[@]} targets have findings; see above"
