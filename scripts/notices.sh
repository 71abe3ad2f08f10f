#!/usr/bin/env bash
# Writes THIRD_PARTY_NOTICES.md: every module linked into the binary and every
# package bundled into static/dist, with version and licence text.
set -euo pipefail
cd "$(dirname "$0")/.."
out=THIRD_PARTY_NOTICES.md

licence_file() { find "$1" -maxdepth 1 -type f \( -iname 'LICENSE*' -o -iname 'LICENCE*' -o -iname 'COPYING*' -o -iname 'NOTICE*' \) | LC_ALL=C sort; }
entry() { # name version folder
  printf '\n## %s %s\n' "$1" "$2"
  while IFS= read -r f; do
    printf '\n```text\n'; tr -d '\r' <"$f"; printf '\n```\n'
  done < <(licence_file "$3")
}

{
  echo '# Third-party notices'
  echo
  echo 'Parts of other projects that travel in the binary, with their licences. Made by `scripts/notices.sh`.'
  echo
  echo 'Data: land and water outlines from Natural Earth (public domain), by npm `world-atlas` (ISC).'
  echo 'Not part of the binary, installed beside it by the system: PostgreSQL, PostGIS, pgRouting, GDAL.'
  go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/onemap | LC_ALL=C sort -u |
    while read -r path version dir; do entry "$path" "$version" "$dir"; done
  (
    cd static/web
    # Svelte compiles itself into our code and is a development dependency for npm.
    { npm ls --omit=dev --all --parseable --long 2>/dev/null | tail -n +2; npm ls svelte --depth=0 --parseable --long 2>/dev/null | tail -n +2; } |
      LC_ALL=C sort -u -t: -k2 |
      while IFS=: read -r dir spec _; do entry "${spec%@*}" "${spec##*@}" "$dir"; done
  )
  printf '\n## Lucide icons (glyphs inside the symbols)\n\n```text\n'
  cat static/web/src/symbols/LICENSE.lucide.txt
  printf '\n```\n'
  printf '\n## WenQuanYi Micro Hei (the font of map sheets, reduced)\n\n```text\n'
  cat internal/report/font/LICENSE.wqy.txt
  printf '\n```\n'
} >"$out"
echo "$out: $(grep -c '^## ' "$out") parts"
