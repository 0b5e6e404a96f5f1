#!/usr/bin/env bash
# Prints the path of a Chromium that the browser tests can use; installs Debian's if it can and must.
set -euo pipefail
cd "$(dirname "$0")/.."

find_browser() {
  if [ -n "${NBSESSION_CHROMIUM:-}" ]; then
    [ -x "$NBSESSION_CHROMIUM" ] && echo "$NBSESSION_CHROMIUM" && return
    echo "NBSESSION_CHROMIUM is set, but $NBSESSION_CHROMIUM cannot be run." >&2
    exit 1
  fi
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" && return
  done
  if [ -x .venv/bin/python ]; then
    .venv/bin/python - <<'PY' 2>/dev/null && return
import os
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = playwright.chromium.executable_path
if not os.access(path, os.X_OK):
    raise SystemExit(1)
print(path)
PY
  fi
  return 1
}

if find_browser; then
  exit
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "No Chromium found: installing Debian's." >&2
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
  if find_browser; then
    exit
  fi
fi
cat >&2 <<'TEXT'
The browser tests need a Chromium, and none was found. One of these helps:
  - install the package chromium (or Google Chrome) with your system's package manager;
  - .venv/bin/playwright install chromium
  - NBSESSION_CHROMIUM=/path/to/chromium make ...
TEXT
exit 1
