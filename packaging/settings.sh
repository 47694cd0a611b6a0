# Settings of the builds of this folder, to be sourced at the root of the repository. Without TARGET, they are for this machine.
# shellcheck shell=bash disable=SC2034

target=${TARGET:-$(rustc --version --verbose | sed -n 's/^host: //p')}
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
packages=$PWD/target/packaging

# The C library is part of the program on Linux and Windows, so that it runs on any Linux, and in an image without files.
# macOS has no static one.
case $target in
*-linux-* | *-windows-*) RUSTFLAGS="-C target-feature=+crt-static" ;;
*) RUSTFLAGS= ;;
esac
export RUSTFLAGS

export CARGO_PROFILE_RELEASE_STRIP=symbols
