#!/usr/bin/env bash
# Makes internal/report/font/sheet.ttf, the font of map sheets: WenQuanYi Micro Hei as
# Debian packs it, reduced to the characters of scripts/sheetfont. The result is the same
# every time; CI need not run this, the file is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
want=2420e8078af796b19a3f6ef13de527a1a91c1e7171eea115926c614ced1009b3
font=${1:-}
if [ -z "$font" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download fonts-wqy-microhei && dpkg-deb -x fonts-wqy-microhei_*.deb .)
  font=$work/usr/share/fonts/truetype/wqy/wqy-microhei.ttc
fi
echo "$want  $font" | sha256sum -c - >&2
go run ./scripts/sheetfont "$font" internal/report/font/sheet.ttf
sha256sum internal/report/font/sheet.ttf
