#!/usr/bin/env bash
# Makes a package with a small domain that runs, with its tests, for you to replace word by word.
#
#   ./new.sh ../my-domain
#
# The name of the folder is the name of the package. It depends on this clone by its path.
set -euo pipefail
repository=$(cd "$(dirname "$0")" && pwd)
folder=${1:?"usage: $0 FOLDER"}
name=$(basename "$folder")
[[ $name =~ ^[a-z][a-z0-9_-]*$ ]] || { echo "$name is no name for a package: want a-z, 0-9, - and _" >&2; exit 1; }
[[ ! -e $folder ]] || { echo "$folder exists" >&2; exit 1; }

mkdir -p "$(dirname "$folder")"
cp -R "$repository/template" "$folder"
rm "$folder/cargo-generate.toml"
# Whatever is special to sed in a path is made harmless.
path=$(printf '%s' "$repository" | sed 's/[&|\\]/\\&/g')
grep -rl '{{' "$folder" | while IFS= read -r file; do
    sed -e "s|{{project-name}}|$name|g" -e "s|{{crate_name}}|${name//-/_}|g" -e "s|{{repository}}|$path|g" \
        "$file" > "$file.new"
    mv "$file.new" "$file"
done
echo "made $folder; now: cd $folder && cargo test && cargo run"
