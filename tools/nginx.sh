#!/usr/bin/env bash
# Prints the path of an nginx for the tests behind a proxy; installs Debian's if it can and must.
set -euo pipefail

find_nginx() {
  PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nginx
}

if find_nginx; then
  exit
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "No nginx found: installing Debian's." >&2
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >&2
  if find_nginx; then
    exit
  fi
fi
echo "The tests behind a proxy need nginx, and none was found: install the package nginx." >&2
exit 1
