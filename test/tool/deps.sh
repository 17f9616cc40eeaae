#!/usr/bin/env bash
# Installs the Debian packages that are missing.  Where none is, nothing is
# run and no network is needed.
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# a|b: either will do, a is what gets installed.  libFuzzer and the sanitizers
# of clang are in a package of their own; the unversioned one follows clang.
PACKAGES=(
	build-essential
	postgresql-15
	postgresql-server-dev-15
	postgresql-15-postgis-3
	postgresql-15-postgis-3-scripts
	libuv1-dev
	clang
	'libclang-rt-dev|libclang-rt-14-dev'
	llvm
	perl
	libipc-run-perl
	chromium
	netcat-openbsd
	socat
	valgrind
	gpsbabel
	gdal-bin
)
# The geofences in memory.
if [ -d "$PT621_ROOT/src/geo" ]; then
	PACKAGES+=(libgeos-dev)
fi

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

command -v dpkg-query >/dev/null ||
	die "only Debian is known here; needed are the likes of: ${PACKAGES[*]%%|*}"

missing=()
for package in "${PACKAGES[@]}"; do
	installed "${package%%|*}" || installed "${package##*|}" ||
		missing+=("${package%%|*}")
done
if [ ${#missing[@]} -eq 0 ]; then
	say "all packages are there"
	exit 0
fi

if ! is_root && ! command -v sudo >/dev/null; then
	die "neither root nor sudo; as root: apt-get install ${missing[*]}"
fi
say "installing ${missing[*]}"

# Debian makes a cluster and starts it when PostgreSQL is installed.  The tests
# bring their own, and nobody asked for a server: not while we install.
if ! installed postgresql-15; then
	conf_dir=/etc/postgresql-common/createcluster.d
	conf=$conf_dir/pt621-deps.conf
	trap 'sudo_if_needed rm -f "$conf"
		sudo_if_needed rmdir --ignore-fail-on-non-empty "$conf_dir"' EXIT
	sudo_if_needed mkdir -p "$conf_dir"
	say 'create_main_cluster = false' | sudo_if_needed tee "$conf" >/dev/null
fi

apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y
	-o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0)
sudo_if_needed "${apt[@]}" update
sudo_if_needed "${apt[@]}" install --no-install-recommends "${missing[@]}"
