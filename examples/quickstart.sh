#!/usr/bin/env bash
# Installs what is missing, builds garface in release and reconstructs a photo into a folder:
#
#   bash examples/quickstart.sh [PHOTO [FOLDER]]
#
# Without arguments: examples/data/astronaut.png into out/astronaut.
set -euo pipefail
cd "$(dirname "$0")/.."
caller=$OLDPWD
absolute() { case $1 in /*) echo "$1" ;; *) echo "$caller/$1" ;; esac; }
photo=$(absolute "${1:-$PWD/examples/data/astronaut.png}")
folder=$(absolute "${2:-$PWD/out/astronaut}")

bash bindings/requirements.sh build
swift build -c release --manifest-cache none
.build/release/garface-cli reconstruct "$photo" --output "$folder"
