#!/usr/bin/env bash
# Fill .deps/cpp with what the loader is built from, on a machine with apt, without root:
#
#   include/onnxruntime/  ONNX Runtime's headers     (libonnxruntime-dev of Debian 13)
#   include/CLI/          CLI11, for gluonnx-run     (libcli11-dev of this machine's own release)
#   include/doctest/      doctest, for the tests     (doctest-dev of this machine's own release)
#   licenses/, SOURCES    their copyright files; name, version and SHA-256 of each package
#
# apt runs with lists, state and sources of its own inside .deps; the mirror is the one this machine's apt already uses.
# Every signature is checked: Debian 13's keys come from the archive keyring package of this machine's own release,
# which the keys on this machine have signed. The folder appears whole or not at all; when it is there, nothing is done.
#
# Usage: cpp_loader/fetch_deps.sh
set -euo pipefail

readonly HEADERS_RELEASE=trixie # Debian 13, the first release with libonnxruntime-dev
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly deps=${here%/*}/.deps
readonly target=$deps/cpp
readonly remedy="Unpack an official ONNX Runtime release and set ONNXRUNTIME_ROOT to its folder (see cpp_loader/README.md)."

fail() {
    echo "fetch_deps.sh: $1. $remedy" >&2
    exit 1
}

[[ -f $target/SOURCES ]] && exit 0

for tool in apt-get dpkg dpkg-deb sha256sum; do
    command -v "$tool" >/dev/null || fail "ONNX Runtime's headers cannot be fetched: expected a machine with apt, got none ($tool is missing)"
done
release_id=$(. /etc/os-release && echo "${ID:-unknown}")
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[[ $release_id == debian && -n $release ]] ||
    fail "ONNX Runtime's headers cannot be fetched: expected Debian's apt (its mirror carries Debian 13), got ID=$release_id VERSION_CODENAME=$release"

mkdir -p "$deps"
work=$(mktemp -d "$deps/.cpp.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The machine's mirror: apt itself reads every format that its sources may be written in.
mirror=$(apt-get -o "Dir::State::lists=$work" indextargets --no-release-info \
    --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="$release" '$2 == release && $3 == "main" && !found { print $1; found = 1 }')
[[ -n $mirror ]] || fail "no Debian mirror: expected a source for '$release main' in this machine's apt configuration, got none"

# `run_apt FOLDER MIRROR_SUITE KEYRING apt-get-arguments...`: apt with a world of its own under FOLDER.
run_apt() {
    local world=$1 suite=$2 keyring=$3
    shift 3
    if [[ ! -d $world ]]; then
        mkdir -p "$world"/{lists/partial,cache/archives/partial,empty}
        : >"$world/status"
        echo "deb [signed-by=$keyring] $mirror $suite main" >"$world/sources.list"
        cat >"$world/apt.conf" <<CONF
Dir::Etc::sourcelist "$world/sources.list";
Dir::Etc::sourceparts "$world/empty";
Dir::Etc::preferences "$world/none";
Dir::Etc::preferencesparts "$world/empty";
Dir::State "$world";
Dir::State::lists "$world/lists";
Dir::State::status "$world/status";
Dir::Cache "$world/cache";
Acquire::Languages "none";
Acquire::Retries "3";
// Only package indexes: whatever else this machine's apt collects (file contents, icons) stays out.
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
// The download user of a system-wide apt cannot write in here.
APT::Sandbox::User "$(id -un)";
// A hook of the machine's apt (cache cleaning, software centres) has no business with this one.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
    fi
    apt-get -qq -c "$world/apt.conf" "$@"
}

# `unpack SUITE KEYRING PACKAGE...`: update the suite's index, download the packages, unpack them into FOLDER/root.
unpack() {
    local suite=$1 keyring=$2 world=$work/$1 deb
    shift 2
    run_apt "$world" "$suite" "$keyring" update --error-on=any >&2 ||
        fail "$mirror $suite: the package index cannot be read (the lines above are apt's)"
    mkdir -p "$world/debs"
    (cd "$world/debs" && run_apt "$world" "$suite" "$keyring" download "$@" >&2) ||
        fail "$mirror $suite: expected the packages $*, got an error (the lines above are apt's)"
    for deb in "$world"/debs/*.deb; do
        dpkg-deb --extract "$deb" "$work/root"
        echo "$(dpkg-deb --show --showformat '${Package} ${Version} ${Architecture}' "$deb")" \
            "$(sha256sum <"$deb" | cut -d' ' -f1)" >>"$work/SOURCES"
    done
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -e $keyring ]] || fail "$keyring: expected the archive keyring of this machine's release, got no such file"
unpack "$release" "$keyring" libcli11-dev doctest-dev debian-archive-keyring
unpack "$HEADERS_RELEASE" "$work/root$keyring" libonnxruntime-dev

new=$work/new
mkdir -p "$new/include" "$new/licenses"
mv "$work/root/usr/include/"{onnxruntime,CLI,doctest} "$new/include/"
for package in libonnxruntime-dev libcli11-dev doctest-dev; do
    cp -L "$work/root/usr/share/doc/$package/copyright" "$new/licenses/$package"
done
grep -v '^debian-archive-keyring ' "$work/SOURCES" >"$new/SOURCES"
rm -rf "$target" # what an earlier version of this script left, without SOURCES
mv "$new" "$target"
