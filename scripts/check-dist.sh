#!/usr/bin/env bash
# Fails unless static/dist is, byte for byte, what static/web builds: what is
# served must be what can be read and reviewed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -n "$(git status --porcelain -- static/dist)" ]; then
	echo "static/dist has uncommitted changes" >&2
	git status --short -- static/dist >&2
	exit 1
fi
(cd static/web && npm ci --no-fund --no-audit --loglevel=error && npm run --silent build)
if [ -n "$(git status --porcelain -- static/dist)" ]; then
	echo "static/dist is not what static/web builds: run make dist and commit the result" >&2
	git status --short -- static/dist >&2
	git --no-pager diff --stat -- static/dist >&2
	exit 1
fi
echo "static/dist is reproducible"
