#!/bin/sh
# Installs what the tests need, on Debian: what is missing, and nothing else.
set -eu
cd "$(dirname "$0")"

# sbin is where Debian has the proxies, though not in everybody's PATH.
PATH=$PATH:/usr/sbin

missing=
command -v nginx >/dev/null || missing="$missing nginx"
command -v haproxy >/dev/null || missing="$missing haproxy"
command -v nghttpx >/dev/null || missing="$missing nghttp2-proxy"
command -v tinyproxy >/dev/null || missing="$missing tinyproxy"
command -v squid >/dev/null || missing="$missing squid"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
/usr/bin/python3 -c 'import websockets' 2>/dev/null || missing="$missing python3-websockets"

if [ -n "$missing" ]; then
	# A runlevel of 1 keeps Debian from starting the proxies as services.
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
	sudo=
	[ "$(id -u)" = 0 ] || sudo="sudo -E"
	$sudo apt-get update -q
	# shellcheck disable=SC2086 # they are several words
	$sudo apt-get install -q -y --no-install-recommends $missing
fi

# npm writes node_modules/.package-lock.json last: it is there only if all is.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
	npm ci --ignore-scripts --no-audit --no-fund
	touch node_modules/.package-lock.json
fi
