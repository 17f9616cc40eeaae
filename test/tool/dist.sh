#!/usr/bin/env bash
# Writes META.json and the archive that PGXN takes, of what is committed, to
# the folder named.
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$PT621_ROOT"

out=${1:?usage: dist.sh FOLDER}
mkdir -p "$out"
field() { sed -n "s/^$1 *= *'\(.*\)'/\1/p" pt621.control; }
version=$(field default_version).0    # PGXN wants three numbers

cat >"$out/META.json" <<-META
	{
	   "name": "pt621",
	   "abstract": "$(field comment)",
	   "version": "$version",
	   "maintainer": "the pt621 authors",
	   "license": "postgresql",
	   "prereqs": {
	      "runtime": { "requires": { "PostgreSQL": "15.0.0", "postgis": "3.2.0" } }
	   },
	   "provides": {
	      "pt621": { "file": "pt621.control", "docfile": "README.md", "version": "$version" }
	   },
	   "tags": [ "gps", "tracking", "telematics", "postgis", "background worker" ],
	   "generated_by": "make dist",
	   "meta-spec": { "version": "1.0.0", "url": "https://pgxn.org/meta/spec.txt" }
	}
META
git archive --format=zip --prefix="pt621-$version/" --add-file="$out/META.json" \
	-o "$out/pt621-$version.zip" HEAD
say "$out/pt621-$version.zip"
