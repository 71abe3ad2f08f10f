#!/usr/bin/env bash
# Installs what onemap needs on Debian or Ubuntu, and only what is missing.
#
#   scripts/deps.sh         to run:  PostgreSQL with PostGIS and pgRouting, GDAL
#   scripts/deps.sh test    to test: also Chromium, a CJK font, xmllint, and Node
#
# It says what it does before it does it, uses sudo when it is not root, does
# nothing twice, and needs some milliseconds when nothing is missing. It starts
# no database and touches none: onemap runs a private cluster of its own.
set -euo pipefail

want=${1:-run}
case $want in run | test) ;; *)
	echo "usage: scripts/deps.sh [run|test]" >&2
	exit 2
	;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/.tools

# Exact versions: the same Node on every machine that has none of its own.
node_version=22.23.3
npm_version=10.9.9

say() { printf 'deps: %s\n' "$*" >&2; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "需要 root 权限而没有 sudo；请以 root 运行。Root is needed and there is no sudo; run this as root:"
		say "  $*"
		exit 1
	fi
}

# The PostgreSQL that is there already, if it has all extensions: nothing asks
# a package manager as long as the files are in place.
have_postgres() {
	local bin n share
	for bin in /usr/lib/postgresql/*/bin; do
		[ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] || continue
		n=${bin#/usr/lib/postgresql/}
		n=${n%/bin}
		share=/usr/share/postgresql/$n/extension
		[ "$n" -ge 15 ] 2>/dev/null && [ -e "$share/postgis.control" ] &&
			[ -e "$share/pgrouting.control" ] && [ -e "$share/pg_trgm.control" ] && return 0
	done
	return 1
}

# .mdb goes through GDAL's ODBC driver, which needs an mdbtools behind it.
have_mdb() {
	local f
	for f in /usr/lib/*/odbc/libmdbodbc*.so; do
		[ -e "$f" ] && return 0
	done
	return 1
}

have_chromium() {
	command -v chromium >/dev/null || command -v google-chrome >/dev/null || command -v chromium-browser >/dev/null
}

have_font() {
	local f
	for f in /usr/share/fonts/opentype/noto/NotoSansCJK* /usr/share/fonts/truetype/noto/NotoSansCJK*; do
		[ -e "$f" ] && return 0
	done
	return 1
}

# Vite needs Node 20.19+ or 22.12+, and there must be an npm with it.
good_node() {
	local v major minor
	command -v npm >/dev/null || return 1
	v=$(node --version 2>/dev/null) || return 1
	v=${v#v}
	major=${v%%.*}
	minor=${v#*.}
	minor=${minor%%.*}
	{ [ "$major" -eq 20 ] && [ "$minor" -ge 19 ]; } || { [ "$major" -eq 22 ] && [ "$minor" -ge 12 ]; } || [ "$major" -ge 23 ]
}

packages=()
if ! have_postgres; then packages+=(POSTGRES); fi
command -v ogr2ogr >/dev/null || packages+=(gdal-bin)
have_mdb || packages+=(odbc-mdbtools)
if [ "$want" = test ]; then
	have_chromium || packages+=(chromium)
	have_font || packages+=(fonts-noto-cjk)
	# Tests hold our reading of CAP against its schema with xmllint.
	command -v xmllint >/dev/null || packages+=(libxml2-utils)
	if [ -d "$tools/node_modules/.bin" ]; then PATH=$tools/node_modules/.bin:$PATH; fi
	need_node=false
	if ! good_node; then
		need_node=true
		# Debian's own npm only fetches the pinned pair below.
		command -v npm >/dev/null || packages+=(npm)
	fi
fi

if [ ${#packages[@]} -gt 0 ]; then
	if ! command -v apt-get >/dev/null; then
		say "这里没有 apt；请自行安装 PostgreSQL 15 或更新版本、PostGIS、pgRouting、GDAL（ogr2ogr）。"
		say "No apt here: install PostgreSQL 15 or newer, PostGIS, pgRouting and GDAL (ogr2ogr) yourself."
		exit 1
	fi
	say "更新软件包索引。Refreshing the package index."
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq -o DPkg::Lock::Timeout=300
	for i in "${!packages[@]}"; do
		[ "${packages[i]}" = POSTGRES ] || continue
		unset "packages[i]"
		# The distribution's own major version (Debian 12: 15).
		pg=$(apt-cache policy postgresql | sed -n 's/^ *Candidate: \([0-9][0-9]*\).*/\1/p')
		if [ -z "$pg" ] || [ "$pg" -lt 15 ]; then
			say "这个发行版没有 PostgreSQL 15 或更新版本。This distribution has no PostgreSQL 15 or newer."
			exit 1
		fi
		packages+=("postgresql-$pg-postgis-3" "postgresql-$pg-pgrouting")
		# Installing a server makes Debian create and start a cluster, for which
		# we have no use. An administrator's own word on that is left alone.
		if [ ! -x "/usr/lib/postgresql/$pg/bin/postgres" ] &&
			! grep -qs '^[^#]*create_main_cluster' /etc/postgresql-common/createcluster.conf \
				/etc/postgresql-common/createcluster.d/*.conf; then
			say "让 Debian 不自动建立数据库：/etc/postgresql-common/createcluster.d/onemap.conf。Telling Debian to start no database of its own."
			as_root mkdir -p /etc/postgresql-common/createcluster.d
			printf '%s\n' '# Written by onemap (scripts/deps.sh): it runs a private cluster of its own.' \
				'# Remove this file if new PostgreSQL versions should get a "main" cluster again.' \
				'create_main_cluster = false' |
				as_root tee /etc/postgresql-common/createcluster.d/onemap.conf >/dev/null
		fi
	done
	say "安装 Installing: ${packages[*]}"
	log=$(mktemp)
	if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${packages[@]}" >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		say "安装失败，完整记录 Installation failed, full log: $log"
		exit 1
	fi
	rm -f "$log"
fi

if [ "$want" = test ]; then
	if $need_node; then
		say "安装 Installing node $node_version, npm $npm_version -> .tools"
		mkdir -p "$tools"
		# Both at once: Debian's npm does not run under another Node than Debian's.
		npm install --prefix "$tools" --no-save --no-fund --no-audit --loglevel=error \
			"node@$node_version" "npm@$npm_version" >/dev/null
		PATH=$tools/node_modules/.bin:$PATH
		good_node || {
			say "Node 安装失败。Node could not be installed."
			exit 1
		}
	fi
	if [ -e "$root/static/web/package-lock.json" ] &&
		[ ! "$root/static/web/node_modules/.package-lock.json" -nt "$root/static/web/package-lock.json" ]; then
		say "安装前端模块 npm ci: static/web"
		(cd "$root/static/web" && npm ci --no-fund --no-audit --loglevel=error)
		touch "$root/static/web/node_modules/.package-lock.json"
	fi
fi
